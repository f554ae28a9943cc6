"""The documents of a data set as the analyses read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis import EncodedDocuments
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.labelling import STRONG
from interp_embed.errors import InputError

Firing = Literal["any", "strong"] | float
"""When a feature counts as firing on a document: at any activation above 0; where its activation
is above 0.3 of the largest it has in the data set, as labels of token features mean it; or above a
number."""


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Documents that have activations, and where in each of them features are strongest."""

    documents: EncodedDocuments
    peak: NDArray[np.int32]
    """Token at which each entry of the activations is largest, -1 if unknown, shape (nnz,)."""


def load_entries(
    contents: Contents,
    *,
    labels: Mapping[int, str],
    of_documents: bool,
    cuts: NDArray[np.float32] | None = None,
) -> Entries:
    """Return the documents that have activations, with them.

    Args:
        contents: Which documents.
        labels: What features mean, by feature.
        of_documents: Whether activations are of whole documents; their length then is in words.
        cuts: Activation above which each feature fires, shape (n_features,); None for 0.

    Raises:
        InputError: No document has activations.
    """
    header = contents.store.header
    missing = contents.errors()
    places = [place for place in range(len(contents)) if place not in missing]
    positions = np.array(places, np.int64)
    if not len(positions):
        raise InputError(
            f"none of the {len(contents)} documents has activations"
            + (f" (the first: {missing[0]})" if missing else "")
        )
    pooled = contents.store.load_pooled(contents.rows[positions])
    shape = (len(positions), header.n_features)
    activations = csr_matrix((pooled.maximum, pooled.feature, pooled.start), shape)
    texts = [contents.text(int(place)) for place in positions]
    words = np.array([len(text.split()) for text in texts], np.int64)
    documents = EncodedDocuments(
        texts=texts,
        activations=activations,
        n_tokens=words if of_documents else pooled.n_counted.astype(np.int64),
        labels=labels,
        metadata=contents.frame.iloc[positions].reset_index(drop=True),
        source=dict(header.source) | {"pooling": "max"},
        rows=positions,
        missing=missing,
        cuts=cuts,
    )
    return Entries(documents, pooled.peak)


def cuts_for(
    firing: Firing | None, contents: Sequence[Contents], *, of_documents: bool
) -> NDArray[np.float32] | None:
    """Return the activation above which each feature fires, the same for all data sets given.

    Args:
        firing: None: "any" for activations of documents, "strong" for those of tokens.
        contents: The data sets.
        of_documents: Whether activations are of whole documents.

    Raises:
        InputError: ``firing`` is none of these, or negative.
    """
    chosen = ("any" if of_documents else "strong") if firing is None else firing
    if chosen == "any" or chosen == 0:
        return None
    stores = [one.store for one in contents]
    n_features = {store.header.n_features for store in stores}
    if len(n_features) > 1:
        raise InputError(
            "the data sets were made with different SAEs, of "
            f"{' and '.join(str(n) for n in sorted(n_features))} features: their features are not "
            "the same; encode both with one"
        )
    if chosen == "strong":
        largest = np.max([store.stats().maximum for store in stores], axis=0)
        return np.asarray(np.float32(STRONG) * largest, np.float32)
    try:
        least = float(chosen)
    except (TypeError, ValueError):
        least = float("nan")
    if not 0 <= least < float("inf"):
        raise InputError(
            f'firing must be "any", "strong" or an activation of at least 0, got {chosen!r}'
        )
    return np.full(n_features.pop(), least, np.float32)
