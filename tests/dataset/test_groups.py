import numpy as np
import pandas as pd
import pytest

from interp_embed.dataset.groups import choose_groups
from interp_embed.errors import InputError

FRAME = pd.DataFrame(
    {
        "party": ["R", "D", None, "R", "I"],
        "year": [1945.0, 1946.0, 1945.0, np.nan, 1947.0],
        "won": [True, False, True, False, True],
    }
)


def test_groups_are_the_rows_of_two_values():
    groups = choose_groups(FRAME, "party", first="R", second="D")

    assert groups.names == ("R", "D")
    assert (groups.first.tolist(), groups.second.tolist()) == ([0, 3], [1])
    assert groups.n_missing == 1


def test_one_value_stands_against_all_others_without_the_missing():
    groups = choose_groups(FRAME, "party", first="R")

    assert groups.names == ("R", "not R")
    assert groups.second.tolist() == [1, 4]


def test_a_column_of_two_values_needs_no_names_and_a_mask_none_either():
    assert choose_groups(FRAME, "won").names == ("False", "True")
    by_mask = choose_groups(FRAME, FRAME["won"])
    assert by_mask.first.tolist() == [0, 2, 4]
    assert by_mask.second.tolist() == [1, 3]


def test_values_are_found_as_a_command_line_writes_them():
    assert choose_groups(FRAME, "won", first="True", second="False").first.tolist() == [0, 2, 4]
    assert choose_groups(FRAME, "party", first=["R", "I"]).first.tolist() == [0, 3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "partie"}, "no column 'partie'"),
        ({"by": "party", "first": "Rr"}, "no document has 'Rr'.*did you mean 'R'"),
        ({"by": "party"}, "has 3 values .*say which"),
        ({"by": "party", "second": "R"}, "second= is given without first="),
        ({"by": "party", "first": ["R", "D"], "second": "D"}, "are in both groups"),
        ({"by": np.ones(5, bool)}, "group 'others' of the mask has no documents"),
        ({"by": np.ones(4, bool)}, "mask has 4 values, but there are 5"),
    ],
)
def test_groups_that_cannot_be_made_are_refused(options, message):
    by = options.pop("by")
    with pytest.raises(InputError, match=message):
        choose_groups(FRAME, by, **options)
