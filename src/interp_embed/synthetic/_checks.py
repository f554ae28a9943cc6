"""Checks of arguments that several modules of this package make."""

import difflib
import math
from collections.abc import Iterable, Sequence

import numpy as np

from interp_embed._fingerprint import digest_text
from interp_embed.errors import InputError


def name_closest(name: str, known: Sequence[str]) -> str:
    """Return the end of an error message: the closest known name, or all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"use one of: {', '.join(known)}"


def check_names(names: Iterable[str], known: Sequence[str], *, where: str) -> None:
    """Raise InputError for the first name that is not known, naming the closest one."""
    for name in names:
        if name not in known:
            raise InputError(f"{where}: unknown concept {name!r}; {name_closest(name, known)}")


def check_range(value: float, low: float, high: float, *, what: str) -> None:
    """Raise InputError unless ``low <= value <= high`` (NaN never is)."""
    if not low <= value <= high:
        bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
        raise InputError(f"{what} must be {bounds}, got {value!r}")


def check_count(value: int, *, least: int, what: str) -> None:
    """Raise InputError unless ``value`` is a whole number of at least ``least``."""
    is_whole = type(value) is int or isinstance(value, np.integer)
    if not is_whole or value < least:
        raise InputError(f"{what} must be a whole number of at least {least}, got {value!r}")


def stream(seed: int, purpose: str, row: int = 0) -> np.random.Generator:
    """Return the random stream of one purpose (and row): streams do not disturb each other."""
    return np.random.default_rng([seed, int(digest_text(purpose)[:12], 16), row])
