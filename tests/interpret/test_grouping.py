from hypothesis import given
from hypothesis import strategies as st

from interp_embed.interpret.grouping import group_concepts


def test_similar_concepts_are_asked_apart():
    concepts = ["cold soup", "praises a dog", "cold soup again", "praises a big dog"]

    groups = group_concepts(concepts, 2)

    assert sorted(groups) == [(0, 1), (2, 3)] or sorted(groups) == [(0, 3), (1, 2)]


def test_groups_are_even():
    assert [len(g) for g in group_concepts([f"concept {i}" for i in range(21)], 10)] == [7, 7, 7]


def test_long_definitions_have_groups_of_their_own():
    groups = group_concepts(["a " * 2_000, "b " * 2_000, "c " * 4_000, "d"], 10)

    assert sum(len(g) for g in groups) == 4
    assert next(len(g) for g in groups if 2 in g) <= 2
    assert all(sum((4_000, 4_000, 8_000, 1)[i] for i in g) <= 5_000 or len(g) == 1 for g in groups)


@given(st.lists(st.text(min_size=1), unique=True, max_size=30), st.integers(1, 12))
def test_every_concept_is_in_one_group_of_bounded_size(concepts, size):
    groups = group_concepts(concepts, size)

    assert sorted(i for group in groups for i in group) == list(range(len(concepts)))
    assert all(len(group) <= size for group in groups)
    assert groups == group_concepts(concepts, size)
