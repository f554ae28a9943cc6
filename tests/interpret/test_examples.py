import numpy as np
from scipy.sparse import csr_matrix

from interp_embed.interpret import choose_examples

DOCUMENTS = [
    "cold soup",
    "cold tea",
    "cold soup",
    "warm",
    "no",
    "warm and very long indeed",
    "warm",
]
ROWS = np.array([10, 11, 12, 13, 14, 15, 16])
ACTIVATIONS = csr_matrix(np.array([[0, 2], [0, 5], [0, 3], [1, 0], [1, 0], [1, 0], [1, 0]], float))


def choose(**changes):
    return choose_examples(
        DOCUMENTS, ROWS, ACTIVATIONS, **{"feature": 1, "label": 'mentions "cold"', **changes}
    )


def test_the_strongest_come_first_and_no_text_twice():
    chosen = choose()

    assert [(e.row, e.text, e.activation) for e in chosen.top] == [
        (11, "cold tea", 5.0),
        (12, "cold soup", 3.0),
    ]
    assert [e.text[start:end] for e in chosen.top for start, end in e.spans] == ["cold", "cold"]


def test_contrasts_are_silent_distinct_and_near_in_length():
    chosen = choose(n=2)

    assert [(e.row, e.activation) for e in chosen.contrast] == [(13, 0.0), (14, 0.0)]
    assert [e.row for e in choose().contrast] == [13, 14, 15]


def test_no_more_than_n_are_shown():
    assert len(choose(n=1).top) == len(choose(n=1).contrast) == 1
    assert choose(n=0).top == choose(n=0).contrast == ()


def test_a_feature_that_never_or_always_fires_has_one_side_only():
    silent = choose_examples(DOCUMENTS, ROWS, csr_matrix((7, 1)), 0)
    always = choose_examples(DOCUMENTS, ROWS, csr_matrix(np.ones((7, 1))), 0)

    assert (len(silent.top), len(silent.contrast)) == (0, 4)
    assert (len(always.top), len(always.contrast)) == (4, 0)


def test_other_labels_mark_nothing():
    assert all(example.spans == () for example in choose(label="is about the weather").top)
