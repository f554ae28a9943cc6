"""Which documents are searched, which decide between labels, and which are kept for the test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.hypotheses.prepare import MIN_DOCUMENTS, Prepared
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.stats import SplitRows, split_rows


@dataclass(frozen=True, slots=True, eq=False)
class StudyRows:
    """Positions of the documents, by what may be done with them."""

    split: SplitRows
    tune: NDArray[np.int64] | None
    """In neither part of the split; None where labels are chosen on the discover documents."""


def split_study(prepared: Prepared, settings: StudySettings) -> StudyRows:
    """Return a random split that keeps groups, duplicates and pairs whole, alike in the target.

    Raises:
        InputError: A side would have too few documents.
    """
    balance, minimum = prepared.balance(), MIN_DOCUMENTS // 4
    rows = split_rows(
        prepared.groups,
        confirm_share=settings.confirm_share,
        seed=settings.seed,
        stratify=balance,
        minimum=minimum,
    )
    if not settings.tune_share:
        return StudyRows(rows, None)
    both = rows.discover
    inner = split_rows(
        prepared.groups[both],
        confirm_share=settings.tune_share / (1.0 - settings.confirm_share),
        seed=settings.seed,
        stratify=balance[both],
        minimum=minimum,
    )
    return StudyRows(SplitRows(both[inner.discover], rows.confirm), both[inner.confirm])
