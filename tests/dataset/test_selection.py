import numpy as np
import pandas as pd
import pytest

from interp_embed.dataset.selection import as_feature, as_frame, as_index, as_rows
from interp_embed.errors import InputError

LABELS = pd.RangeIndex(4)


@pytest.mark.parametrize("kind", [int, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.array])
def test_an_integer_of_any_type_is_an_index(kind):
    assert as_index(kind(2), 4, what="document") == 2
    assert as_feature(kind(2), 4) == 2


def test_negative_documents_count_from_the_end_but_features_do_not():
    assert as_index(-1, 4, what="document") == 3
    with pytest.raises(InputError, match="feature -1 is negative; use an index from 0 to 3"):
        as_feature(-1, 4)


@pytest.mark.parametrize("index", [4, -5, np.int64(400)])
def test_documents_past_the_end_are_refused(index):
    with pytest.raises(IndexError, match="out of range: there are 4"):
        as_index(index, 4, what="document")


@pytest.mark.parametrize("index", [True, 1.0, "1", None])
def test_what_is_no_whole_number_is_refused(index):
    with pytest.raises(InputError, match="feature must be given by"):
        as_feature(index, 4)


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (slice(1, None), [1, 2, 3]),
        (slice(None, None, -2), [3, 1]),
        ([True, False, False, True], [0, 3]),
        (np.array([True, False, False, True], object), [0, 3]),
        (pd.Series([False, True, True, False]), [1, 2]),
        ([3, 0, 0, -1], [3, 0, 0, 3]),
        (np.array([3, 1], np.uint8), [3, 1]),
        (pd.Index([2]), [2]),
        ((1, 2), [1, 2]),
        ([], []),
    ],
)
def test_documents_are_chosen_in_the_order_asked_for(index, rows):
    assert as_rows(index, 4, LABELS).tolist() == rows


def test_a_series_mask_goes_by_its_own_index():
    labels = pd.Index(["a", "b", "c"])
    mask = pd.Series({"c": True, "a": False, "b": True})
    assert as_rows(mask, 3, labels).tolist() == [1, 2]
    with pytest.raises(InputError, match="whose index is not that of the 3 documents"):
        as_rows(pd.Series([True, False, True]), 3, labels)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([True, False], "the mask has 2 values, but there are 4 documents"),
        ([0.5, 1.0], "whole numbers or a mask, got values of type float64"),
        ([[1], [2]], "cannot be chosen by list of shape"),
        (["a"], "whole numbers or a mask"),
    ],
)
def test_other_choices_are_refused(index, message):
    with pytest.raises(InputError, match=message):
        as_rows(index, 4, LABELS)


@pytest.mark.parametrize("row", [4, -5, 2**40])
def test_a_list_with_a_row_past_the_end_is_refused(row):
    with pytest.raises(IndexError, match="out of range: there are 4"):
        as_rows([0, row], 4, LABELS)


def test_tables_of_many_kinds_are_read(tmp_path):
    pa = pytest.importorskip("pyarrow")
    rows = [{"text": "a", "n": 1}, {"text": "b", "n": 2}]
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a", "n": 1}\n{"text": "b", "n": 2}\n')
    for data in (rows, pd.DataFrame(rows), pa.Table.from_pylist(rows), path, str(path)):
        assert as_frame(data)["text"].tolist() == ["a", "b"]
    assert as_frame(["a", "b"])["text"].tolist() == ["a", "b"]
    assert as_frame(pd.Series(["a"], name="review")).columns.tolist() == ["review"]


@pytest.mark.parametrize("data", [3, [], [1, 2], None])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(InputError, match="data must be a DataFrame, a list of dicts"):
        as_frame(data)
