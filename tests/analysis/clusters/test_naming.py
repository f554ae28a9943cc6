"""Names of clusters without a language model."""

import pytest

from interp_embed.analysis.clusters.naming import ClusterPortrait, name_clusters

WORDS = 'mentions "wait", "waited", "waiting", "hour", "slow", "forever", "server", "minutes"'


def portrait(*labels):
    rates = (0.5,) * len(labels)
    return ClusterPortrait(labels, rates, rates, ())


def names_of(*portraits):
    return list(name_clusters(portraits).names)


def test_a_name_is_of_the_first_labels():
    assert names_of(portrait("a", "b", "c", "d"), portrait()) == [
        "a; b; c",
        "no feature of its own",
    ]


def test_equal_names_are_told_apart_by_further_labels_or_a_number():
    assert names_of(portrait("a", "b", "c"), portrait("a", "b", "c", "d")) == [
        "a; b; c",
        "a; b; c; d",
    ]
    assert names_of(portrait("a"), portrait("a"), portrait("a")) == ["a", "a (2)", "a (3)"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (WORDS, 'mentions "wait", "waited", "waiting", "hour", …'),
        (
            "complains at length about how long the food took to come",
            "complains at length about how long the food …",
        ),
        ("x" * 60, "x" * 48 + "…"),
        ("x" * 48, "x" * 48),
    ],
)
def test_a_long_label_is_cut_with_a_sign(label, name):
    assert names_of(portrait(label)) == [name]


def test_long_labels_that_begin_alike_still_give_different_names():
    first, second = names_of(portrait(WORDS), portrait(f'{WORDS}, "table"'))

    assert first != second
