"""Names a user gives to caches, as names of files that lie nowhere else than they should."""

import re

from interp_embed._fingerprint import digest_text
from interp_embed.errors import InputError

_UNSAFE = re.compile(r"[^A-Za-z0-9._=-]")
_LONGEST = 100
"""Characters kept of a name; file systems take 255 bytes."""


def safe_file_name(name: str) -> str:
    """Return a name as a plain file name: no folders, nothing hidden, no character in danger.

    A name that has to be changed gets part of its digest, so that two names never share a file.

    >>> safe_file_name("reviews_text-embedding-3-small")
    'reviews_text-embedding-3-small'
    >>> safe_file_name("../reviews")
    '_reviews-776834b7'

    Raises:
        InputError: The name is empty, or no string.
    """
    given: object = name  # a notebook may hand over anything
    if not isinstance(given, str) or not name.strip():
        raise InputError(f"a cache name must be a string with something in it, but got {name!r}")
    safe = _UNSAFE.sub("_", name).lstrip(".")[:_LONGEST]
    return safe if safe == name else f"{safe}-{digest_text(name)[:8]}"
