"""Numpy arrays, scipy matrices and plain values from the records of a pickle, all checked."""

import datetime
import math
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.dataset._inert_pickle import Record

_DTYPE = re.compile(r"[|<>=]?(?P<code>b1|[iu][1248]|f[248]|c8|c16|[US][0-9]{1,9}|[Mm]8|O8?)")
_UNITS = ("W", "D", "h", "m", "s", "ms", "us", "ns")
_UNIT_OF_RESOLUTION = {7: "s", 8: "ms", 9: "us", 10: "ns"}
"""How pandas numbers the units of a time stamp."""
_MAX_DEPTH = 40


class BadRecordError(ValueError):
    """What a file holds cannot be what it says it is; says what, in words."""


def is_kind(value: object, *kinds: str) -> bool:
    """Whether a value is a record of one of these kinds."""
    return isinstance(value, Record) and value.kind in kinds


def need(condition: bool, wrong: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Raise, with what is wrong, unless the condition holds.

    Raises:
        BadRecordError: It does not.
    """
    if not condition:
        raise BadRecordError(wrong)


def read_array(value: object, done: dict[int, Any] | None = None, depth: int = 0) -> NDArray[Any]:
    """Return the array that a record stands for; objects in it are plain values.

    Raises:
        BadRecordError: It is no array, or its parts do not fit together.
    """
    known = {} if done is None else done
    if is_kind(value, "frombuffer"):
        parts = _args(value, 4, "an array")
        data, dtype, shape, order = parts
        return _build(data, dtype, shape, is_fortran=order == "F", done=known, depth=depth)
    need(is_kind(value, "reconstruct"), f"an array was expected, not {describe(value)}")
    state = _state(value)
    need(isinstance(state, tuple) and len(state) == 5, "an array has no usable state")
    _, shape, dtype, is_fortran, data = state
    return _build(data, dtype, shape, is_fortran=bool(is_fortran), done=known, depth=depth)


def _build(
    data: object,
    dtype: object,
    shape: object,
    *,
    is_fortran: bool,
    done: dict[int, Any],
    depth: int,
) -> NDArray[Any]:
    kind = read_dtype(dtype)
    sizes = _shape(shape)
    order: Literal["F", "C"] = "F" if is_fortran else "C"
    if kind == np.dtype(object):
        return _objects(data, sizes, done, depth).reshape(sizes, order=order)
    raw = read_bytes(data)
    need(
        len(raw) == math.prod(sizes) * kind.itemsize,
        f"an array of shape {sizes} and type {kind} has {len(raw)} bytes",
    )
    return _numbers(raw, kind, math.prod(sizes)).reshape(sizes, order=order)


def _objects(
    data: object, sizes: tuple[int, ...], done: dict[int, Any], depth: int
) -> NDArray[Any]:
    if not isinstance(data, list) or len(data) != math.prod(sizes):
        raise BadRecordError("an array of objects is not as long as it says")
    out = np.empty(len(data), dtype=object)
    for i, item in enumerate(data):
        out[i] = _plain(item, done, depth + 1)
    return out


def _numbers(raw: bytes, kind: np.dtype[Any], n: int) -> NDArray[Any]:
    if not raw:
        need(n == 0, "an array has values of no size")
        return np.zeros(n, kind.newbyteorder("="))
    if kind.kind == "b":  # a byte that is neither 0 nor 1 is no bool
        bools: NDArray[Any] = np.frombuffer(raw, np.uint8) != 0
        return bools
    if kind.kind == "U":
        points = np.frombuffer(raw, f"{kind.str[0]}u4")
        need(int(points.max()) <= 0x10FFFF, "an array of text holds numbers that are no characters")
    native: NDArray[Any] = np.frombuffer(raw, kind).astype(kind.newbyteorder("="), copy=True)
    return native


def read_dtype(value: object) -> np.dtype[Any]:
    """Return the type of an array's values: plain numbers, text, dates or objects, none nested.

    Raises:
        BadRecordError: It is no such type.
    """
    need(is_kind(value, "dtype"), f"the type of an array is {describe(value)}")
    code = _args(value, None, "a type")[0]
    match = _DTYPE.fullmatch(code) if isinstance(code, str) else None
    if match is None:
        raise BadRecordError(f"arrays of type {str(code)[:40]!r} are not read")
    state = _state(value)
    need(state is None or isinstance(state, tuple), "a type has no usable state")
    order: Any = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
    need(order in ("<", ">", "|", "="), "a type has no byte order")
    if match["code"][0] in "Mm":
        return np.dtype(f"{match['code']}[{_time_unit(state)}]").newbyteorder(order)
    return np.dtype(match["code"]).newbyteorder(order)


def _time_unit(state: object) -> str:
    detail = state[-1] if isinstance(state, tuple) and len(state) >= 9 else None
    unit = detail[1] if isinstance(detail, tuple) and len(detail) == 2 else None
    if isinstance(unit, tuple) and len(unit) == 4 and unit[1:] == (1, 1, 1):
        name = unit[0] if isinstance(unit[0], str) else read_bytes(unit[0]).decode("latin1")
        if name in _UNITS:
            return name
    raise BadRecordError("a type of dates has no unit that is read")


def read_csr(value: object) -> csr_matrix:
    """Return a sparse matrix of activations >= 0, rows sorted by feature, zeros left out.

    Raises:
        BadRecordError: It is no such matrix, or an index points outside it.
    """
    need(
        is_kind(value, "csr", "newobj"),
        f"a sparse matrix was expected, not {describe(value)}",
    )
    if is_kind(value, "newobj"):
        made = _args(value, None, "a sparse matrix")[0]
        need(isinstance(made, type) and getattr(made, "kind", "") == "csr", "no sparse matrix")
    state = _state(value)
    if not isinstance(state, dict):
        raise BadRecordError("a sparse matrix has no usable state")
    sizes = _shape(state.get("_shape"))
    need(len(sizes) == 2, f"a sparse matrix has shape {sizes}")
    start = _indices(state.get("indptr"), "starts of rows")
    column = _indices(state.get("indices"), "columns")
    data = read_array(state.get("data"))
    # Checked before any scipy routine sees them: those trust the indices and read outside.
    need(len(start) == sizes[0] + 1, "the starts of rows are not one more than the rows")
    need(start[0] == 0 and bool((np.diff(start) >= 0).all()), "the starts of rows do not ascend")
    n = int(start[-1])
    need(data.ndim == 1 and data.dtype.kind in "fiub", "the values are no numbers in a row")
    need(n <= min(len(column), len(data)), "there are fewer entries than the rows claim")
    column, data = column[:n], data[:n].astype(np.float32)
    need(not n or int(column.min()) >= 0, "a column is negative")
    need(not n or int(column.max()) < sizes[1], f"a column is not below {sizes[1]}")
    need(bool(np.isfinite(data).all()), "an activation is NaN or infinite")
    need(bool((data >= 0).all()), "an activation is negative")
    matrix = csr_matrix((data, column, start), shape=(sizes[0], sizes[1]))
    matrix.sort_indices()
    row = np.repeat(np.arange(sizes[0]), np.diff(start))
    same = (np.diff(matrix.indices) == 0) & (np.diff(row) == 0)
    need(not bool(same.any()), "a column occurs twice in one row")
    matrix.eliminate_zeros()
    return matrix


def _indices(value: object, what: str) -> NDArray[np.int64]:
    array = read_array(value)
    need(array.ndim == 1 and array.dtype.kind in "iu", f"the {what} are no whole numbers")
    return array.astype(np.int64)


def read_plain(value: object) -> Any:  # noqa: ANN401 - any plain value
    """Return a value of numbers, text, dates and containers of them, with no record left in it.

    Raises:
        BadRecordError: Something in it is not of these kinds, or it holds itself.
    """
    return _plain(value, {}, 0)


def _plain(value: object, done: dict[int, Any], depth: int) -> Any:  # noqa: ANN401
    need(depth < _MAX_DEPTH, "a value is nested too deeply, or holds itself")
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return value
    if id(value) not in done:  # each shared part once: a small file cannot make a huge walk
        done[id(value)] = _plain_container(value, done, depth + 1)
    return done[id(value)]


def _plain_container(value: object, done: dict[int, Any], depth: int) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {_key(key): _plain(item, done, depth) for key, item in value.items()}
    if isinstance(value, list | tuple):
        parts = [_plain(item, done, depth) for item in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, set | frozenset):
        return type(value)(_key(item) for item in value)
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, type) and issubclass(value, Record):
        need(value.kind in ("na", "torch_constant"), f"{value.name} is no value")
        return pd.NA if value.kind == "na" else value.name
    if isinstance(value, Record):
        return _plain_record(value, done, depth)
    raise BadRecordError(f"{type(value).__name__} is no plain value")


def _plain_record(record: Record, done: dict[int, Any], depth: int) -> Any:  # noqa: ANN401
    kind, args = record.kind, record.args
    if kind in ("reconstruct", "frombuffer"):
        return read_array(record, done, depth)
    if kind == "scalar":
        dtype, data = _args(record, 2, "a number")
        return _build(data, dtype, (1,), is_fortran=False, done=done, depth=depth)[0]
    if kind in ("enum", "device"):
        parts = [_plain(part, done, depth) for part in args]
        return ":".join(str(part) for part in parts)
    if kind in ("set", "frozenset"):
        items = args[0] if args and isinstance(args[0], list | tuple) else ()
        return {_key(item) for item in items}
    if kind in ("bytearray", "encode"):
        return read_bytes(record)
    if kind == "ordered" and not args:
        return {}
    if kind == "nat":
        return pd.NaT
    if kind == "timestamp":
        return _timestamp(record)
    if kind in ("timezone", "timedelta"):
        return read_offset(record)
    raise BadRecordError(f"{record.name} is no plain value")


def _timestamp(record: Record) -> pd.Timestamp:
    count, _, zone, *rest = _args(record, None, "a time stamp")
    unit = _UNIT_OF_RESOLUTION.get(rest[0] if rest else 10)
    need(isinstance(count, int) and abs(count) < 2**63 and unit is not None, "no time stamp")
    stamp = pd.Timestamp(np.datetime64(count, unit))  # type: ignore[call-overload]
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(_zone(zone))


def read_offset(value: object) -> Any:  # noqa: ANN401 - a span of time or a zone
    """Return a span of time or a fixed time zone.

    Raises:
        BadRecordError: It is neither.
    """
    need(is_kind(value, "timezone", "timedelta"), f"{describe(value)} is no fixed time zone")
    args = _args(value, None, "a span of time")
    if is_kind(value, "timezone"):
        return _zone(value)
    need(all(isinstance(part, int) and abs(part) < 10**9 for part in args), "no span of time")
    return datetime.timedelta(*args[:3])


def _zone(value: object) -> datetime.timezone:
    need(is_kind(value, "timezone"), f"{describe(value)} is no fixed time zone")
    span = read_offset(_args(value, None, "a time zone")[0])
    need(isinstance(span, datetime.timedelta), "no time zone")
    return datetime.timezone(span)


def _key(value: object) -> Any:  # noqa: ANN401 - a hashable plain value
    plain = read_plain(value)
    need(
        plain is None or isinstance(plain, bool | int | float | str | bytes | np.generic),
        f"{type(plain).__name__} as a key or in a set is not read",
    )
    return plain


def describe(value: object) -> str:
    """Return what a value is, in a few words for a message."""
    if isinstance(value, Record):
        return f"what {value.name} makes"
    if isinstance(value, type) and issubclass(value, Record):
        return value.name
    return type(value).__name__


def _args(value: object, n: int | None, what: str) -> tuple[Any, ...]:
    args = value.args if isinstance(value, Record) else ()
    need(len(args) == n if n is not None else len(args) > 0, f"{what} is made of too few parts")
    return args


def _state(value: object) -> Any:  # noqa: ANN401 - whatever the file holds
    return value.state if isinstance(value, Record) else None


def _shape(value: object) -> tuple[int, ...]:
    sizes: Sequence[Any] = value if isinstance(value, tuple) else ()
    good = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**48 for n in sizes)
    need(isinstance(value, tuple) and 0 < len(sizes) <= 4 and good, "an array has no usable shape")
    return tuple(sizes)


def read_bytes(value: object) -> bytes:
    """Return bytes, also those written as text by old pickle protocols.

    Raises:
        BadRecordError: They are no bytes.
    """
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if is_kind(value, "encode") and isinstance(value, Record):
        text, encoding = _args(value, 2, "bytes")
        need(isinstance(text, str) and encoding == "latin1", "bytes are in no known encoding")
        try:
            return str(text).encode("latin1")
        except UnicodeEncodeError as error:
            raise BadRecordError("bytes hold characters that are none") from error
    if is_kind(value, "bytearray", "arrow_buffer") and isinstance(value, Record):
        return read_bytes(value.args[0]) if value.args else b""
    raise BadRecordError(f"bytes were expected, not {describe(value)}")
