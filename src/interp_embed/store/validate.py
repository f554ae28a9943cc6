"""Checks of arrays before scipy or compiled code sees them; each returns what is wrong, or ""."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.store.records import PooledShard, TokenShard


def fault_of_pointers(start: NDArray[Any], n_entries: int, what: str) -> str:
    """Say what is wrong with the pointers of compressed rows over ``n_entries`` entries."""
    if start.ndim != 1 or len(start) == 0 or start[0] != 0:
        return f"{what} must be one-dimensional and begin with 0"
    if np.any(start[1:] < start[:-1]):
        return f"{what} decreases at row {int(np.argmax(start[1:] < start[:-1]))}"
    if start[-1] != n_entries:
        return f"{what} ends at {int(start[-1])}, but there are {n_entries} entries"
    return ""


def fault_of_features(start: NDArray[Any], feature: NDArray[Any], n_features: int) -> str:
    """Say what is wrong with the features of compressed rows whose pointers were checked."""
    if len(feature) == 0:
        return ""
    low, high = int(feature.min()), int(feature.max())
    if low < 0 or high >= n_features:
        return (
            f"feature {low if low < 0 else high} is out of range: there are {n_features} features"
        )
    rises = feature[1:] > feature[:-1]
    borders = start[1:-1]
    rises[borders[(borders > 0) & (borders < len(feature))] - 1] = True
    if not rises.all():
        return f"features do not increase within a row, at entry {int(np.argmin(rises)) + 1}"
    return ""


def fault_of_values(values: NDArray[Any], what: str) -> str:
    """Say what is wrong with activations: all must be finite and above 0."""
    if len(values) == 0:
        return ""
    low, high = float(values.min()), float(values.max())  # NaN comes through both
    if not low > 0 or not np.isfinite(high):
        bad = int(np.argmin((values > 0) & np.isfinite(values)))
        return f"{what} must be finite and above 0, got {values[bad]} at entry {bad}"
    return ""


def fault_of_range(values: NDArray[Any], low: int, what: str) -> str:
    """Say what is wrong with counts or positions that must be at least ``low``."""
    if len(values) and int(values.min()) < low:
        return f"{what} must be at least {low}, got {int(values.min())}"
    return ""


def fault_of_pooled(pooled: PooledShard, n_documents: int, n_features: int) -> str:
    """Say what is wrong with a shard of pooled activations."""
    kinds = {
        "start": np.int64, "feature": np.int32, "maximum": np.float32, "peak": np.int32,
        "total": np.float32, "count": np.int32, "n_counted": np.int32,
    }  # fmt: skip
    n_entries = len(pooled.feature)
    lengths = dict.fromkeys(kinds, n_entries)
    lengths |= {"start": n_documents + 1, "n_counted": n_documents}
    fault = _fault_of_kinds(pooled, kinds, {name: (n,) for name, n in lengths.items()})
    if fault:
        return fault
    if len(pooled.errors) != n_documents or not all(
        error is None or error for error in pooled.errors
    ):
        return f"errors must hold a reason or None for each of {n_documents} documents"
    return (
        fault_of_pointers(pooled.start, n_entries, "start")
        or fault_of_features(pooled.start, pooled.feature, n_features)
        or fault_of_values(pooled.maximum, "maximum")
        or fault_of_values(pooled.total, "total")
        or fault_of_range(pooled.peak, -1, "peak")
        or fault_of_range(pooled.count, 1, "count")
        or fault_of_range(pooled.n_counted, 0, "n_counted")
        or _fault_of_documents(pooled)
    )


def fault_of_tokens(tokens: TokenShard, n_documents: int, n_features: int) -> str:
    """Say what is wrong with a shard of tokens."""
    n_tokens = len(tokens.counted)
    kinds = {"token_start": np.int64, "span": np.int32, "counted": np.bool_}
    shapes: dict[str, tuple[int, ...]] = {
        "token_start": (n_documents + 1,),
        "span": (n_tokens, 2),
        "counted": (n_tokens,),
    }
    fault = _fault_of_kinds(tokens, kinds, shapes)
    if fault:
        return fault
    fault = fault_of_pointers(tokens.token_start, n_tokens, "token_start")
    if fault:
        return fault
    if np.any(tokens.span[:, 0] < 0) or np.any(tokens.span[:, 1] < tokens.span[:, 0]):
        return "span must be [begin, end) with 0 <= begin <= end"
    parts = (tokens.start, tokens.feature, tokens.value)
    if all(part is None for part in parts):
        return ""
    if tokens.start is None or tokens.feature is None or tokens.value is None:
        return "start, feature and value must all be there, or none"
    n_entries = len(tokens.feature)
    shapes = {"start": (n_tokens + 1,), "feature": (n_entries,), "value": (n_entries,)}
    kinds = {"start": np.int64, "feature": np.int32, "value": np.float32}
    return (
        _fault_of_kinds(tokens, kinds, shapes)
        or fault_of_pointers(tokens.start, n_entries, "start")
        or fault_of_features(tokens.start, tokens.feature, n_features)
        or fault_of_values(tokens.value, "value")
    )


def _fault_of_kinds(
    record: PooledShard | TokenShard,
    kinds: dict[str, Any],
    shapes: dict[str, tuple[int, ...]],
) -> str:
    for name, kind in kinds.items():
        array = getattr(record, name)
        if not isinstance(array, np.ndarray) or array.dtype != kind or array.shape != shapes[name]:
            got = (
                f"{array.dtype} {array.shape}"
                if isinstance(array, np.ndarray)
                else type(array).__name__
            )
            return f"{name} must be {np.dtype(kind).name} of shape {shapes[name]}, got {got}"
    return ""


def _fault_of_documents(pooled: PooledShard) -> str:
    lengths = np.diff(pooled.start)
    failed = np.array([error is not None for error in pooled.errors])
    if np.any(lengths[failed] > 0):
        return "a document with an error must have no activations"
    if np.any(pooled.count > np.repeat(pooled.n_counted, lengths)):
        return "count is larger than n_counted: a feature fires on more tokens than count"
    return ""
