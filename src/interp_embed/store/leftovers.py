"""What interrupted writers leave behind: files that nothing refers to."""

import re
import time
from collections.abc import Iterator

from interp_embed.store.location import TEMPORARY, Entry, Location

_PART = re.compile(r"part-\d{6,7}-[0-9a-f]{8}\.parquet")
_SNAPSHOT = re.compile(r"\d{7}\.json")
_INDEX = re.compile(r"[0-9a-f]{32}\.(json|(ptr|doc|val|sums)\.npy)")
_FOLDERS = ("docs", "acts", "tokens", "stats", "commits", "snapshots", "index")


def delete_leftovers(location: Location, live: frozenset[str], older_than_s: float) -> list[str]:
    """Delete abandoned files and return their names.

    Args:
        location: Of the data set.
        live: Names of data files and index files in use.
        older_than_s: Files that were written to within so many seconds stay: their writer may be
            at work.
    """
    before = time.time() - older_than_s
    deleted = []
    for folder, entry in _iter_entries(location):
        name = f"{folder}/{entry.name}" if folder else entry.name
        if entry.modified_s <= before and _is_leftover(folder, entry, name, live):
            _delete(location, name, entry)
            deleted.append(name)
    return deleted


def _iter_entries(location: Location) -> Iterator[tuple[str, Entry]]:
    folders = ["", *_FOLDERS]
    for parent in ("labels", "annotations"):
        folders += [
            parent,
            *(f"{parent}/{e.name}" for e in location.entries(parent) if e.is_folder),
        ]
    for folder in folders:
        for entry in location.entries(folder):
            yield folder, entry


def _is_leftover(folder: str, entry: Entry, name: str, live: frozenset[str]) -> bool:
    if entry.name.startswith(TEMPORARY):
        return True
    if entry.is_folder or name in live:
        return False
    if folder == "snapshots":
        return bool(_SNAPSHOT.fullmatch(entry.name))
    if folder == "index":
        return bool(_INDEX.fullmatch(entry.name))
    return bool(_PART.fullmatch(entry.name))


def _delete(location: Location, name: str, entry: Entry) -> None:
    if entry.is_folder:
        for inner in location.entries(name):
            _delete(location, f"{name}/{inner.name}", inner)
    location.delete(name)
