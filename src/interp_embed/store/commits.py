"""Commit records: one small file per shard, and snapshots that hold many."""

import logging
import re
from collections.abc import Mapping
from dataclasses import fields

from interp_embed.errors import StoredFileError
from interp_embed.records import Json
from interp_embed.store.location import Location
from interp_embed.store.records import Commit, Header
from interp_embed.store.sealed import read_sealed, seal

logger = logging.getLogger(__name__)

SNAPSHOT_EVERY = 256
"""A snapshot is written when this many commit records had to be read one by one."""

_COMMIT_NAME = re.compile(r"part-(\d{6,7})\.json")
_SNAPSHOT_NAME = re.compile(r"(\d{7})\.json")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST_FILE = 2**44


class CommitLog:
    """The committed shards of one data set, as far as they were read."""

    def __init__(self, location: Location, header: Header) -> None:
        self._location = location
        self._header = header
        self._known: dict[int, Commit] = {}
        self._snapshot_read = False

    def find(self, shard: int) -> Commit | None:
        """Return a shard's record, or None if it is not committed."""
        if shard not in self._known:
            name = commit_name(shard)
            if self._location.size(name) is None:
                return None
            self._known[shard] = self._read(shard)
        return self._known[shard]

    def all(self) -> dict[int, Commit]:
        """Return the records that are there now, by shard, ascending."""
        if not self._snapshot_read:
            self._snapshot_read = True
            self._known |= self._read_snapshot()
        if len(self._known) < self._header.n_shards:
            self._read_new()
        return {shard: self._known[shard] for shard in sorted(self._known)}

    def create(self, commit: Commit) -> bool:
        """Write a record unless the shard has one; return whether this call did."""
        content = {"format_version": self._header.format_version, **_values(commit)}
        created = self._location.put_if_absent(commit_name(commit.shard), seal(content))
        if created:
            self._known[commit.shard] = commit
        return created

    def drop(self, shard: int) -> None:
        """Delete a shard's record, and the snapshots, which may hold it."""
        for entry in self._location.entries("snapshots"):
            self._location.delete(f"snapshots/{entry.name}")
        self._location.delete(commit_name(shard))
        self._known.pop(shard, None)

    def write_snapshot(self) -> None:
        """Put all records that are known into one file."""
        commits = self.all()
        records = [_values(commit) for commit in commits.values()]
        name = f"snapshots/{len(records):07d}.json"
        self._location.put_if_absent(name, seal({"commits": records}))

    def _read_new(self) -> None:
        n_read = 0
        for entry in self._location.entries("commits"):
            matched = _COMMIT_NAME.fullmatch(entry.name)
            if matched is None or int(matched[1]) in self._known:
                continue
            shard = int(matched[1])
            if entry.name != commit_name(shard).rpartition("/")[2]:
                continue
            self._known[shard] = self._read(shard)
            n_read += 1
        if n_read >= SNAPSHOT_EVERY:
            try:
                self.write_snapshot()
            except StoredFileError as error:  # a data set one may only read
                logger.info("no snapshot was written: %s", error)

    def _read(self, shard: int) -> Commit:
        name = commit_name(shard)
        content = read_sealed(self._location, name)
        return parse_commit(content, shard, self._header, self._location.describe(name))

    def _read_snapshot(self) -> dict[int, Commit]:
        names = [e.name for e in self._location.entries("snapshots")]
        names = [name for name in names if _SNAPSHOT_NAME.fullmatch(name)]
        if not names:
            return {}
        name = f"snapshots/{max(names)}"
        where = self._location.describe(name)
        try:
            records = read_sealed(self._location, name).get("commits")
            if not isinstance(records, list):
                raise StoredFileError(f"{where} holds no list of commits")
            commits = [parse_commit(record, None, self._header, where) for record in records]
        except StoredFileError as error:
            logger.warning("%s; the commit records themselves are read instead", error)
            return {}
        return {commit.shard: commit for commit in commits}


def commit_name(shard: int) -> str:
    """Return the name of a shard's commit record."""
    return f"commits/part-{shard:06d}.json"


def parse_commit(
    content: Mapping[str, Json], shard: int | None, header: Header, where: str
) -> Commit:
    """Return a commit record from JSON, checked against the plan; ``shard`` is whose it should be.

    Raises:
        StoredFileError: A value is missing, of another type, or impossible.
    """
    wrong = _fault(content, shard, header)
    if wrong:
        raise StoredFileError(f"{where} is no commit record of this data set: {wrong}")
    return Commit(**{field.name: content[field.name] for field in fields(Commit)})


def _values(commit: Commit) -> dict[str, Json]:
    values = {field.name: getattr(commit, field.name) for field in fields(Commit)}
    return values | {"files": dict(commit.files)}


def _fault(content: object, shard: int | None, header: Header) -> str:
    if not isinstance(content, dict):
        return "it is not an object"
    missing = [field.name for field in fields(Commit) if field.name not in content]
    if missing:
        return f"it lacks {', '.join(missing)}"
    numbers = ("shard", "first", "n_documents", "n_entries", "n_token_entries", "n_failed")
    for name in numbers:
        if type(content[name]) is not int or not 0 <= content[name] < 2**62:
            return f"{name} is {str(content[name])[:40]!r}, not a count"
    if shard not in (None, content["shard"]) or content["shard"] >= header.n_shards:
        return f"it is for shard {content['shard']}, of {header.n_shards}"
    rows = header.rows_of(content["shard"])
    if content["first"] != rows.start or content["n_documents"] != len(rows):
        return (
            f"it covers {content['n_documents']} documents from {content['first']}, the plan says "
            f"{len(rows)} from {rows.start}"
        )
    if content["n_entries"] > len(rows) * header.n_features:
        return f"n_entries is {content['n_entries']}, more than documents x features"
    if content["n_failed"] > len(rows):
        return f"n_failed is {content['n_failed']}, of {len(rows)} documents"
    if header.tokens != "all" and content["n_token_entries"] != 0:
        return f"n_token_entries is {content['n_token_entries']}, but none are kept"
    if not isinstance(content["digest"], str) or not _DIGEST.fullmatch(content["digest"]):
        return "digest is not 64 hexadecimal digits"
    return _fault_of_files(content["files"], content["shard"], header)


def _fault_of_files(files: object, shard: int, header: Header) -> str:
    if not isinstance(files, dict):
        return "files is not an object"
    folders = ["acts", "stats"] if header.tokens == "none" else ["acts", "stats", "tokens"]
    if sorted(name.partition("/")[0] for name in files) != folders:
        return f"files must name one file in each of {', '.join(folders)}"
    for name, size in files.items():
        if not re.fullmatch(rf"[a-z]+/part-{shard:06d}-[0-9a-f]{{8}}\.parquet", name):
            return f"files names {name[:80]!r}"
        if type(size) is not int or not 0 < size <= _LARGEST_FILE:
            return f"the size of {name} is {str(size)[:40]!r}"
    return ""
