"""The data set on disk, opened: documents, activations, labels and annotations."""

import logging
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed._fingerprint import digest_settings, digest_texts
from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Label
from interp_embed.store import appended
from interp_embed.store.blocks import ShardReader
from interp_embed.store.check import check_documents, check_shard
from interp_embed.store.commits import CommitLog
from interp_embed.store.documents import DocumentsReader, to_table, write_documents
from interp_embed.store.files import DataFiles
from interp_embed.store.gather import join_pooled, join_tokens, take_pooled, take_tokens
from interp_embed.store.header import (
    HEADER_FILE,
    Opened,
    check_header,
    differences,
    header_bytes,
    read_header,
)
from interp_embed.store.index import FeatureIndex, strongest
from interp_embed.store.leftovers import delete_leftovers
from interp_embed.store.location import TEMPORARY, Location
from interp_embed.store.matrix import Selection, check_pooling, check_selection, load_csr
from interp_embed.store.records import Commit, Header, Pool, PooledShard, TokenShard
from interp_embed.store.remote import open_location
from interp_embed.store.views import (
    DocumentTokens,
    FeatureDocuments,
    FeatureStats,
    Peaks,
    StoreStatus,
)
from interp_embed.store.writing import ShardWriter

logger = logging.getLogger(__name__)

_FOLDERS = {
    "docs", "acts", "tokens", "stats", "commits", "snapshots", "index", "labels", "annotations",
}  # fmt: skip


class Store:
    """A data set at a location; open it with ``Store.create`` or ``Store.open``.

    Only committed shards count: a shard is whole or absent. Documents of shards that are not
    committed have no activations yet; ``status`` tells. What a file holds is checked when it is
    first read, and never run.
    """

    def __init__(self, location: Location, opened: Opened) -> None:
        self.header: Header = opened.header
        """What was fixed when the data set was created."""
        self.location: str = location.describe()
        """Its folder or URL."""
        self._opened = opened
        self._where = location
        self._files = DataFiles(location)
        self._log = CommitLog(location, opened.header)
        self._reader = ShardReader(self._files, opened.header)
        self._index = FeatureIndex(self._reader)
        self._documents = DocumentsReader(
            self._files, opened.documents, opened.json_columns, opened.header.text_field
        )
        self._counted: dict[int, NDArray[np.int32]] = {}

    @classmethod
    def create(
        cls, location: str | os.PathLike[str], header: Header, documents: pd.DataFrame
    ) -> "Store":
        """Create a data set and return it; open it if it is there with the same header.

        Args:
            location: A folder, or a URL that fsspec knows; a new one, or that of a data set.
            header: What is fixed from now on.
            documents: The user's table: the text and any other columns, one row per document.
                Values that Parquet cannot hold (lists of messages, mixed types) are kept as JSON.
                Where the data set exists, the columns that were stored first stay.

        Raises:
            InputError: The header or the table cannot be used, or the folder holds other files.
            StoredFileError: Another data set is there, or it cannot be written.
        """
        check_header(header)
        place = open_location(location)
        if place.size(HEADER_FILE) is None:
            _refuse_foreign_files(place)
            table = to_table(documents, header)
            parts = write_documents(DataFiles(place), table)
            opened = Opened(header, parts, table.json_columns, _created_by())
            place.put_if_absent(HEADER_FILE, header_bytes(opened))
        store = cls.open(location)
        differing = differences(header, store.header)
        if differing:
            raise StoredFileError(
                f"{store.location} holds another data set: {'; '.join(differing)}. Use another "
                "folder, or delete this one"
            )
        return store

    @classmethod
    def open(cls, location: str | os.PathLike[str]) -> "Store":
        """Open a data set; what it holds is read when it is asked for.

        Raises:
            StoredFileError: There is none, its header is damaged, or it is of a later format.
        """
        place = open_location(location)
        return cls(place, read_header(place))

    @property
    def folder(self) -> Path | None:
        """The folder, where it is a local one."""
        return None if "://" in self.location else Path(self.location)

    def missing(self) -> list[int]:
        """Return the shards that are not committed, ascending."""
        committed = self._log.all()
        return [shard for shard in range(self.header.n_shards) if shard not in committed]

    def is_done(self) -> bool:
        """Tell whether every shard is committed."""
        return len(self._log.all()) == self.header.n_shards

    def status(self) -> StoreStatus:
        """Return how far the data set is."""
        commits = self._log.all()
        return StoreStatus(
            n_documents=self.header.n_documents,
            n_committed=sum(commit.n_documents for commit in commits.values()),
            n_failed=sum(commit.n_failed for commit in commits.values()),
            n_entries=sum(commit.n_entries for commit in commits.values()),
            n_bytes=sum(sum(commit.files.values()) for commit in commits.values())
            + sum(part.size for part in self._opened.documents),
            missing=tuple(self.missing()),
        )

    def write_shard(self, shard: int, pooled: PooledShard, tokens: TokenShard | None) -> Commit:
        """Store a shard and return its commit record; the first writer's counts.

        Args:
            shard: Its number.
            pooled: Activations of all its documents, exact: they are rounded here.
            tokens: Its tokens; with activations where the header says ``tokens="all"``, without
                where it says ``"peaks"``, None where it says ``"none"``.

        Raises:
            InputError: The arrays do not fit the plan or do not make sense.
            StoredFileError: The shard is committed with other arrays, or cannot be written.
        """
        texts = self._documents.load_texts(self._rows_of(shard))
        writer = ShardWriter(self._files, self._log, self.header)
        return writer.write(shard, pooled, tokens, digest_texts(texts))

    def drop_shard(self, shard: int) -> None:
        """Take a damaged shard out of the data set, to be made again; ``gc`` deletes its files."""
        self._rows_of(shard)
        self._index.drop(shard, self._log.all())
        self._log.drop(shard)
        self._files.forget()
        self._counted.pop(shard, None)

    def load_documents(
        self, rows: Selection = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return documents of the user's table; the index is the document's number.

        Args:
            rows: Numbers of documents, in the order wanted; None for all.
            columns: Names of columns; None for all.

        Raises:
            InputError: There is no such document or column.
        """
        selected = check_selection(rows, self.header.n_documents, "document")
        return self._documents.load(selected, None if columns is None else list(columns))

    def load_csr(
        self,
        documents: Selection = None,
        features: Selection = None,
        pool: Pool = "max",
        threshold: float = 0.0,
    ) -> csr_matrix:
        """Return pooled activations, float32 of shape (n documents, n features asked for).

        Args:
            documents: Numbers of documents, in the order wanted; None for all.
            features: Numbers of features, in the order wanted, each once; None for all.
            pool: How a document's token activations become one: the largest, their mean over the
                counted tokens, their sum, on how many tokens it fires, or 1 where it fires.
            threshold: Pooled values at or below it are left out (for ``binarize``: largest
                activations at or below it).

        Raises:
            InputError: There is no such document, feature or pool.
            StoredFileError: A shard is damaged.
        """
        return load_csr(
            self._reader,
            self._log.all().values(),
            check_selection(documents, self.header.n_documents, "document"),
            check_selection(features, self.header.n_features, "feature"),
            check_pooling(pool, threshold),
        )

    def load_pooled(self, documents: Selection = None) -> PooledShard:
        """Return all that is kept of documents' pooled activations, in the order asked for.

        Raises:
            InputError: There is no such document, or it is not committed.
            StoredFileError: A shard is damaged.
        """
        parts = [
            take_pooled(self._reader.read_pooled(commit), rows)
            for commit, rows in self._by_shard(documents)
        ]
        return take_pooled(join_pooled(parts), self._places(documents))

    def load_tokens(self, documents: Selection = None) -> TokenShard:
        """Return the tokens of documents, in the order asked for.

        Raises:
            InputError: There is no such document, it is not committed, or no tokens are kept.
            StoredFileError: A shard is damaged.
        """
        self._check_tokens_kept()
        parts = [
            take_tokens(self._reader.read_tokens(commit), rows)
            for commit, rows in self._by_shard(documents)
        ]
        return take_tokens(join_tokens(parts), self._places(documents))

    def load_counted(self, documents: Selection = None) -> NDArray[np.int32]:
        """Return how many tokens count in pooling, by document; 0 where it is not known yet."""
        selected = check_selection(documents, self.header.n_documents, "document")
        counted = np.zeros(self.header.n_documents, np.int32)
        for commit in self._log.all().values():
            if commit.shard not in self._counted:
                self._counted[commit.shard], _ = self._reader.read_rows(commit)
            end = commit.first + commit.n_documents
            counted[commit.first : end] = self._counted[commit.shard]
        return counted if selected is None else counted[selected]

    def errors(self) -> dict[int, str]:
        """Return why documents have no activations, by document."""
        found = {}
        for commit in self._log.all().values():
            if commit.n_failed:
                _, errors = self._reader.read_rows(commit)
                for document, error in enumerate(errors, start=commit.first):
                    if error is not None:
                        found[document] = error
        return found

    def tokens(self, document: int) -> DocumentTokens:
        """Return the tokens of a document and, where they are kept, their activations.

        Raises:
            InputError: There is no such document, it is not committed, or no tokens are kept.
        """
        self._check_tokens_kept()
        return self._reader.read_document(self._commit_of(document), document)

    def peaks(self, document: int) -> Peaks:
        """Return the token at which each feature of a document is strongest."""
        commit = self._commit_of(document)
        block = next(self._reader.iter_blocks(commit, ("max", "peak"), np.array([document])))
        row = document - block.first
        inside = slice(block.start[row], block.start[row + 1])
        return Peaks(
            block.feature[inside], block.columns["peak"][inside], block.columns["max"][inside]
        )

    def build_index(self) -> None:
        """Bring the feature index up to the committed shards; others build it when they need it."""
        self._index.build(self._log.all())

    def column(self, feature: int) -> FeatureDocuments:
        """Return all documents in which a feature fires, ascending, and its activations."""
        self._check_feature(feature)
        if self._has_index():
            return self._index.column(feature)
        found = self.load_csr(features=[feature]).tocoo()
        return FeatureDocuments(found.row.astype(np.int64), found.data)

    def top_documents(self, feature: int, k: int = 10) -> FeatureDocuments:
        """Return the k documents in which a feature is strongest, strongest first.

        Of equally strong documents the lower number comes first. There are fewer than k where the
        feature fires in fewer.
        """
        self._check_feature(feature)
        if k < 1:
            raise InputError(f"k must be at least 1, got {k!r}")
        if self._has_index():
            return self._index.top(feature, int(k))
        return strongest(self.column(feature), int(k))

    def stats(self) -> FeatureStats:
        """Return statistics of each feature over the committed documents, without a scan."""
        n_features = self.header.n_features
        count = np.zeros(n_features, np.int64)
        total, squares = np.zeros(n_features), np.zeros(n_features)
        maximum = np.zeros(n_features, np.float32)
        n_documents = 0
        for commit in self._log.all().values():
            part = self._reader.read_stats(commit)
            count += part.count
            total += part.total
            squares += part.squares
            np.maximum(maximum, part.maximum, out=maximum)
            n_documents += commit.n_documents
        return FeatureStats(n_documents, count, total, squares, maximum)

    def append_labels(
        self, name: str, labels: Sequence[Label], scores: Mapping[int, float] | None = None
    ) -> None:
        """Add labels of features under a name, such as that of the labeller.

        Args:
            name: Letters, digits, ``.``, ``-`` and ``_``.
            labels: Any number of them; a later label of a feature replaces an earlier one.
            scores: How well a label did, by feature, where that was measured.

        Raises:
            InputError: The name cannot be used, or there is no such feature.
        """
        folder = f"labels/{appended.check_name(name)}"
        table = appended.label_table(labels, scores, self.header.n_features)
        appended.append_table(self._files, folder, table)

    def labels(self, name: str | None = None) -> dict[int, appended.StoredLabel]:
        """Return the latest label by feature.

        Args:
            name: Under which they were added; may be None where there is only one.

        Raises:
            InputError: There are several names and none was given.
        """
        if name is None:
            names = appended.names_in(self._files, "labels")
            if len(names) > 1:
                raise InputError(f"there are several sets of labels, name one of {names}")
            if not names:
                return {}
            name = names[0]
        folder = f"labels/{appended.check_name(name)}"
        table = appended.load_tables(self._files, folder, appended.LABEL_SCHEMA)
        where = self._where.describe(folder)
        return appended.latest_labels(table, self.header.n_features, where)

    def label_names(self) -> list[str]:
        """Return the names under which labels were added."""
        return list(appended.names_in(self._files, "labels"))

    def append_annotations(
        self, name: str, annotations: Sequence[appended.StoredAnnotation]
    ) -> None:
        """Add verdicts on documents and concepts under a name.

        Raises:
            InputError: The name cannot be used, there is no such document, or a missing verdict
                has no reason.
        """
        folder = f"annotations/{appended.check_name(name)}"
        table = appended.annotation_table(annotations, self.header.n_documents)
        appended.append_table(self._files, folder, table)

    def annotations(self, name: str) -> dict[tuple[int, str, str], appended.StoredAnnotation]:
        """Return the latest annotation by (document, concept, annotator)."""
        folder = f"annotations/{appended.check_name(name)}"
        table = appended.load_tables(self._files, folder, appended.ANNOTATION_SCHEMA)
        where = self._where.describe(folder)
        return appended.latest_annotations(table, self.header.n_documents, where)

    def digest(self) -> str:
        """Return the digest of all committed shards: of their arrays and texts.

        It does not depend on who wrote them, in what order, or with which version of Parquet.
        """
        shards = {str(shard): commit.digest for shard, commit in self._log.all().items()}
        return digest_settings({"n_features": self.header.n_features, "shards": shards})

    def verify(self) -> None:
        """Read everything again and compare it with the digests.

        Raises:
            StoredFileError: Something is damaged or missing; the message names the file.
        """
        check_documents(self._documents, self.header)
        for commit in self._log.all().values():
            check_shard(self._reader, self._documents, commit)

    def gc(self, *, older_than_s: float = 3600) -> list[str]:
        """Delete what interrupted writers left behind, and return the names.

        Args:
            older_than_s: Files written to within so many seconds stay; 0 only if nobody writes.
        """
        self._index.forget()
        commits = self._log.all()
        live = {name for commit in commits.values() for name in commit.files}
        live |= {part.name for part in self._opened.documents}
        live |= self._index.live_names(commits)
        snapshots = [entry.name for entry in self._where.entries("snapshots")]
        live |= {f"snapshots/{name}" for name in sorted(snapshots)[-1:]}
        for parent in ("labels", "annotations"):
            for name in appended.names_in(self._files, parent):
                live |= appended.file_names(self._files, f"{parent}/{name}")
        return delete_leftovers(self._where, frozenset(live), older_than_s)

    def _rows_of(self, shard: int) -> range:
        if not 0 <= shard < self.header.n_shards:
            raise InputError(
                f"shard {shard} is out of range: there are {self.header.n_shards}, from 0"
            )
        return self.header.rows_of(int(shard))

    def _check_tokens_kept(self) -> None:
        if self.header.tokens == "none":
            raise InputError(
                f'{self.location} was made with tokens="none"; make it again with "peaks" or "all"'
            )

    def _by_shard(self, documents: Selection) -> list[tuple[Commit, NDArray[np.int64]]]:
        """Return each shard that holds some of the documents, with their rows in it, ascending."""
        wanted = np.unique(self._numbers(documents))
        shards, first = np.unique(wanted // self.header.rows_per_shard, return_index=True)
        groups = np.split(wanted, first[1:])
        return [
            (self._commit_of(int(group[0])), group - shard * self.header.rows_per_shard)
            for shard, group in zip(shards.tolist(), groups, strict=True)
        ]

    def _places(self, documents: Selection) -> NDArray[np.int64]:
        """Return where each document is among the distinct ones, ascending."""
        return np.unique(self._numbers(documents), return_inverse=True)[1].astype(np.int64)

    def _numbers(self, documents: Selection) -> NDArray[np.int64]:
        selected = check_selection(documents, self.header.n_documents, "document")
        return np.arange(self.header.n_documents) if selected is None else selected

    def _commit_of(self, document: int) -> Commit:
        check_selection([document], self.header.n_documents, "document")
        shard = int(document) // self.header.rows_per_shard
        commit = self._log.find(shard)
        if commit is None:
            raise InputError(
                f"document {document} has no activations yet: shard {shard} is missing"
            )
        return commit

    def _check_feature(self, feature: int) -> None:
        check_selection([feature], self.header.n_features, "feature")

    def _has_index(self) -> bool:
        """Tell whether the index can be used, building what is missing of it."""
        commits = self._log.all()
        if self._index.covers(commits):
            return True
        if not self._where.is_writable():
            logger.warning(
                "%s has no index and cannot be written to: reading it all", self.location
            )
            return False
        self._index.build(commits)
        return True


def _refuse_foreign_files(location: Location) -> None:
    names = [entry.name for entry in location.entries() if not entry.name.startswith(".")]
    foreign = [name for name in names if name not in _FOLDERS and not name.startswith(TEMPORARY)]
    if foreign:
        raise InputError(
            f"{location.describe()} holds other files ({', '.join(foreign[:3])}): use a new or "
            "empty folder"
        )


def _created_by() -> dict[str, str]:
    try:
        ours = version("interp-embed")
    except PackageNotFoundError:  # run from a source tree
        ours = "unknown"
    return {"interp-embed": ours, "pyarrow": version("pyarrow"), "numpy": np.__version__}
