"""A pandas table from the records of a pickle, column by column."""

from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from interp_embed.dataset._inert_pickle import Record
from interp_embed.dataset._pickled_arrays import (
    BadRecordError,
    describe,
    is_kind,
    need,
    read_array,
    read_bytes,
    read_offset,
)

Column = Any
"""What pandas takes as a column: a numpy array, or an array of its own."""


def read_frame(value: object) -> pd.DataFrame:
    """Return the table that a record stands for.

    Raises:
        BadRecordError: It is no table, its parts do not fit together, or a column is of a kind
            that is not read.
    """
    need(is_kind(value, "frame"), f"a pandas table was expected, not {describe(value)}")
    state = _state(value)
    manager = state.get("_mgr", state.get("_data")) if isinstance(state, dict) else None
    need(is_kind(manager, "manager"), "a table has no usable contents")
    args = manager.args if isinstance(manager, Record) else ()
    need(len(args) >= 2 and all(isinstance(a, list | tuple) for a in args[:2]), "no blocks")
    blocks, axes = args[:2]
    need(len(axes) == 2, "a table has not two axes")
    names, index = _index(axes[0]), _index(axes[1])
    columns: dict[int, Column] = {}
    for block in blocks:
        for place, column in _block(block, len(names), len(index)):
            need(place not in columns, "a column stands in two blocks")
            columns[place] = column
    need(len(columns) == len(names), "a column stands in no block")
    frame = pd.DataFrame({place: columns[place] for place in range(len(names))}, index=index)
    frame.columns = names
    return frame


def _block(block: object, n_columns: int, n_rows: int) -> list[tuple[int, Column]]:
    need(is_kind(block, "block"), f"a block of columns was expected, not {describe(block)}")
    args = block.args if isinstance(block, Record) else ()
    need(len(args) == 3, "a block is made of too few parts")
    places = _places(args[1], n_columns)
    if is_kind(args[0], "reconstruct", "frombuffer"):
        values = read_array(args[0])
    else:
        values = _extension(args[0])
    if getattr(values, "ndim", 1) == 1:
        need(len(places) == 1, "a single column has several places")
        columns = [values]
    else:
        need(len(values) == len(places), "a block has not as many columns as places")
        columns = list(values)
    need(all(len(column) == n_rows for column in columns), "a column is not as long as the table")
    return list(zip(places, columns, strict=True))


def _places(value: object, n_columns: int) -> list[int]:
    if is_kind(value, "slice") and isinstance(value, Record):
        parts = value.args
        need(0 < len(parts) <= 3 and all(p is None or type(p) is int for p in parts), "no places")
        return list(range(n_columns))[slice(*parts)] if 0 not in parts[2:] else []
    array = read_array(value)
    need(array.ndim == 1 and array.dtype.kind in "iu", "the places of columns are no numbers")
    places = [int(place) for place in array]
    need(all(0 <= place < n_columns for place in places), "a column has no place in the table")
    return places


def _index(value: object) -> pd.Index:
    args = value.args if isinstance(value, Record) else ()
    need(is_kind(value, "new_index") and len(args) == 2, f"{describe(value)} is no usable axis")
    made, detail = args
    kind = getattr(made, "kind", "") if isinstance(made, type) else ""
    need(kind in ("index", "range_index") and isinstance(detail, dict), "an axis is not read")
    name = detail.get("name")
    name = name if isinstance(name, str | int) else None
    if kind == "range_index":
        bounds = [detail.get(key) for key in ("start", "stop", "step")]
        need(all(type(bound) is int for bound in bounds) and bounds[2] != 0, "no usable range")
        start, stop, step = cast(list[int], bounds)
        return pd.RangeIndex(start, stop, step, name=name)
    data = detail.get("data")
    is_array = is_kind(data, "reconstruct", "frombuffer")
    return pd.Index(read_array(data) if is_array else _extension(data), name=name)


def _extension(value: object) -> Column:
    """Return a column of one of pandas' own kinds of array."""
    if is_kind(value, "backed"):
        return _backed(cast(Record, value))
    state = _state(value)
    if is_kind(value, "arrow_string_array") and isinstance(state, dict):
        stored = state.get("_pa_array", state.get("_data"))
        return pd.array(_arrow_texts(stored), dtype="str" if _is_new_text(state) else "string")
    if is_kind(value, "masked_array") and isinstance(state, dict):
        data, mask = read_array(state.get("_data")), read_array(state.get("_mask"))
        need(data.ndim == 1 and data.dtype.kind in "iufb", "a column of numbers is not read")
        need(mask.shape == data.shape and mask.dtype.kind == "b", "missing values are not marked")
        return _masked(data, cast(NDArray[np.bool_], mask))
    raise BadRecordError(
        f"a column is of the kind {describe(value)}, which is not read; save it as numbers, text "
        "or dates"
    )


def _masked(data: NDArray[Any], mask: NDArray[np.bool_]) -> Column:
    if data.dtype.kind == "b":
        return pd.arrays.BooleanArray(data, mask)
    if data.dtype.kind == "f":
        return pd.arrays.FloatingArray(data, mask)
    return pd.arrays.IntegerArray(data, mask)


def _is_new_text(state: dict[Any, Any]) -> bool:
    """Whether missing text is NaN (pandas 3's own text type), not NA."""
    dtype = state.get("_dtype")
    args = dtype.args if isinstance(dtype, Record) else ()
    return len(args) > 1 and isinstance(args[1], float) and hasattr(pd, "StringDtype")


def _backed(record: Record) -> Column:
    """Return dates, categories or text that stand on one numpy array."""
    made = record.args[0] if record.args else None
    kind = getattr(made, "kind", "") if isinstance(made, type) else ""
    state = record.state
    need(isinstance(state, tuple) and len(state) >= 2, "a column has no usable state")
    dtype, stored = state[:2]
    array = read_array(stored)
    if array.ndim == 2 and len(array) == 1:
        array = array[0]
    need(array.ndim == 1, "a column has several dimensions")
    if kind == "datetime_array":
        need(array.dtype.kind in "Mm", "a column of dates holds none")
        dates = pd.Series(array)
        if is_kind(dtype, "datetime_tz"):
            zone = dtype.state.get("tz") if isinstance(dtype.state, dict) else None
            need(is_kind(zone, "timezone"), "dates in a named time zone are not read; save as UTC")
            dates = dates.dt.tz_localize("UTC").dt.tz_convert(read_offset(zone))
        return dates.array
    if kind == "categorical":
        return _categories(dtype, array)
    if kind == "string_array":
        return pd.array(array, dtype="string")
    raise BadRecordError(f"a column is of the kind {describe(made)}, which is not read")


def _categories(dtype: object, codes: NDArray[Any]) -> Column:
    state = _state(dtype)
    need(is_kind(dtype, "categorical_dtype") and isinstance(state, dict), "no categories")
    categories = _index(state["categories"]) if "categories" in state else pd.Index([])
    need(codes.dtype.kind == "i", "the codes of categories are no whole numbers")
    inside = bool(((codes >= -1) & (codes < len(categories))).all())
    need(inside and categories.is_unique, "a category is out of range, or there twice")
    ordered = bool(state.get("ordered"))
    return pd.Categorical.from_codes(codes.tolist(), categories=categories, ordered=ordered)


def _arrow_texts(value: object) -> list[str | None]:
    """Return the texts of an Arrow column, whose buffers are checked before they are read."""
    if is_kind(value, "arrow_chunks") and isinstance(value, Record):
        chunks = value.args[0] if value.args else ()
        need(isinstance(chunks, list | tuple), "a column of text has no chunks")
        return [text for chunk in chunks for text in _arrow_texts(chunk)]
    args = value.args if isinstance(value, Record) else ()
    need(is_kind(value, "arrow_array") and len(args) == 1, "a column of text is not read")
    need(isinstance(args[0], tuple) and len(args[0]) == 7, "a column of text is incomplete")
    kind, length, _, offset, buffers, children, dictionary = args[0]
    alias = kind.args[0] if is_kind(kind, "arrow_type") and kind.args else None
    need(alias in ("large_string", "string") and not children and dictionary is None, "no texts")
    need(isinstance(buffers, list | tuple) and len(buffers) == 3, "a column of text is incomplete")
    need(all(type(n) is int and 0 <= n < 2**48 for n in (length, offset)), "no length of a column")
    raw = [None if buffer is None else read_bytes(buffer) for buffer in buffers]
    width = 8 if alias == "large_string" else 4
    end = offset + length
    need(raw[0] is None or len(raw[0]) * 8 >= end, "missing texts are not marked")
    need(length == 0 or len(raw[1] or b"") >= (end + 1) * width, "the texts' bounds are cut off")
    parts = [
        None if part is None else pa.py_buffer(part) for part in (raw[0], raw[1], raw[2] or b"")
    ]
    if length == 0:
        return []
    arrow_type = pa.large_string() if alias == "large_string" else pa.string()
    try:
        array = pa.Array.from_buffers(arrow_type, length, parts, offset=offset)
        array.validate(full=True)
    except (pa.ArrowInvalid, ValueError) as error:
        raise BadRecordError(f"a column of text is damaged ({error})") from error
    return cast(list[str | None], array.to_pylist())


def _state(value: object) -> Any:  # noqa: ANN401 - whatever the file holds
    return value.state if isinstance(value, Record) else None
