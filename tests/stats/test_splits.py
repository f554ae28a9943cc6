import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp_embed.errors import InputError
from interp_embed.stats import merge_groups, near_duplicate_groups, split_rows

SENTENCE = (
    "the ferry was late again and nobody at the harbour could say when it would leave so we sat "
    "down on the cold steps and shared the last of the bread while gulls argued over our heads"
)
WORDS = SENTENCE.split()


def random_sentence(rng, n_words=40):
    return " ".join(f"w{number}" for number in rng.integers(0, 5000, n_words))


def test_equal_but_for_case_space_and_punctuation_is_one_group():
    documents = ["The end.", "the  END", "Another", "«The» end!", "the\tend…", "another?"]

    assert near_duplicate_groups(documents).tolist() == [0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("great 😀", "great 😡"),
        ("की", "का"),  # differ in a vowel sign, which is no letter to Python
        ("C++", "C"),
        ("!!!", "???"),
        ("", "a"),
        ("no", "not"),
    ],
)
def test_short_documents_that_differ_stay_apart(first, second):
    assert near_duplicate_groups([first, second]).tolist() == [0, 1]


def test_composed_and_decomposed_letters_are_equal():
    assert near_duplicate_groups(["café", "cafe\u0301"]).tolist() == [0, 0]


def test_one_changed_word_in_a_long_document_is_nearly_equal():
    # 36 words, 34 3-grams; a changed last word changes one of them: 33 of 35 are shared.
    changed = " ".join([*WORDS[:-1], "boats"])

    assert near_duplicate_groups([SENTENCE, changed, "something else"]).tolist() == [0, 0, 1]
    assert near_duplicate_groups([SENTENCE, changed], similarity=34 / 35).tolist() == [0, 1]
    assert near_duplicate_groups([SENTENCE, changed], similarity=33 / 35).tolist() == [0, 0]


def test_one_changed_word_in_a_short_document_is_another_document():
    assert near_duplicate_groups(["I liked it a lot", "I hated it a lot"]).tolist() == [0, 1]


def test_chains_are_one_group():
    one = [*WORDS[:-2], "big", "boats"]
    two = ["A", "small", *one[2:]]

    groups = near_duplicate_groups([SENTENCE, " ".join(one), " ".join(two)])

    assert groups.tolist() == [0, 0, 0]


def test_chinese_is_compared_by_character():
    text = "今天天气很好我们一起去公园散步然后回家吃饭看书睡觉"
    other = text[:-1] + "了"

    assert near_duplicate_groups([text, other, text[::-1]]).tolist() == [0, 0, 1]


def test_a_template_with_different_content_is_not_one_group():
    rng = np.random.default_rng(0)
    documents = [f"{SENTENCE} {random_sentence(rng, 12)}" for _ in range(80)]

    assert near_duplicate_groups(documents).tolist() == list(range(80))


def test_many_equal_documents_are_one_group_and_no_boilerplate():
    changed = " ".join([*WORDS[:-1], "boats"])

    groups = near_duplicate_groups([SENTENCE] * 200 + [changed])

    assert groups.tolist() == [0] * 201


def test_blocks_find_the_same_pairs_as_comparing_all(monkeypatch):
    rng = np.random.default_rng(0)
    documents = []
    for _ in range(40):
        words = random_sentence(rng).split()
        documents.append(" ".join(words))
        words[rng.integers(len(words))] = "changed"
        documents.append(" ".join(words))
    whole = near_duplicate_groups(documents)
    monkeypatch.setattr("interp_embed.stats.splits._PRODUCT_ENTRIES", 100)

    def shingles(document):
        words = document.split()
        return set(zip(words, words[1:], words[2:], strict=False))

    sets = [shingles(document) for document in documents]
    for first in range(80):
        for second in range(first):
            shared = len(sets[first] & sets[second])
            if shared / len(sets[first] | sets[second]) >= 0.8:
                assert whole[first] == whole[second]
    assert near_duplicate_groups(documents).tolist() == whole.tolist()


def test_few_or_no_documents_are_fine():
    assert near_duplicate_groups([]).tolist() == []
    assert near_duplicate_groups([""]).tolist() == [0]
    assert near_duplicate_groups(["", " ", "\n"]).tolist() == [0, 0, 0]


def test_bad_arguments_of_near_duplicates_are_refused():
    with pytest.raises(InputError, match="similarity must lie above 0"):
        near_duplicate_groups(["a"], similarity=0.0)
    with pytest.raises(InputError, match="got one string"):
        near_duplicate_groups("a text")


def test_merged_groups_join_what_any_grouping_joins():
    merged = merge_groups([0, 0, 1, 2, 3], ["a", "b", "b", "c", "d"], [5, 6, 7, 8, 8])

    assert merged.tolist() == [0, 0, 0, 1, 1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_merged_groups_are_the_finest_that_part_no_group(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]

    merged = merge_groups(first, second).tolist()

    expected = list(range(len(pairs)))  # relabel until nothing changes
    for _ in pairs:
        for labels in (first, second):
            for i, label in enumerate(labels):
                same = [j for j, other in enumerate(labels) if other == label]
                expected[i] = min(expected[j] for j in same)
    assert [merged.index(m) for m in merged] == [expected.index(e) for e in expected]


def test_missing_and_uneven_labels_are_refused():
    with pytest.raises(InputError, match="1 of 2 labels of a grouping are missing"):
        merge_groups(np.array(["a", None], dtype=object))
    with pytest.raises(InputError, match="2 of 3 labels of groups are missing"):
        split_rows(["a", float("nan"), float("nan")])
    with pytest.raises(InputError, match="groups must have one axis"):
        split_rows(np.ones((4, 2)))
    with pytest.raises(InputError, match="one value for each of 2 rows"):
        merge_groups([0, 1], [0, 1, 2])
    with pytest.raises(InputError, match="at least one grouping"):
        merge_groups()


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=40, max_size=120),
    st.floats(0.2, 0.8),
    st.integers(0, 3),
)
def test_a_split_keeps_groups_whole_and_loses_no_row(groups, share, seed):
    labels = np.array(groups)
    if np.bincount(labels).max() > 10:
        return

    rows = split_rows(labels, confirm_share=share, seed=seed)

    both = np.concatenate([rows.discover, rows.confirm])
    assert sorted(both) == list(range(labels.size))
    assert not set(labels[rows.discover]) & set(labels[rows.confirm])
    assert abs(rows.confirm.size / labels.size - share) <= 10 / labels.size
    assert (np.diff(rows.discover) > 0).all()


def test_rows_of_their_own_are_split_in_the_very_share():
    rows = split_rows(np.arange(1000), confirm_share=0.3)

    assert rows.confirm.size == 300
    # A random half, not every other row or the first rows.
    assert 400 < rows.confirm.mean() < 600
    assert np.unique(np.diff(rows.confirm)).size > 3


def test_the_split_depends_on_the_seed_alone():
    groups = np.arange(100)

    first, again, other = (split_rows(groups, seed=seed) for seed in (0, 0, 1))

    assert first.confirm.tolist() == again.confirm.tolist() != other.confirm.tolist()


def test_a_rare_class_is_shared_out_evenly():
    target = np.zeros(1000)
    target[:20] = 1.0

    for seed in range(5):
        rows = split_rows(np.arange(1000), stratify=target, seed=seed)
        assert target[rows.confirm].sum() == 10
        assert rows.confirm.size == 500


def test_a_numeric_target_has_the_same_mean_on_both_sides():
    target = np.random.default_rng(0).normal(size=500)
    groups = np.arange(500) // 2

    rows = split_rows(groups, stratify=target)

    assert target[rows.confirm].mean() == pytest.approx(target[rows.discover].mean(), abs=0.15)
    assert abs(rows.confirm.size - 250) <= 4


def test_splits_that_cannot_be_made_say_why():
    with pytest.raises(InputError, match="all 10 rows are in one group"):
        split_rows(np.zeros(10))
    with pytest.raises(InputError, match=r"one group holds 99 of 100 rows \(99%\)"):
        split_rows(np.array([0] * 99 + [1]))
    with pytest.raises(InputError, match="10 rows are too few to split: 6 are needed"):
        split_rows(np.arange(10), minimum=6)
    with pytest.raises(InputError, match="split into 99 to discover and 1 to confirm"):
        split_rows(np.arange(100), confirm_share=0.01)
    with pytest.raises(InputError, match="confirm_share must lie between 0 and 1"):
        split_rows(np.arange(100), confirm_share=1.0)
    with pytest.raises(InputError, match="0 rows are too few"):
        split_rows([])
    with pytest.raises(InputError, match="values of stratify are NaN"):
        split_rows(np.arange(4), stratify=[0, 1, np.nan, 1])


def test_classes_of_any_number_are_alike_on_both_sides():
    classes = np.repeat(np.arange(50), 4)

    found = split_rows(np.arange(200), stratify=classes, as_classes=True)

    assert (np.bincount(classes[found.discover]) == 2).all()
    assert (np.bincount(classes[found.confirm]) == 2).all()
