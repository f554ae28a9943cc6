"""The only maker of cache keys and digests: everything that changes an answer goes in.

A digest is 64 hexadecimal characters of SHA-256. Structure is part of it: lengths and types are
hashed with the content, so that ``["ab", "c"]`` and ``["a", "bc"]`` differ.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest_settings(settings: Mapping[str, Any]) -> str:
    """Return the digest of JSON-like settings; the order of keys does not matter.

    Raises:
        TypeError: A value is not JSON-like (numbers, strings, booleans, None, lists, dicts).
    """
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_text(text: str) -> str:
    """Return the digest of one whole text (lone surrogates included)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest_texts(texts: Iterable[str]) -> str:
    """Return the digest of texts in their order."""
    whole = hashlib.sha256()
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        whole.update(len(encoded).to_bytes(8, "little"))
        whole.update(encoded)
    return whole.hexdigest()


def digest_array(array: NDArray[Any]) -> str:
    """Return the digest of an array's dtype, shape and values."""
    whole = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()
