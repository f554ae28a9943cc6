"""Documents without texts, as the analyses read them."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis import EncodedDocuments


def firing_documents(
    fires: NDArray[np.bool_], tokens: NDArray[np.int64] | None = None
) -> EncodedDocuments:
    """Return documents in which features fire, all equally strongly.

    Args:
        fires: Shape (n_documents, n_features).
        tokens: Their lengths, (n_documents,); None: all 10.
    """
    n = len(fires)
    return EncodedDocuments(
        texts=[""] * n,
        activations=csr_matrix(fires.astype(np.float32)),
        n_tokens=np.full(n, 10) if tokens is None else tokens,
    )
