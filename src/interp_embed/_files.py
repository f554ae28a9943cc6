"""Files that are either whole or absent, and the folder for those kept between runs."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from interp_embed.errors import StoredFileError

CACHE_VARIABLE = "INTERP_EMBED_CACHE"
"""Environment variable that moves everything the library keeps between runs."""


def cache_root() -> Path:
    """Return ``$INTERP_EMBED_CACHE``, or else the platform's user cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(user_cache_dir("interp-embed"))


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write`` with a temporary path in the same folder, then rename it to ``path``.

    A kill at any moment leaves either the old file or the new one, never half of one.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 - JSON is any
    """Write JSON atomically, keys in their given order, NaN refused."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_atomically(path, write)


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is any
    """Return the content of a JSON file.

    Raises:
        StoredFileError: It is missing, cut off, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoredFileError(f"{path} does not exist") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StoredFileError(
            f"{path} is not readable as JSON ({error}); it may be cut off: "
            "delete it and run the step that made it again"
        ) from error
