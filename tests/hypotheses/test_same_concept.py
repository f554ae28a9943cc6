import numpy as np
import pytest

from interp_embed.hypotheses.same_concept import distinct_concepts

N = 200
RNG = np.random.default_rng(0)


def verdicts(*columns):
    return np.column_stack(columns).astype(np.float32)


def like(column, *, flipped):
    """The column with a share of its verdicts turned round."""
    return np.where(np.random.default_rng(1).random(N) < flipped, 1 - column, column)


BASE = (RNG.random(N) < 0.5).astype(float)
OTHER = (RNG.random(N) < 0.5).astype(float)


def merged(one, other, first=BASE, second=OTHER):
    return distinct_concepts([one, other], verdicts(first, second), [0, 1]).merged == ((1,),)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('mentions "waited", "host"', 'mentions "host", "waited"'),
        ("Praises the staff.", "praises the staff"),
        ("is slow/late", "is slow, late"),
        ('mentions "Don\u2019t"', 'mentions "don\'t"'),
    ],
)
def test_the_same_words_are_one_concept_whatever_the_verdicts(one, other):
    assert merged(one, other)


def test_nearly_the_same_words_are_one_concept_where_verdicts_are_alike():
    one = "praises the friendly staff at the counter"
    other = "mentions friendly staff at a counter, praises"

    assert merged(one, other, second=like(BASE, flipped=0.2))
    assert not merged(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mentions praise", "does not mention praise"),
        ("prefers tea over coffee", "prefers coffee over tea"),
        ("more pictures than text here", "more text than pictures here"),
        ("mentions cold food", "mentions cold drinks"),
    ],
)
def test_other_meanings_stay_apart_unless_verdicts_are_the_same(one, other):
    assert not merged(one, other, second=like(BASE, flipped=0.2))
    assert merged(one, other, second=like(BASE, flipped=0.02))


def test_the_opposite_of_a_concept_is_the_same_concept():
    assert merged("is late", "is on time", second=1 - like(BASE, flipped=0.02))


def test_the_earlier_column_stays_and_names_what_was_merged_into_it():
    table = verdicts(BASE, OTHER, BASE, OTHER, BASE)

    found = distinct_concepts(["a", "b", "c", "d", "e"], table, [3, 2, 1, 0, 4])

    assert found.columns == (3, 2)
    assert found.merged == ((1,), (0, 4))
    assert found.n_merged == 3
