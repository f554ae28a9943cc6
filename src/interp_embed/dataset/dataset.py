"""The front door: a data set with the activations of its documents. It binds and forwards."""

import asyncio
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed._extras import require_extra
from interp_embed.dataset.binding import Binding, TokenValues, bind, bind_again
from interp_embed.dataset.copying import copy_documents
from interp_embed.dataset.document import DatasetRow
from interp_embed.dataset.health import DatasetHealth, measure_health
from interp_embed.dataset.highlight import firing_spans, mark
from interp_embed.dataset.labelling import (
    MIN_DOCUMENTS,
    LabelOutcome,
    label_by_documents,
    label_by_tokens,
    measure_labels,
)
from interp_embed.dataset.page import dataset_html, dataset_text
from interp_embed.dataset.selection import as_feature, as_frame, as_index, as_rows
from interp_embed.dataset.startup import check_reader
from interp_embed.encode import encode_dataset, plan_dataset
from interp_embed.errors import InputError, StoredFileError
from interp_embed.interpret import PremadeLabels, TokenContext, load_premade_labels
from interp_embed.readers import document_text
from interp_embed.records import Label
from interp_embed.sae.bound import Device
from interp_embed.store import Pool, Precision, Store, TokenDetail, TokenShard

if TYPE_CHECKING:
    from anndata import AnnData

Records = list[dict[str, Any]]
Rows = list[DatasetRow]
Values = list[Any]
Marked = list[str | None]
"""Aliases: inside the class, ``list`` is a method, as it was in the first library."""

LABELS = "features"
"""Under which name a data set keeps its labels; each says how it was made."""
_LABEL_TOKENS = 100_000
"""Tokens that labels are made from: more change them little."""
POOLS = ("max", "mean", "sum", "count", "binarize")


class Dataset:
    """Documents and the activations of their features, sparse, on disk, labelled.

    ``dataset[0]`` is a document; ``dataset[1:5]``, ``dataset[mask]`` and ``dataset[[3, 1]]`` are
    data sets of some documents; ``dataset["stars"]`` is a column.
    """

    def __init__(  # noqa: PLR0913 - the first library's arguments and ours
        self,
        data: object,
        sae: object,
        dataset_description: str = "",
        *,
        field: str = "text",
        save_path: str | Path | None = None,
        compute_activations: bool = True,
        feature_labels: Mapping[int, str] | None = None,
        tokens: TokenDetail = "peaks",
        precision: Precision = "half",
        shard_rows: int | None = None,
        progress: bool = True,
        save_every_batch: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        """Encode the documents of a table; what is done is kept, and a second call goes on.

        Args:
            data: DataFrame, list of dicts or of texts, Arrow table, Hugging Face dataset, or the
                path of a CSV, TSV, JSONL (also .gz) or Parquet file.
            sae: ``LocalSAE``, ``GoodfireSAE`` or ``EmbeddingSAE``; the last is trained on these
                documents if it is not fitted.
            dataset_description: In your words.
            field: Column with the texts, or with lists of messages (``role``, ``content``).
            save_path: Folder of the data set, or any fsspec URL; None for a temporary one.
            compute_activations: False to plan only; :meth:`resume` then encodes.
            feature_labels: Labels you already have, by feature.
            tokens: What is kept of tokens: ``"all"`` activations, ``"peaks"`` and their places, or
                ``"none"``. Highlights are computed again where they are not kept.
            precision: Mantissa bits kept: ``"full"`` 23, ``"half"`` 10, ``"bf16"`` 7.
            shard_rows: Documents written at once, which is what a kill may cost.
            progress: Show bars.
            save_every_batch: Without effect: every shard is kept as it is done.
            batch_size: Without effect: batches are cut by tokens.

        Raises:
            InputError: The data, the field or the SAE cannot be used.
            StoredFileError: ``save_path`` holds a data set of other documents or another SAE.
        """
        for name, value in {"save_every_batch": save_every_batch, "batch_size": batch_size}.items():
            if value is not None:
                warnings.warn(f"{name} has no effect any more", DeprecationWarning, stacklevel=2)
        frame = as_frame(data)
        binding = bind(sae, frame, field, progress=progress)
        encoder = binding.encoder
        header = plan_dataset(
            frame,
            field,
            encoder,
            tokens=tokens,
            precision=precision,
            shard_rows=shard_rows,
            reload=binding.reload,
            description=dataset_description,
        )
        location = str(save_path) if save_path is not None else self._temporary()
        store = Store.create(location, header, frame)
        if store.folder is not None:
            binding.save(store.folder)
        self._open(store, binding, frame.reset_index(drop=True), frame.index)
        if feature_labels:
            self._add_labels(feature_labels)
        if compute_activations:
            self.resume(progress=progress)

    def _temporary(self) -> str:
        # Kept alive by this object and its views; removed with the last of them.
        self._folder = tempfile.TemporaryDirectory(prefix="interp-embed-")
        return str(Path(self._folder.name) / "dataset")

    def _open(
        self,
        store: Store,
        binding: Binding | None,
        frame: pd.DataFrame,
        labels: "pd.Index[Any]",
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self._store, self._binding, self._frame, self._index = store, binding, frame, labels
        self._rows = np.arange(len(frame), dtype=np.int64) if rows is None else rows
        self._is_whole = rows is None
        self._device: Device = None
        self._premade: PremadeLabels | None = None

    @classmethod
    def load_from_file(
        cls,
        file_path: str | Path,
        resume: bool = False,  # noqa: FBT001, FBT002 - the first library's signature
        *,
        sae: object = None,
        device: Device = None,
        progress: bool = True,
        batch_size: int | None = None,
    ) -> Self:
        """Return a data set from its folder; the model is loaded only when it is needed.

        Args:
            file_path: Folder or fsspec URL.
            resume: Encode what is still missing.
            sae: The SAE that made it, where it cannot be found again by its name.
            device: Where to run the reader; None for the best there is.
            progress: Show bars.
            batch_size: Without effect: batches are cut by tokens.

        Raises:
            StoredFileError: It is no data set, or damaged, or a predecessor's pickle.
        """
        if batch_size is not None:
            warnings.warn("batch_size has no effect any more", DeprecationWarning, stacklevel=2)
        path = Path(str(file_path))
        if path.is_file():
            raise StoredFileError(
                f"{path} is a file, not the folder of a data set; if it was saved by the first "
                f"interp_embed, run: interp-embed convert {path} NEW_FOLDER"
            )
        store = Store.open(str(file_path))
        frame = store.load_documents()
        dataset = cls.__new__(cls)
        dataset._open(store, None, frame, frame.index)
        dataset._device = device
        if sae is not None:
            dataset._binding = bind(sae, frame, store.header.text_field, progress=progress)
        if resume:
            dataset.resume(progress=progress)
        return dataset

    def resume(self, *, progress: bool = True) -> Self:
        """Encode the documents that still lack activations, and return this data set."""
        if not self._store.missing():
            return self
        if len(self._store.missing()) == self._store.header.n_shards:
            check_reader(self._bound(), list(self._frame[self.field]), self._store.header.tokens)
        encode_dataset(self._store, self._bound().encoder, progress=progress)
        return self

    def _bound(self) -> Binding:
        if self._binding is None:
            self._binding = bind_again(
                self._store.header.reload, self._store.folder, device=self._device
            )
        return self._binding

    # What is in it

    @property
    def field(self) -> str:
        """Column that holds the documents."""
        return self._store.header.text_field

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self._store.header.n_features

    @property
    def dataset_description(self) -> str:
        """In the words of whoever made it."""
        return self._store.header.description

    @property
    def num_documents(self) -> int:
        """Number of documents."""
        return len(self._rows)

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns."""
        return [str(name) for name in self._frame.columns]

    @property
    def location(self) -> str:
        """Where it is stored."""
        return str(self._store.location)

    def pandas(self) -> pd.DataFrame:
        """Return the user's table, one row a document."""
        return self._frame

    def list(self) -> Records:
        """Return the user's table as dicts."""
        return [{str(k): v for k, v in row.items()} for row in self._frame.to_dict("records")]

    def documents(self) -> Values:
        """Return the texts, as given."""
        return list(self._frame[self.field])

    def dataset_rows(self) -> Rows:
        """Return all documents as rows."""
        return list(self)

    def text_of(self, position: int) -> str:
        """Return the text of a document; a chat's contents joined by newlines."""
        return document_text(self._frame[self.field].iloc[position])

    def errors(self) -> dict[int, str]:
        """Return why documents have no activations, by position; those not encoded yet too."""
        reasons = self._store.errors()
        for shard in self._store.missing():
            reasons |= dict.fromkeys(self._store.header.rows_of(shard), "not encoded yet")
        return {
            position: reasons[row]
            for position, row in enumerate(self._rows.tolist())
            if row in reasons
        }

    def own_labels(self) -> dict[int, str]:
        """Return the labels kept in the data set itself, by feature."""
        kept = self._store.labels(LABELS)
        return {feature: stored.label.text for feature, stored in kept.items()}

    def active_counts(self, n: int) -> "Sequence[int]":
        """Return how many features fire on each of the first n documents."""
        counts = np.diff(self._store.load_csr(self._rows[:n]).indptr)
        return [int(count) for count in counts]

    def digest(self) -> str:
        """Return the digest of all that is stored, the same from every machine and run."""
        return self._store.digest()

    def health(self) -> DatasetHealth:
        """Return counts of documents, tokens, dead and dense features, and what is missing."""
        return measure_health(self._store)

    # Choosing documents

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[DatasetRow]:
        return (DatasetRow(self, position) for position in range(len(self)))

    @overload
    def __getitem__(self, index: str) -> "pd.Series[Any]": ...
    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> DatasetRow: ...
    @overload
    def __getitem__(self, index: object) -> Any: ...  # noqa: ANN401 - by the kind of index
    def __getitem__(self, index: object) -> Any:
        """Return a document (a number), a column (a name), or a data set of some documents."""
        if isinstance(index, str):
            if index not in self._frame:
                raise InputError(f"no column {index!r}; the columns are: {', '.join(self.columns)}")
            return self._frame[index]
        if np.ndim(index) == 0 and not isinstance(index, slice):  # type: ignore[arg-type]
            return DatasetRow(self, as_index(index, len(self), what="document"))
        return self._view(as_rows(index, len(self), self._index))

    def _view(self, positions: NDArray[np.int64]) -> Self:
        view = type(self).__new__(type(self))
        frame = self._frame.iloc[positions].reset_index(drop=True)
        view._open(self._store, self._binding, frame, self._index[positions], self._rows[positions])
        view._device, view._premade = self._device, self._premade
        if hasattr(self, "_folder"):
            view._folder = self._folder
        return view

    def filter_na_rows(self) -> Self:
        """Return the documents that have activations."""
        failed = self.errors()
        return self._view(np.array([i for i in range(len(self)) if i not in failed], np.int64))

    def groupby(self, column: str) -> Iterator[tuple[Any, Self]]:
        """Yield (value, data set) for each value of a column, in the order of values."""
        for value, rows in self[column].groupby(self[column], sort=True).groups.items():
            yield value, self._view(np.asarray(rows, np.int64))

    def sort_by_columns(self, columns: "str | Sequence[str]", descending: bool = True) -> Self:  # noqa: FBT001, FBT002
        """Return the documents ordered by columns of the table."""
        order = self._frame.sort_values(by=columns, ascending=not descending, kind="stable").index
        return self._view(order.to_numpy(np.int64))

    def sort_by_features(
        self,
        features: Iterable[object],
        aggregation_type: Pool = "max",
        descending: bool = True,  # noqa: FBT001, FBT002
        include_nonactive_samples: bool = True,  # noqa: FBT001, FBT002
    ) -> Self:
        """Return the documents by their strongest of some features."""
        chosen = [as_feature(feature, self.n_features) for feature in features]
        strongest = self._csr(aggregation_type, features=chosen).max(axis=1).toarray().ravel()
        order = np.argsort(-strongest if descending else strongest, kind="stable")
        if not include_nonactive_samples:
            order = order[strongest[order] > 0]
        return self._view(order.astype(np.int64))

    # Activations

    def latents(
        self,
        aggregation_method: str = "max",
        compress: bool = True,  # noqa: FBT001, FBT002 - the first library's signature
        activated_threshold: float = 0.0,
    ) -> Any:  # noqa: ANN401 - sparse, dense or a list, by the arguments
        """Return the activations of documents, sparse, shape (n_documents, n_features).

        A document without activations has an empty row; a warning tells how many there are.

        Args:
            aggregation_method: How tokens are pooled: ``"max"``, ``"mean"`` (over counted tokens),
                ``"sum"``, ``"count"`` (of firing tokens), ``"binarize"``; or ``"all"`` for a list
                of (n_tokens, n_features) matrices.
            compress: False for a dense array.
            activated_threshold: For ``"count"`` and ``"binarize"``: fires strictly above this.

        Raises:
            InputError: The method is not known, or the threshold needs token activations that are
                not kept.
        """
        if aggregation_method == "all":
            return [self.token_matrix(position) for position in range(len(self))]
        if aggregation_method not in POOLS:
            raise InputError(
                f"aggregation_method must be one of {', '.join(POOLS)} or all, "
                f"got {aggregation_method!r}"
            )
        if failed := self.errors():
            warnings.warn(
                f"{len(failed)} of {len(self)} documents have no activations, their rows are "
                "empty: errors() says why, filter_na_rows() leaves them out",
                UserWarning,
                stacklevel=2,
            )
        matrix = self._csr(aggregation_method, threshold=activated_threshold)
        return matrix if compress else matrix.toarray()

    def _csr(
        self, pool: str, *, features: "Sequence[int] | None" = None, threshold: float = 0.0
    ) -> csr_matrix:
        rows = None if self._is_whole else self._rows
        return self._store.load_csr(rows, features=features, pool=pool, threshold=threshold)  # type: ignore[arg-type]

    def token_values(self, position: int, feature: int) -> TokenValues:
        """Return a feature's activation on every token of a document."""
        return self._token_values([position], feature)[0]

    def _token_values(self, positions: "Sequence[int]", feature: int) -> "Sequence[TokenValues]":
        failed = self.errors()
        for position in positions:
            if position in failed:
                raise InputError(f"document {position} has no activations: {failed[position]}")
        if self._store.header.tokens != "all":
            documents = [self._frame[self.field].iloc[position] for position in positions]
            return self._bound().token_values(documents, feature)
        found = []
        for position in positions:
            tokens = self._store.tokens(int(self._rows[position]))
            activations = csr_matrix(tokens.activations)
            values = np.asarray(activations[:, [feature]].toarray(), np.float32).ravel()
            found.append(TokenValues(self.text_of(position), tokens.span, values))
        return found

    def token_matrix(self, position: int) -> csr_matrix:
        """Return the activations of a document's tokens, shape (n_tokens, n_features)."""
        if self._store.header.tokens == "all":
            return csr_matrix(self._store.tokens(int(self._rows[position])).activations)
        return self._bound().token_matrix(self._frame[self.field].iloc[position])

    def token_activations(self, feature: object) -> Marked:
        """Return every document with the tokens marked on which a feature fires; None if failed."""
        index = as_feature(feature, self.n_features)
        failed = self.errors()
        good = [position for position in range(len(self)) if position not in failed]
        marked = dict(zip(good, self._marked(good, index), strict=True))
        return [marked.get(position) for position in range(len(self))]

    def _marked(self, positions: "Sequence[int]", feature: int) -> "Sequence[str]":
        return [
            mark(tokens.text, firing_spans(tokens.span, tokens.values))
            for tokens in self._token_values(positions, feature)
        ]

    def top_documents_for_feature(
        self,
        feature: object,
        aggregation_type: Pool = "max",
        document_only: bool = True,  # noqa: FBT001, FBT002 - the first library's signature
        k: int = 10,
        select_top: bool = True,  # noqa: FBT001, FBT002
        include_nonactive_samples: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:  # noqa: ANN401 - texts or a data set, by the arguments
        """Return the documents on which a feature is strongest, its tokens marked.

        Args:
            feature: Its index.
            aggregation_type: How tokens are pooled.
            document_only: False for a data set of these documents instead of marked texts.
            k: The most documents to return.
            select_top: False for the weakest instead.
            include_nonactive_samples: Whether silent documents may be among them.

        Raises:
            InputError: There is no such feature.
        """
        index = as_feature(feature, self.n_features)
        if (
            self._is_whole
            and aggregation_type == "max"
            and select_top
            and not (include_nonactive_samples)
        ):
            positions = self._store.top_documents(index, k).document.astype(np.int64)
        else:
            positions = self._ranked(
                index, aggregation_type, k, select_top, include_nonactive_samples
            )
        view = self._view(positions)
        return view._marked(list(range(len(view))), index) if document_only else view

    def _ranked(
        self,
        feature: int,
        pool: Pool,
        k: int,
        strongest: bool,  # noqa: FBT001
        silent: bool,  # noqa: FBT001
    ) -> NDArray[np.int64]:
        values = self._csr(pool, features=[feature]).toarray().ravel()
        order = np.argsort(-values, kind="stable")
        failed = np.array(list(self.errors()), np.int64)
        order = order[~np.isin(order, failed)]
        if not silent:
            order = order[values[order] > 0]
        return (order[:k] if strongest else order[max(0, len(order) - k) :]).astype(np.int64)

    # Labels

    def feature_labels(self) -> dict[int, str]:
        """Return the labels there are: yours, those made here, and pre-made ones, in this order.

        Pre-made labels are fetched once. If that fails a warning says so; no label is then missing
        for lack of one, and the next call tries again.
        """
        own = self.own_labels()
        if self._premade is None and (source := self._premade_source()) is not None:
            try:
                self._premade = load_premade_labels(source, n_features=self.n_features)
            except InputError as error:
                warnings.warn(
                    f"the pre-made labels could not be read: {error}", UserWarning, stacklevel=2
                )
        premade = {} if self._premade is None else self._premade.labels
        return {feature: label.text for feature, label in premade.items()} | own

    def _premade_source(self) -> str | None:
        if self._binding is None and self._store.header.reload.get("class") == "EmbeddingSAE":
            return None
        return self._bound().label_source

    async def label_feature(self, feature: object, **options: Any) -> str | None:  # noqa: ANN401
        """Return a label made from this data set's own documents, and keep it.

        Works with ``await`` in a notebook; :meth:`label_feature_sync` is its plain twin.
        """
        return await asyncio.to_thread(self.label_feature_sync, feature, **options)

    def label_feature_sync(self, feature: object) -> str | None:
        """Return a label for a feature from where it fires here, or None if no word tells it.

        Raises:
            InputError: There is no such feature.
        """
        index = as_feature(feature, self.n_features)
        outcome = self.label_features([index])
        return outcome.labels[index].text if index in outcome.labels else None

    def label_features(self, features: Iterable[object] | None = None) -> LabelOutcome:
        """Label features without an LLM, by the words on which they fire, and keep the labels.

        Every other document makes the labels (of a reader SAE, as many as have 100,000 tokens),
        the others measure them.

        Args:
            features: Indices; None for all that fire in at least ten documents.

        Raises:
            InputError: There is no such feature, or fewer than two documents have activations.
        """
        failed = self.errors()
        good = [position for position in range(len(self)) if position not in failed]
        if len(good) < 2:
            raise InputError(
                f"labels need at least two documents with activations, there are {len(good)}"
            )
        making, measuring = good[::2], good[1::2]
        activations = self._csr("max")
        if features is None:
            density = np.bincount(activations.indices, minlength=self.n_features)
            chosen = np.flatnonzero(density >= MIN_DOCUMENTS).tolist()
        else:
            chosen = [as_feature(feature, self.n_features) for feature in features]
        contexts: dict[int, tuple[TokenContext, ...]] = {}
        if self._store.header.reload.get("class") == "EmbeddingSAE":
            texts = [self.text_of(position) for position in making]
            labels = label_by_documents(texts, activations[making], chosen)
        else:
            making, tokens = self._tokens_for_labels(making)
            texts = [self.text_of(position) for position in making]
            labels, contexts = label_by_tokens(texts, tokens, self.n_features, chosen)
        held_out = [self.text_of(position) for position in measuring]
        fidelity = measure_labels(held_out, activations[measuring], labels)
        scores = {feature: measured.f1 for feature, measured in fidelity.items()}
        self._store.append_labels(LABELS, list(labels.values()), scores)
        return LabelOutcome(
            labels=labels,
            fidelity=fidelity,
            unlabelled=tuple(feature for feature in chosen if feature not in labels),
            contexts=contexts,
            n_label_documents=len(making),
            n_measure_documents=len(measuring),
        )

    def _tokens_for_labels(self, positions: Sequence[int]) -> "tuple[Sequence[int], TokenShard]":
        """Return documents with at most so many tokens, and all activations of these tokens."""
        counts = np.cumsum(self._store.load_counted(self._rows[list(positions)]))
        positions = list(positions)[: max(1, int(np.searchsorted(counts, _LABEL_TOKENS)))]
        if self._store.header.tokens == "all":
            return positions, self._store.load_tokens(self._rows[positions])
        documents = [self._frame[self.field].iloc[position] for position in positions]
        encoded = self._bound().encoder.encode(documents, tokens="all")
        if encoded.tokens is None:
            raise InputError("this SAE has no activations of tokens to make labels from")
        return positions, encoded.tokens

    def _add_labels(self, labels: Mapping[int, str]) -> None:
        records = [
            Label(as_feature(feature, self.n_features), str(text), "given", 0)
            for feature, text in labels.items()
        ]
        self._store.append_labels(LABELS, records)

    # Going elsewhere

    def save_to_file(self, file_path: str | Path) -> Self:
        """Write these documents as a data set of their own, and return it.

        Raises:
            StoredFileError: The folder holds another data set.
        """
        store = copy_documents(self._store, self._rows, self._frame, str(file_path))
        if self._binding is not None and store.folder is not None:
            self._binding.save(store.folder)
        return type(self).load_from_file(file_path)

    def to_frame(
        self, features: Iterable[object] | None = None, pool: Pool = "max"
    ) -> pd.DataFrame:
        """Return the table with a column of activations for each of some features.

        Args:
            features: Indices; None for none, then only the table and ``error`` are given.
            pool: How tokens are pooled.
        """
        chosen = [as_feature(f, self.n_features) for f in features or ()]
        frame = self._frame.copy()
        values = self._csr(pool, features=chosen).toarray() if chosen else np.empty((len(self), 0))
        failed = self.errors()
        missing = np.array([position in failed for position in range(len(self))], bool)
        for column, feature in enumerate(chosen):
            frame[f"feature_{feature}"] = np.where(missing, np.nan, values[:, column])
        frame["error"] = [failed.get(position) for position in range(len(self))]
        return frame

    def to_anndata(self, pool: Pool = "max") -> "AnnData":
        """Return an AnnData object: obs are documents, var are features with their labels.

        Raises:
            MissingExtraError: anndata is not installed.
        """
        anndata = require_extra("anndata", extra="anndata", purpose="AnnData objects")
        labels = self.feature_labels()
        names = [str(feature) for feature in range(self.n_features)]
        var = pd.DataFrame({"label": [labels.get(f, "") for f in range(self.n_features)]}, names)
        obs = self._frame.copy()
        obs.index = pd.Index([str(row) for row in self._rows])
        obs[self.field] = [self.text_of(position) for position in range(len(self))]
        return anndata.AnnData(X=self._csr(pool), obs=obs, var=var)

    def __repr__(self) -> str:
        return dataset_text(self)

    def _repr_html_(self) -> str:
        return dataset_html(self)
