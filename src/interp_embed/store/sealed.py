"""Small JSON records with a digest of themselves, so that a changed byte is noticed."""

import json
from collections.abc import Mapping
from typing import Any

from interp_embed._fingerprint import digest_settings
from interp_embed.errors import StoredFileError
from interp_embed.records import Json
from interp_embed.store.location import Location

_LONGEST = 2**30
_KEY = "check"


def seal(content: Mapping[str, Json]) -> bytes:
    """Return a record as JSON text whose key ``check`` is the digest of the rest.

    Raises:
        TypeError, ValueError: A value is not JSON-like.
    """
    sealed = {**content, _KEY: digest_settings(content)}
    return (json.dumps(sealed, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()


def read_sealed(location: Location, name: str) -> dict[str, Json]:
    """Return a record, its digest checked.

    Raises:
        StoredFileError: It is missing, cut off, changed, not JSON, or too long.
    """
    where = location.describe(name)
    size = location.size(name)
    if size is not None and size > _LONGEST:
        raise StoredFileError(f"{where} has {size} bytes, too many for a record: it is not ours")
    return unseal(location.read(name), where)


def unseal(data: bytes, where: str) -> dict[str, Json]:
    """Return a record from its JSON text; ``where`` names the file in errors."""
    try:
        content: Any = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # JSON, Unicode and integer-length errors
        raise StoredFileError(
            f"{where} is not readable as JSON ({error}); it is damaged"
        ) from error
    if not isinstance(content, dict):
        raise StoredFileError(f"{where} must hold a JSON object, got {type(content).__name__}")
    check = content.pop(_KEY, None)
    if not isinstance(check, str) or check != _digest(content, where):
        raise StoredFileError(
            f"{where} was changed or damaged: its content does not agree with its key {_KEY!r}"
        )
    return content


def _digest(content: Mapping[str, Json], where: str) -> str:
    try:
        return digest_settings(content)
    except (ValueError, RecursionError) as error:  # NaN, or nested too deep
        raise StoredFileError(f"{where} holds a value that is not JSON ({error})") from error
