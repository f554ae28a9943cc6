"""What options say in one word: when a feature fires, names and numbers with commas between."""

from typing import Any

import click

from interp_embed.errors import InputError

firing_option = click.option(
    "--firing",
    metavar="any|strong|X",
    help="When a feature counts: at any activation, at one above 0.3 of its largest, or above X.  "
    "[default: strong for token features, any for documents]",
)
"""Add ``--firing``."""


def firing_of(given: str | None) -> Any:  # noqa: ANN401 - as the analyses take it
    """Return what ``--firing`` means.

    Raises:
        InputError: It is no word or number that is known.
    """
    if given in (None, "any", "strong"):
        return given
    try:
        value = float(str(given))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError(f"--firing must be any, strong, or an activation >= 0, got {given!r}")
    return value


def names_of(given: str | None) -> list[str]:
    """Return the names in ``A,B,C``.

    >>> names_of("party, year")
    ['party', 'year']
    """
    return [name for name in map(str.strip, (given or "").split(",")) if name]


def numbers_of(given: str | None, *, option: str) -> list[int]:
    """Return the numbers in ``1,5,8``.

    Raises:
        InputError: Something else stands there.
    """
    try:
        return [int(part) for part in names_of(given)]
    except ValueError as error:
        raise InputError(
            f"{option} must be numbers with commas between, such as 1,5,8, got {given!r}"
        ) from error
