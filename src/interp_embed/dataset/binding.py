"""What a data set needs of whatever made its activations: both kinds of SAE behind one seam."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from interp_embed.embedders import Embedder, embed_documents, load_embedder
from interp_embed.embedders.shares import feature_shares, token_vectors
from interp_embed.encode import DocumentEncoder, EmbeddingEncoder, ReaderEncoder
from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Json
from interp_embed.sae import EmbeddingSAE
from interp_embed.sae.bound import BoundSAE, Device, sae_from_metadata
from interp_embed.store import Store
from interp_embed.tables import collect_documents, require_column

SAE_FOLDER = "sae"
"""Where a data set keeps an embedding SAE that was trained for it."""
_SHARE_OF_PEAK = 0.5
"""A token is marked for an embedding feature if its share is at least this part of the largest."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenValues:
    """Activation of one feature on every token of a document."""

    text: str
    span: NDArray[np.int32]
    """Characters of each token, shape (n_tokens, 2)."""
    values: NDArray[np.float32]
    """Shape (n_tokens,)."""


class Binding(Protocol):
    """What made, or can make, the activations of a data set."""

    @property
    def encoder(self) -> DocumentEncoder:
        """Makes activations; models are loaded when it is first asked for."""
        ...

    @property
    def reload(self) -> Mapping[str, Json]:
        """What makes this binding again from the file, as JSON."""
        ...

    @property
    def label_source(self) -> str | None:
        """Where pre-made labels are."""
        ...

    @property
    def directions(self) -> NDArray[np.float32] | None:
        """The decoder, shape (n_features, d_in); None where there is none."""
        ...

    def token_values(self, documents: Sequence[object], feature: int) -> list[TokenValues]:
        """Return a feature's activation on the tokens of documents."""
        ...

    def token_matrix(self, document: object) -> csr_matrix:
        """Return all activations of the tokens of a document."""
        ...

    def save(self, folder: Path) -> None:
        """Keep in a data set's folder what ``reload`` will need."""
        ...


class ReaderBinding:
    """A reader SAE: ``LocalSAE``, ``GoodfireSAE``."""

    def __init__(self, sae: BoundSAE) -> None:
        self.sae = sae

    @property
    def encoder(self) -> ReaderEncoder:
        """The reader with its SAE, loaded."""
        return ReaderEncoder(self.sae.source, self.sae.weights)

    @property
    def reload(self) -> Mapping[str, Json]:
        """Class and arguments."""
        return self.sae.metadata()

    @property
    def label_source(self) -> str | None:
        """Where pre-made labels are."""
        return self.sae.label_source

    @property
    def directions(self) -> NDArray[np.float32] | None:
        """The decoder; reader and SAE are loaded."""
        decoder = self.sae.weights.decoder
        return None if decoder is None else decoder.float().cpu().numpy()

    def token_values(self, documents: Sequence[object], feature: int) -> list[TokenValues]:
        """Run the documents through the reader again."""
        encoded = self.encoder.encode(documents, tokens="all")
        tokens = encoded.tokens
        assert tokens is not None  # noqa: S101 - asked for just above
        found = []
        for number, document in enumerate(documents):
            if (error := encoded.pooled.errors[number]) is not None:
                raise InputError(f"the document has no activations: {error}")
            rows = slice(int(tokens.token_start[number]), int(tokens.token_start[number + 1]))
            text = self.sae.source.tokenize(document).text  # type: ignore[arg-type]
            values = _column(tokens.start, tokens.feature, tokens.value, rows, feature)
            found.append(TokenValues(text, tokens.span[rows], values))
        return found

    def token_matrix(self, document: object) -> csr_matrix:
        """Run the document through the reader again."""
        return self.sae.encode([document])[0]

    def save(self, folder: Path) -> None:
        """Nothing to keep: the SAE is found again by its name."""


class EmbeddingBinding:
    """An embedding SAE, fitted."""

    def __init__(self, sae: EmbeddingSAE, embedder: Embedder, *, kept: bool = False) -> None:
        self.sae, self._embedder, self._kept = sae, embedder, kept

    @property
    def encoder(self) -> EmbeddingEncoder:
        """The embedder with the SAE."""
        return EmbeddingEncoder(self._embedder, self.sae.weights_)

    @property
    def reload(self) -> Mapping[str, Json]:
        """The embedder's name; the weights are in the data set's folder."""
        return {"class": "EmbeddingSAE", "embedder": self.sae.embedder}

    @property
    def label_source(self) -> str | None:
        """None: the SAE was trained here."""
        return None

    @property
    def directions(self) -> NDArray[np.float32] | None:
        """The decoder."""
        return self.sae.weights_.decoder

    def token_values(self, documents: Sequence[object], feature: int) -> list[TokenValues]:
        """Return each token's exact share of the feature's pre-activation, where it is large.

        The embedding is a mean of token vectors, so the shares of all tokens (special ones
        included) sum to the pre-activation without its bias. Shares below half of the largest
        are given as 0, so that what is marked is what carries the feature.
        """
        texts = [str(document) for document in documents]
        tokens = token_vectors(self._embedder, texts)
        shares = feature_shares(tokens, self.sae.weights_.encoder[[feature]])[:, 0]
        found = []
        for number, text in enumerate(texts):
            rows = slice(int(tokens.start[number]), int(tokens.start[number + 1]))
            span, values = tokens.span[rows], shares[rows]
            real = span[:, 1] > span[:, 0]
            least = max(_SHARE_OF_PEAK * values[real].max(initial=0.0), np.float32(0))
            kept = np.where(values[real] >= least, values[real], 0).clip(min=0)
            found.append(TokenValues(text, span[real], kept.astype(np.float32)))
        return found

    def token_matrix(self, document: object) -> csr_matrix:
        """Refuse: an embedding SAE has activations of documents only."""
        raise InputError(
            "an embedding SAE has one activation a document and feature, none of tokens; "
            "token_activations(feature) gives each token's share of it"
        )

    def save(self, folder: Path) -> None:
        """Write the weights beside the data set."""
        if not self._kept:
            self.sae.save(folder / SAE_FOLDER)
            self._kept = True


def bind(sae: object, frame: pd.DataFrame, field: str, *, progress: bool) -> Binding:
    """Return the binding of whatever the user passed as ``sae``; an unfitted one is fitted.

    Raises:
        InputError: It is no SAE of this library.
    """
    if isinstance(sae, BoundSAE):
        return ReaderBinding(sae)
    if isinstance(sae, EmbeddingSAE):
        texts = collect_documents(list(require_column(frame, field, purpose="the text"))).texts
        if not texts:
            raise InputError(f"no document of {field!r} can be used to train the SAE")
        embedder = load_embedder(sae.embedder).fit(texts)
        try:
            check_is_fitted(sae, "weights_")
        except NotFittedError:
            sae.fit(embed_documents(texts, embedder, progress=progress))
        return EmbeddingBinding(sae, embedder)
    raise InputError(
        f"sae must be a LocalSAE, GoodfireSAE or EmbeddingSAE, got {type(sae).__name__}; "
        "LocalSAE.default() needs no download"
    )


def bind_again(store: Store, *, device: Device) -> Binding:
    """Return the binding that made a stored data set.

    Raises:
        InputError: It cannot be made again.
    """
    reload, folder = store.header.reload, store.folder
    if reload.get("class") == "EmbeddingSAE":
        if folder is None or not (folder / SAE_FOLDER).is_dir():
            raise StoredFileError(
                f"the data set lacks the SAE that made it (folder {SAE_FOLDER!r}); pass sae="
            )
        sae = EmbeddingSAE.load(folder / SAE_FOLDER)
        sae.embedder = str(reload["embedder"])
        field = store.header.text_field
        documents = store.load_documents(columns=[field])[field]
        embedder = load_embedder(sae.embedder).fit(collect_documents(list(documents)).texts)
        return EmbeddingBinding(sae, embedder, kept=True)
    return ReaderBinding(sae_from_metadata(reload, device=device))


def _column(
    start: NDArray[np.int64] | None,
    feature: NDArray[np.int32] | None,
    value: NDArray[np.float32] | None,
    rows: slice,
    wanted: int,
) -> NDArray[np.float32]:
    """Return one feature's values on a run of tokens."""
    assert start is not None  # noqa: S101 - of a shard with token activations
    assert feature is not None  # noqa: S101
    assert value is not None  # noqa: S101
    begin, end = int(start[rows.start]), int(start[rows.stop])
    hits = begin + np.flatnonzero(feature[begin:end] == wanted)
    values = np.zeros(rows.stop - rows.start, np.float32)
    values[np.searchsorted(start[rows.start : rows.stop + 1], hits, side="right") - 1] = value[hits]
    return values


class LazyBinding:
    """The binding of a stored data set, made when it is first needed, shared by all its views."""

    def __init__(
        self, store: Store, binding: Binding | None = None, *, device: Device = None
    ) -> None:
        self._store, self._binding, self._device = store, binding, device

    def get(self) -> Binding:
        """Return it.

        Raises:
            InputError: What made the data set cannot be found.
        """
        if self._binding is None:
            self._binding = bind_again(self._store, device=self._device)
        return self._binding

    def is_of_documents(self) -> bool:
        """Whether activations are of whole documents (an embedding SAE), not of tokens."""
        return self._store.header.source.get("kind") == "embedding"

    def label_source(self) -> str | None:
        """Return where pre-made labels are."""
        unknown = self._binding is None and not self._store.header.reload
        if self.is_of_documents() or unknown:
            return None
        return self.get().label_source

    def save(self) -> None:
        """Keep in a local data set's folder what opening it will need."""
        if self._binding is not None and self._store.folder is not None:
            self._binding.save(self._store.folder)
