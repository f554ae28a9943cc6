"""The front door: a data set with the activations of its documents. It binds and forwards."""

import asyncio
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed._extras import require_extra
from interp_embed.dataset.associations import Associations
from interp_embed.dataset.binding import LazyBinding, TokenValues, bind
from interp_embed.dataset.comparisons import Comparisons
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.copying import copy_documents
from interp_embed.dataset.document import DatasetRow
from interp_embed.dataset.explorations import Explorations
from interp_embed.dataset.health import DatasetHealth, measure_health
from interp_embed.dataset.labelling import LabelOutcome
from interp_embed.dataset.labels import LabelBook
from interp_embed.dataset.page import dataset_html, dataset_text
from interp_embed.dataset.selection import as_feature, as_frame, as_index, as_rows
from interp_embed.dataset.startup import check_reader
from interp_embed.dataset.tokens import TokenAccess
from interp_embed.encode import encode_dataset, plan_dataset
from interp_embed.errors import InputError, StoredFileError
from interp_embed.interpret import LLMLike, LLMRoles, as_roles
from interp_embed.llm import CostEstimate
from interp_embed.records import Fidelity
from interp_embed.sae.bound import Device
from interp_embed.store import Pool, Precision, Store, TokenDetail

if TYPE_CHECKING:
    from anndata import AnnData

Records = list[dict[str, Any]]
Rows = list[DatasetRow]
Values = list[Any]
Marked = list[str | None]
"""Aliases: inside the class, ``list`` is a method, as it was in the first library."""


class Dataset(Comparisons, Associations, Explorations):
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
        bound = LazyBinding(store, binding)
        bound.save()
        contents = Contents(store, frame=frame.reset_index(drop=True), labels=frame.index)
        self._open(contents, bound, LabelBook(store, bound))
        if feature_labels:
            self._labels.add(feature_labels)
        if compute_activations:
            self.resume(progress=progress)

    def _temporary(self) -> str:
        # Kept alive by this object and its views; removed with the last of them.
        self._folder = tempfile.TemporaryDirectory(prefix="interp-embed-")
        return str(Path(self._folder.name) / "dataset")

    def _open(self, contents: Contents, binding: LazyBinding, labels: LabelBook) -> None:
        self._contents, self._binding, self._labels = contents, binding, labels
        self._store = contents.store
        self._tokens = TokenAccess(contents, binding)

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
        """Return a data set from its folder; table and model are loaded when they are needed.

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
        contents = Contents(Store.open(str(file_path)))
        given = (
            None if sae is None else bind(sae, contents.frame, contents.field, progress=progress)
        )
        binding = LazyBinding(contents.store, given, device=device)
        dataset = cls.__new__(cls)
        dataset._open(contents, binding, LabelBook(contents.store, binding))
        return dataset.resume(progress=progress) if resume else dataset

    def resume(self, *, progress: bool = True) -> Self:
        """Encode the documents that still lack activations, and return this data set."""
        missing, header = self._store.missing(), self._store.header
        if missing:
            if len(missing) == header.n_shards:
                check_reader(self._binding.get(), self.documents(), header.tokens)
            encode_dataset(self._store, self._binding.get().encoder, progress=progress)
        return self

    # What is in it

    @property
    def field(self) -> str:
        """Column that holds the documents."""
        return self._contents.field

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
        return len(self._contents)

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns."""
        return [str(name) for name in self.pandas().columns]

    @property
    def location(self) -> str:
        """Where it is stored."""
        return str(self._store.location)

    def pandas(self) -> pd.DataFrame:
        """Return the user's table, one row a document."""
        return self._contents.frame

    def list(self) -> Records:
        """Return the user's table as dicts."""
        return [{str(k): v for k, v in row.items()} for row in self.pandas().to_dict("records")]

    def documents(self) -> Values:
        """Return the texts, as given."""
        return self.pandas()[self.field].tolist()

    def dataset_rows(self) -> Rows:
        """Return all documents as rows."""
        return [*self]

    def text_of(self, position: int) -> str:
        """Return the text of a document; a chat's contents joined by newlines."""
        return self._contents.text(position)

    def errors(self) -> dict[int, str]:
        """Return why documents have no activations, by position; those not encoded yet too."""
        return self._contents.errors()

    def digest(self) -> str:
        """Return the digest of all that is stored, the same from every machine and run."""
        return self._store.digest()

    def health(self) -> DatasetHealth:
        """Return counts of documents, tokens, dead and dense features, and what is missing."""
        return measure_health(self._store)

    # Choosing documents

    def __len__(self) -> int:
        return len(self._contents)

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
            if index not in self.pandas():
                raise InputError(f"no column {index!r}; the columns are: {', '.join(self.columns)}")
            return self.pandas()[index]
        if np.ndim(index) == 0 and not isinstance(index, slice):  # type: ignore[arg-type]
            return DatasetRow(self, as_index(index, len(self), what="document"))
        return self._view(as_rows(index, len(self), self._contents.labels))

    def _view(self, positions: NDArray[np.int64]) -> Self:
        view = type(self).__new__(type(self))
        view._open(self._contents.take(positions), self._binding, self._labels)
        if hasattr(self, "_folder"):
            view._folder = self._folder
        return view

    def filter_na_rows(self) -> Self:
        """Return the documents that have activations."""
        failed = self.errors()
        return self._view(np.array([i for i in range(len(self)) if i not in failed], np.int64))

    def groupby(self, column: str) -> Iterator[tuple[Any, Self]]:
        """Yield (value, data set) for each value of a column, in the order of values.

        Documents without a value come last, under NaN.
        """
        for value, part in self[column].groupby(self[column], sort=True, dropna=False):
            yield value, self._view(part.index.to_numpy(np.int64))

    def sort_by_columns(self, columns: "str | Sequence[str]", descending: bool = True) -> Self:  # noqa: FBT001, FBT002
        """Return the documents ordered by columns of the table."""
        by = [columns] if isinstance(columns, str) else [*columns]
        order = self.pandas().sort_values(by=by, ascending=not descending, kind="stable").index
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
        activations = self._contents.load_csr(aggregation_type, features=chosen)
        strongest = activations.max(axis=1).toarray().ravel()
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
            activated_threshold: Pooled values at or below it are left out; for ``"binarize"``,
                largest activations at or below it.

        Raises:
            InputError: The method is not known.
        """
        if aggregation_method == "all":
            return [self.token_matrix(position) for position in range(len(self))]
        if aggregation_method not in get_args(Pool):
            raise InputError(
                f"aggregation_method must be one of {', '.join(get_args(Pool))} or all, "
                f"got {aggregation_method!r}"
            )
        if failed := self.errors():
            warnings.warn(
                f"{len(failed)} of {len(self)} documents have no activations, their rows are "
                "empty: errors() says why, filter_na_rows() leaves them out",
                UserWarning,
                stacklevel=2,
            )
        matrix = self._contents.load_csr(aggregation_method, threshold=activated_threshold)
        return matrix if compress else matrix.toarray()

    def active_counts(self, n: int) -> Sequence[int]:
        """Return how many features fire on each of the first n documents."""
        counts = np.diff(self._store.load_csr(self._contents.rows[:n]).indptr)
        return [int(count) for count in counts]

    def token_values(self, position: int, feature: object) -> TokenValues:
        """Return a feature's activation on every token of a document."""
        return self._tokens.values([position], as_feature(feature, self.n_features))[0]

    def token_matrix(self, position: int) -> csr_matrix:
        """Return the activations of a document's tokens, shape (n_tokens, n_features)."""
        return self._tokens.matrix(position)

    def token_activations(self, feature: object) -> Marked:
        """Return every document with the tokens marked on which a feature fires; None if failed."""
        index = as_feature(feature, self.n_features)
        failed = self.errors()
        good = [position for position in range(len(self)) if position not in failed]
        marked = dict(zip(good, self._tokens.marked(good, index), strict=True))
        return [marked.get(position) for position in range(len(self))]

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
            InputError: There is no such feature, or k is below 1.
        """
        index = as_feature(feature, self.n_features)
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}")
        usual = aggregation_type == "max" and select_top and not include_nonactive_samples
        if usual and self._contents.is_whole:
            positions = self._store.top_documents(index, k).document.astype(np.int64)
        else:
            order = self._ranked(index, aggregation_type, silent=include_nonactive_samples)
            positions = order[:k] if select_top else order[max(0, len(order) - k) :]
        view = self._view(positions)
        return view._tokens.marked(range(len(view)), index) if document_only else view

    def _ranked(self, feature: int, pool: Pool, *, silent: bool) -> NDArray[np.int64]:
        values = self._contents.load_csr(pool, features=[feature]).toarray().ravel()
        order = np.argsort(-values, kind="stable")
        order = order[~np.isin(order, np.array([*self.errors()], np.int64))]
        return (order if silent else order[values[order] > 0]).astype(np.int64)

    # Labels

    def own_labels(self) -> dict[int, str]:
        """Return the labels kept in the data set itself, by feature."""
        return self._labels.own()

    def feature_labels(self) -> dict[int, str]:
        """Return the labels there are: yours and those made here, then pre-made ones.

        Pre-made labels are fetched once. If that fails a warning says so, and the next call tries
        again.
        """
        return self._labels.every()

    async def label_feature(
        self, feature: object, *, llm: LLMLike | None = None, instructions: str = ""
    ) -> str | None:
        """Return a label made from this data set's own documents, and keep it.

        Works with ``await`` in a notebook; :meth:`label_feature_sync` is its plain twin.
        """
        return await asyncio.to_thread(
            self.label_feature_sync, feature, llm=llm, instructions=instructions
        )

    def label_feature_sync(
        self, feature: object, *, llm: LLMLike | None = None, instructions: str = ""
    ) -> str | None:
        """Return a label for a feature from where it fires here, or None if none could be found.

        Args:
            feature: Its index.
            llm: A language model or its name; None for a label of words, which needs none.
            instructions: What the labels should be about, for the model.

        Raises:
            InputError: There is no such feature.
            LLMError: The model's server cannot be used.
        """
        index = as_feature(feature, self.n_features)
        roles = as_roles(llm, instructions=instructions)
        outcome = self.label_features([index], llm=roles)
        return outcome.labels[index].text if index in outcome.labels else None

    async def score_feature(
        self, feature: object, label: str | None = None, *, llm: LLMLike | None = None
    ) -> Fidelity:
        """Return how well a label tells where a feature fires; its plain twin ends in ``_sync``."""
        return await asyncio.to_thread(self.score_feature_sync, feature, label, llm=llm)

    def score_feature_sync(
        self, feature: object, label: str | None = None, *, llm: LLMLike | None = None
    ) -> Fidelity:
        """Return precision, recall and F1 of a label on documents it is not made from.

        Args:
            feature: Its index.
            label: In words; None for the feature's own.
            llm: A language model or its name, which reads the label; None for labels of words.

        Raises:
            InputError: There is no such feature, it has no label, or the label is in free words
                and no model is given.
        """
        index = as_feature(feature, self.n_features)
        roles = as_roles(llm)
        annotator = None if roles is None else roles.annotator
        return self._labels.score(self._contents, index, label, annotator)

    def label_features(
        self,
        features: Iterable[object] | None = None,
        *,
        llm: LLMLike | None = None,
        progress: bool = False,
    ) -> LabelOutcome:
        """Label features from where they fire in these documents, and keep the labels.

        Half of the documents make the labels (by words of a reader SAE, as many as have 100,000
        tokens), the others measure them; nearly equal texts are on one side. Without a language
        model a label is the words on which its feature fires.

        Args:
            features: Indices; None for all that fire in at least ten documents.
            llm: A language model or its name, to label and to measure, or ``LLMRoles`` with
                settings of both; None for words.
            progress: Show bars.

        Raises:
            InputError: There is no such feature, or fewer than two documents that differ have
                activations.
            LLMError: The model's server cannot be used.
        """
        n = self.n_features
        chosen = None if features is None else [as_feature(feature, n) for feature in features]
        roles = as_roles(llm)
        if roles is not None:
            return self._labels.make_by_llm(self._contents, chosen, roles)
        return self._labels.make(self._contents, chosen, progress=progress)

    def estimate_labels(
        self,
        features: Iterable[object] | None,
        llm: LLMLike,
    ) -> CostEstimate:
        """Return what :meth:`label_features` by a model would take; nothing is sent.

        Labels are not known beforehand: ones of typical length stand for them, so that what is
        stored of an earlier run may count as still to be asked.

        Args:
            features: Indices; None for all that fire in at least ten documents.
            llm: A language model or its name, or ``LLMRoles``.
        """
        n = self.n_features
        chosen = None if features is None else [as_feature(feature, n) for feature in features]
        roles = llm if isinstance(llm, LLMRoles) else LLMRoles.of(llm)
        return self._labels.estimate(self._contents, chosen, roles)

    # Going elsewhere

    def save_to_file(self, file_path: str | Path) -> Self:
        """Write these documents as a data set of their own, and return it.

        Raises:
            StoredFileError: The folder holds another data set.
        """
        store = copy_documents(self._contents, str(file_path))
        if self._binding.is_of_documents() and store.folder is not None:
            self._binding.get().save(store.folder)
        return type(self).load_from_file(file_path)

    def to_frame(
        self, features: Iterable[object] | None = None, pool: Pool = "max"
    ) -> pd.DataFrame:
        """Return the table with a column of activations for each of some features.

        A document without activations has NaN there, and the reason in the column ``error``.

        Args:
            features: Indices; None for none.
            pool: How tokens are pooled.
        """
        chosen = [as_feature(feature, self.n_features) for feature in features or ()]
        failed = self.errors()
        missing = np.array([position in failed for position in range(len(self))], bool)
        frame = self.pandas().copy()
        if chosen:
            values = self._contents.load_csr(pool, features=chosen).toarray()
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
        obs = self.pandas().copy()
        obs.index = pd.Index([str(row) for row in self._contents.rows])
        obs[self.field] = [self.text_of(position) for position in range(len(self))]
        return anndata.AnnData(X=self._contents.load_csr(pool), obs=obs, var=var)

    def __repr__(self) -> str:
        return dataset_text(self)

    def _repr_html_(self) -> str:
        return dataset_html(self)
