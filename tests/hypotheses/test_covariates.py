import numpy as np
import pandas as pd
import pytest

from interp_embed.errors import InputError
from interp_embed.hypotheses.covariates import (
    encode_covariates,
    number_strata,
    read_column,
    read_columns,
)

ALL = np.arange(6)


def encode(columns, rows=ALL):
    return encode_covariates(read_columns(columns, n_rows=6), np.asarray(rows))


def test_numbers_stay_and_words_become_a_column_for_each_level_but_the_most_frequent():
    found = encode(
        {"price": [1, "2", 3.5, 4, 5, 9], "city": ["Rome", "Bonn", "rome ", "Oslo"] + ["Rome"] * 2}
    )

    assert found.names == ("price", "city = Bonn", "city = Oslo")
    assert found.values.T.tolist() == [
        [1, 2, 3.5, 4, 5, 9],
        [0, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
    ]
    assert found.notes == ()


def test_tables_and_truth_values_are_taken():
    found = encode(pd.DataFrame({"late": [True, False, True, True, False, False]}))

    assert found.values[:, 0].tolist() == [1, 0, 1, 1, 0, 0]


def test_rows_without_a_value_are_named_with_the_reason():
    (column,) = read_columns({"price": [1, None, 2, "", 3, "NA"]}, n_rows=6)

    assert [(d.row, d.reason) for d in column.missing()] == [
        (1, 'covariate "price" is missing'),
        (3, 'covariate "price" is empty'),
        (5, 'covariate "price" "NA" reads as missing'),
    ]


def test_constant_and_determined_columns_are_left_out_with_a_note():
    found = encode(
        {
            "one": [7] * 6,
            "x": [1, 2, 3, 4, 5, 7],
            "twice": [2, 4, 6, 8, 10, 14],
            "word": ["same"] * 6,
        }
    )

    assert found.names == ("x",)
    assert [note.split(" and is")[0] for note in found.notes] == [
        "The covariate 'one' is constant on the usable rows",
        "The covariate 'twice' is determined by those before it",
        "The covariate 'word' is constant on the usable rows",
    ]


def test_what_is_constant_on_the_usable_rows_counts():
    assert encode({"x": [1, 1, 1, 5, 6, 7]}, rows=[0, 1, 2]).names == ()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([1, 2, 3, 4, 5, 6], "must be named columns, a mapping or a table, but got list"),
        ({"x": [1, 2]}, "there are 6 texts but 2 values of the covariate 'x'"),
        ({"x": [None] * 6}, "'x' has no usable value in 6 rows"),
        ({"x": [[1]] * 6}, "covariate 'x' holds a list in row 0"),
    ],
)
def test_covariates_that_cannot_be_used_are_refused(columns, message):
    with pytest.raises(InputError, match=message):
        read_columns(columns, n_rows=6)


def test_more_than_twenty_levels_are_refused():
    with pytest.raises(InputError, match="'city' has 21 levels, and at most 20"):
        read_columns({"city": [f"c{i}" for i in range(21)]}, n_rows=21)


def strata(values):
    return read_column(values, name="site", what="stratum", n_rows=len(values))


def test_strata_are_numbered_in_alphabetical_order():
    numbers, names = number_strata(strata(["b", "A", "a ", "b", "c", "c"]), np.arange(6))

    assert (numbers.tolist(), names) == ([1, 0, 0, 1, 2, 2], ["A", "b", "c"])


def test_a_single_stratum_is_refused():
    with pytest.raises(
        InputError, match="all 2 usable rows are of one stratum of 'site' \\('b'\\)"
    ):
        number_strata(strata(["b", "a", "b"]), np.array([0, 2]))
