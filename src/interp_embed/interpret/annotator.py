"""What every annotator offers: verdicts on documents from the words of concepts alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.records import Annotations, Label


class Annotator(Protocol):
    """Answers, for documents and concepts, whether the document has the concept."""

    def annotate(
        self,
        documents: Sequence[str],
        concepts: Sequence[str],
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> Annotations:
        """Return verdicts of shape (n_documents, n_concepts); missing ones with a reason.

        Args:
            documents: Texts, n_documents.
            concepts: In words, n_concepts.
            only: The pairs wanted, shape (n_documents, n_concepts); the others are NaN without a
                reason. None for all.
        """
        ...


class Labeller(Protocol):
    """Finds words for features, from documents it was made with."""

    def label(self, activations: csr_matrix, feature: int) -> Label | None:
        """Return the label of one feature, or None if it finds none.

        Args:
            activations: Of these documents, shape (n_documents, n_features).
            feature: Its index.
        """
        ...


def wanted_pairs(
    only: NDArray[np.bool_] | None, n_documents: int, n_concepts: int
) -> NDArray[np.bool_]:
    """Return the pairs wanted, shape (n_documents, n_concepts).

    Raises:
        InputError: ``only`` is of another shape, or is not of yes and no.
    """
    if only is None:
        return np.ones((n_documents, n_concepts), np.bool_)
    mask = np.asarray(only)
    if mask.shape != (n_documents, n_concepts) or mask.dtype != np.bool_:
        raise InputError(
            f"only= must be a boolean array of shape ({n_documents}, {n_concepts}), one entry for "
            f"each document and concept, but is {mask.dtype} of shape {mask.shape}"
        )
    return mask


def restrict_annotations(annotations: Annotations, only: NDArray[np.bool_] | None) -> Annotations:
    """Return annotations without the pairs that were not wanted.

    Raises:
        InputError: ``only`` is of another shape than the verdicts.
    """
    if only is None:
        return annotations
    n_documents, n_concepts = annotations.verdicts.shape
    wanted = wanted_pairs(only, n_documents, n_concepts)
    verdicts = np.where(wanted, annotations.verdicts, np.float32(np.nan))
    reasons = {pair: why for pair, why in annotations.reasons.items() if wanted[pair]}
    return replace(annotations, verdicts=verdicts, reasons=reasons)
