"""Dense vectors of a study's documents: embedded here, or given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.embedders import Embedder, embed_documents, load_embedder
from interp_embed.embedders.documents import Cache
from interp_embed.errors import InputError
from interp_embed.hypotheses.prepare import Prepared
from interp_embed.records import Json
from interp_embed.sae.matrix import check_embeddings


@dataclass(frozen=True, slots=True, eq=False)
class StudyVectors:
    """Vectors of the usable documents, and what made them."""

    values: NDArray[np.float32]
    """Shape (n_documents, d_in); of pairs each text's less that of the other."""
    identity: dict[str, Json]


def embed_rows(
    prepared: Prepared,
    embedder: Embedder | str,
    *,
    discover: NDArray[np.int64],
    cache: Cache,
    progress: bool,
) -> StudyVectors:
    """Return vectors from an embedder, which is fitted on discover documents if it needs to be."""
    used = load_embedder(embedder) if isinstance(embedder, str) else embedder
    used = used.fit([prepared.documents[i] for i in discover])
    vectors = embed_documents(prepared.documents, used, cache=cache, progress=progress)
    return StudyVectors(_differences(vectors, prepared), dict(used.identity))


def _differences(vectors: NDArray[np.float32], prepared: Prepared) -> NDArray[np.float32]:
    """Return each text's vector, of pairs less that of the other text."""
    if prepared.pairs is None:
        return vectors
    first, second = vectors[0::2], vectors[1::2]
    return np.stack([first - second, second - first], axis=1).reshape(vectors.shape)


def take_rows(embeddings: ArrayLike, prepared: Prepared) -> StudyVectors:
    """Return the given vectors of the usable documents.

    Args:
        embeddings: Shape (n_rows, d_in); of pairs (n_rows, 2, d_in).
        prepared: The documents.

    Raises:
        InputError: They are of another shape, no numbers, or not finite where they are needed.
    """
    try:
        matrix = np.asarray(embeddings)
    except ValueError as error:
        raise InputError(
            f"embeddings cannot be read as a matrix ({error}); give one row of numbers a "
            "document, all of one length"
        ) from error
    wanted, shape = (2, "one row") if prepared.pairs is None else (3, "two rows")
    if (
        matrix.ndim != wanted
        or len(matrix) != prepared.n_read
        or (wanted == 3 and matrix.shape[1] != 2)
    ):
        raise InputError(
            f"embeddings must have {shape} for each of the {prepared.n_read} "
            f"{'documents' if wanted == 2 else 'pairs'}, but their shape is {matrix.shape}"
        )
    rows = prepared.rows if prepared.pairs is None else prepared.rows[::2]
    used = matrix[rows].reshape(len(prepared.documents), -1)
    if used.dtype.kind == "f" and not np.isfinite(used).all():
        bad = np.unique(prepared.rows[~np.isfinite(used).all(axis=1)])
        raise InputError(
            f"{len(bad)} of {len(rows)} rows of embeddings are not finite (NaN or infinity), such "
            f"as row {', '.join(map(str, bad[:5].tolist()))}; embed these documents again, or "
            "leave them out"
        )
    return StudyVectors(_differences(check_embeddings(used), prepared), {"kind": "given"})
