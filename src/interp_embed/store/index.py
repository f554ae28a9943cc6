"""The feature-major index of a data set: derived from the shards, built again when it is deleted.

It consists of segments, each over some of the committed shards. New shards become a new segment;
segments that are not much larger are merged into it.
"""

import logging
import re
import shutil
import tempfile
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed._fingerprint import digest_settings
from interp_embed.errors import StoredFileError
from interp_embed.store.blocks import Block, ShardReader
from interp_embed.store.local import LocalLocation
from interp_embed.store.location import Location
from interp_embed.store.records import Commit, Header
from interp_embed.store.sealed import read_sealed, seal
from interp_embed.store.segments import (
    PARTS,
    Postings,
    Segment,
    iter_merged,
    write_segment,
)
from interp_embed.store.views import FeatureDocuments

logger = logging.getLogger(__name__)

RUN_ENTRIES = 2**23
"""Activations that are transposed at a time, about."""

_RECORD = re.compile(r"[0-9a-f]{32}\.json")
_TOP_BLOCK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Indexed:
    """A segment and the shards it covers."""

    stem: str
    shards: frozenset[int]
    segment: Segment


class FeatureIndex:
    """Finds the documents of a feature without reading the shards."""

    def __init__(self, reader: ShardReader) -> None:
        self._reader = reader
        self._location: Location = reader.files.location
        self._header: Header = reader.header
        self._segments: list[Indexed] | None = None

    def build(self, commits: Mapping[int, Commit]) -> None:
        """Bring the index up to the committed shards.

        Raises:
            StoredFileError: A shard is damaged, or the index cannot be written.
        """
        segments = self._loaded(commits)
        covered = frozenset().union(*(indexed.shards for indexed in segments))
        pending = [commit for shard, commit in commits.items() if shard not in covered]
        if not pending:
            return
        logger.info("indexing %d of %d shards", len(pending), len(commits))
        n_pending = sum(commit.n_entries for commit in pending)
        absorbed: list[Indexed] = []
        for indexed in sorted(segments, key=lambda indexed: indexed.segment.n_entries):
            n_together = n_pending + sum(other.segment.n_entries for other in absorbed)
            if indexed.segment.n_entries <= 2 * n_together:
                absorbed.append(indexed)
        scratch = self._location.scratch() or Path(tempfile.mkdtemp())
        try:
            merged = self._merge(pending, absorbed, commits, scratch)
        except OSError as error:
            where = self._location.describe("index")
            raise StoredFileError(f"{where} could not be built ({error})") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self._segments = [*(kept for kept in segments if kept not in absorbed), merged]
        for indexed in absorbed:
            self._delete(indexed.stem)

    def covers(self, commits: Mapping[int, Commit]) -> bool:
        """Tell whether all committed shards are in the index."""
        segments = self._loaded(commits)
        return sum(len(indexed.shards) for indexed in segments) == len(commits)

    def column(self, feature: int) -> FeatureDocuments:
        """Return all documents in which a feature fires, ascending."""
        found = [
            indexed.segment.read(feature, self._header.n_documents)
            for indexed in self._segments or ()
        ]
        document = np.concatenate([d for d, _ in found] or [np.empty(0, np.int32)])
        activation = np.concatenate([a for _, a in found] or [np.empty(0, np.float32)])
        if np.any(document[1:] <= document[:-1]):
            order = np.argsort(document, kind="stable")
            document, activation = document[order], activation[order]
        return FeatureDocuments(document.astype(np.int64), activation)

    def top(self, feature: int, k: int) -> FeatureDocuments:
        """Return the k documents in which a feature is strongest, strongest first."""
        found = []
        for indexed in self._segments or ():
            document, activation = indexed.segment.read(feature, self._header.n_documents)
            candidates = _candidates(activation, k)
            found.append((document[candidates], activation[candidates]))
        document = np.concatenate([d for d, _ in found] or [np.empty(0, np.int32)])
        activation = np.concatenate([a for _, a in found] or [np.empty(0, np.float32)])
        return strongest(FeatureDocuments(document.astype(np.int64), activation), k)

    def forget(self) -> None:
        """Look at the files anew when the index is next used."""
        self._segments = None

    def drop(self, shard: int, commits: Mapping[int, Commit]) -> None:
        """Delete the segments that cover a shard."""
        for indexed in self._loaded(commits):
            if shard in indexed.shards:
                self._delete(indexed.stem)
        self.forget()

    def live_names(self, commits: Mapping[int, Commit]) -> set[str]:
        """Return the names of the files in use."""
        stems = [indexed.stem for indexed in self._loaded(commits)]
        return {f"{stem}.json" for stem in stems} | {
            f"{stem}.{part}.npy" for stem in stems for part in PARTS
        }

    def _loaded(self, commits: Mapping[int, Commit]) -> list[Indexed]:
        if self._segments is None:
            try:
                self._segments = self._load(commits)
            except StoredFileError:  # perhaps another process merged segments meanwhile
                self._segments = self._load(commits)
        return self._segments

    def _load(self, commits: Mapping[int, Commit]) -> list[Indexed]:
        """Return segments that cover different shards, the larger first."""
        records = []
        for entry in self._location.entries("index"):
            if _RECORD.fullmatch(entry.name):
                stem = f"index/{entry.name.removesuffix('.json')}"
                found = self._read_record(stem, commits)
                if found is not None:
                    records.append((stem, *found))
        chosen: list[Indexed] = []
        for stem, shards, sums in sorted(records, key=lambda found: (-len(found[1]), found[0])):
            if all(shards.isdisjoint(indexed.shards) for indexed in chosen):
                n_entries = sum(commits[shard].n_entries for shard in shards)
                self._check_sums(stem, sums)
                segment = Segment(self._location, stem, self._header.n_features, n_entries)
                chosen.append(Indexed(stem, shards, segment))
        return chosen

    def _read_record(
        self, stem: str, commits: Mapping[int, Commit]
    ) -> tuple[frozenset[int], dict[str, int]] | None:
        """Return a segment's shards and checksums; None if it is of other commits."""
        name = f"{stem}.json"
        where = self._location.describe(name)
        content = read_sealed(self._location, name)
        ranges, sums = content.get("shards"), content.get("sums")
        try:
            shards: set[int] = set()
            for low, high in ranges or ():
                if not 0 <= low < high <= self._header.n_shards:
                    raise ValueError(f"shards {low} to {high}")
                shards.update(range(low, high))
            checksums = {part: int(sums[part]) for part in ("ptr", "sums")}  # type: ignore[index]
        except (TypeError, ValueError, KeyError) as error:
            raise StoredFileError(
                f"{where} is no record of an index ({error}): delete its folder, it is built again"
            ) from error
        if not shards or not shards <= commits.keys():
            return None
        if content.get("made_of") != _made_of(shards, commits):
            logger.info("%s is of other shards than those here and not used", where)
            return None
        return frozenset(shards), checksums

    def _check_sums(self, stem: str, sums: Mapping[str, int]) -> None:
        for part, expected in sums.items():
            name = f"{stem}.{part}.npy"
            size = self._location.size(name)
            most = 8 * (self._header.n_features + 1) + 256
            if size is None or size > most or zlib.crc32(self._location.read(name)) != expected:
                raise StoredFileError(
                    f"{self._location.describe(name)} is missing or damaged: delete its folder, "
                    "and it is built again"
                )

    def _merge(
        self,
        pending: list[Commit],
        absorbed: list[Indexed],
        commits: Mapping[int, Commit],
        scratch: Path,
    ) -> Indexed:
        """Write one segment over the pending shards and those of the absorbed segments."""
        n_features = self._header.n_features
        parts = [indexed.segment for indexed in absorbed]
        for indexed in absorbed:
            for feature in range(n_features):
                indexed.segment.read(feature, self._header.n_documents)
        runs = LocalLocation(scratch)
        for number, postings in enumerate(self._iter_runs(pending)):
            folder = scratch / f"run-{number}"
            folder.mkdir()
            n_entries = len(postings.document)
            write_segment(folder, iter([postings]), n_features, n_entries)
            for part in PARTS:
                (folder / f"{part}.npy").rename(scratch / f"run-{number}.{part}.npy")
            parts.append(Segment(runs, f"run-{number}", n_features, n_entries))
        n_entries = sum(part.n_entries for part in parts)
        whole = scratch / "whole"
        whole.mkdir()
        write_segment(whole, iter_merged(parts, n_features), n_features, n_entries)
        shards = frozenset(commit.shard for commit in pending).union(
            *(indexed.shards for indexed in absorbed)
        )
        return self._publish(whole, shards, commits, n_entries)

    def _publish(
        self, folder: Path, shards: frozenset[int], commits: Mapping[int, Commit], n_entries: int
    ) -> Indexed:
        stem = f"index/{uuid.uuid4().hex}"
        sums = {p: zlib.crc32((folder / f"{p}.npy").read_bytes()) for p in ("ptr", "sums")}
        for part in PARTS:
            self._location.put_file(f"{stem}.{part}.npy", folder / f"{part}.npy")
        record = {
            "format_version": self._header.format_version,
            "shards": _ranges(shards),
            "made_of": _made_of(shards, commits),
            "sums": sums,
        }
        self._location.put(f"{stem}.json", seal(record))
        segment = Segment(self._location, stem, self._header.n_features, n_entries)
        segment.trust()
        return Indexed(stem, shards, segment)

    def _iter_runs(self, commits: Iterable[Commit]) -> Iterator[Postings]:
        """Yield postings of the shards, about ``RUN_ENTRIES`` activations at a time."""
        held: list[Block] = []
        n_held = 0
        for commit in commits:
            for block in self._reader.iter_blocks(commit, ("max",)):
                if held and n_held + len(block.feature) > RUN_ENTRIES:
                    yield self._transpose(held)
                    held, n_held = [], 0
                held.append(block)
                n_held += len(block.feature)
        if held:
            yield self._transpose(held)

    def _transpose(self, blocks: list[Block]) -> Postings:
        lengths = np.concatenate([np.diff(block.start) for block in blocks])
        start = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
        feature = np.concatenate([block.feature for block in blocks])
        value = np.concatenate([block.columns["max"] for block in blocks])
        numbers = [np.arange(b.first, b.first + len(b.n_counted), dtype=np.int32) for b in blocks]
        columns = csr_matrix(
            (value, feature, start), (len(lengths), self._header.n_features)
        ).tocsc()
        document = np.concatenate(numbers)[columns.indices]
        own_start = columns.indptr.astype(np.int64)
        no_sums = np.zeros(self._header.n_features, np.uint32)  # the merged segment gets them
        return Postings(own_start, document, columns.data, no_sums)

    def _delete(self, stem: str) -> None:
        for name in (f"{stem}.json", *(f"{stem}.{part}.npy" for part in PARTS)):
            self._location.delete(name)


def strongest(found: FeatureDocuments, k: int) -> FeatureDocuments:
    """Return the k strongest, strongest first; of equal ones the lower document."""
    order = np.lexsort((found.document, -found.activation))[:k]
    return FeatureDocuments(found.document[order], found.activation[order])


def _candidates(activation: NDArray[np.float32], k: int) -> NDArray[np.intp] | slice:
    """Return where the k largest can be, ties included: all that reach the k-th block maximum."""
    n_blocks = len(activation) // _TOP_BLOCK
    if n_blocks < k:
        return slice(None)
    blocks = activation[: n_blocks * _TOP_BLOCK].reshape(n_blocks, _TOP_BLOCK)
    bound = np.partition(blocks.max(axis=1), n_blocks - k)[n_blocks - k]
    return np.flatnonzero(activation >= bound)


def _made_of(shards: Iterable[int], commits: Mapping[int, Commit]) -> str:
    return digest_settings({str(shard): commits[shard].digest for shard in shards})


def _ranges(shards: Iterable[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for shard in sorted(shards):
        if ranges and ranges[-1][1] == shard:
            ranges[-1][1] = shard + 1
        else:
            ranges.append([shard, shard + 1])
    return ranges
