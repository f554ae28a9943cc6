"""The folder a command writes into."""

from collections.abc import Set as AbstractSet
from pathlib import Path

from interp_embed.errors import InputError


def claim_folder(
    folder: Path, *, ours: AbstractSet[str], results: AbstractSet[str], overwrite: bool
) -> Path:
    """Return an output folder that exists, is writable, and holds nothing that would be lost.

    Args:
        folder: As given with ``--out``.
        ours: Names that may lie in it.
        results: Those of them that would be replaced.
        overwrite: Whether they may be.

    Raises:
        InputError: It is a file, holds other files, holds results and ``overwrite`` is off, or
            cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder} is a file; name a folder")
    held = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if foreign := sorted(held - ours):
        raise InputError(
            f"--out {folder} is not empty (it holds {', '.join(foreign[:3])}"
            f"{', …' if len(foreign) > 3 else ''}); name a new folder"
        )
    if held & results and not overwrite:
        raise InputError(
            f"--out {folder} holds results already; name a new folder, or add --overwrite"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"--out {folder} cannot be written ({error.strerror}); name another folder"
        ) from error
    return folder
