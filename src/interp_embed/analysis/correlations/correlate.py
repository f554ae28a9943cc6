"""Which features go together in documents, or avoid each other, more than chance explains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.analysis.correlations.linked_pairs import Neighbours, find_links
from interp_embed.analysis.correlations.records import Correlations
from interp_embed.analysis.differences.sides import as_keys
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.analysis.plain_values import short_text
from interp_embed.errors import InputError
from interp_embed.stats import TopPairs, partner_pairs, top_pairs

_EXAMPLES = 20
_TEXTS = 2


def default_support(n_documents: int) -> int:
    """Return in how many documents a feature fires at least to be paired.

    Five up to 2,500 documents: fewer cannot be together in five, and five always together survive
    the correction for a million pairs. Then one in 500 up to 20, from which a conditional
    probability is known to about 20 points. Above 40,000 documents one in 2,000: rarer features
    are many (half of a large SAE's), and their pairs are mostly one text's wording.

    >>> [default_support(n) for n in (100, 1_000, 5_000, 20_000, 100_000)]
    [5, 5, 10, 20, 50]
    """
    return max(5, min(20, n_documents // 500), -(-n_documents // 2_000))


def correlate_features(
    documents: EncodedDocuments,
    *,
    other: EncodedDocuments | None = None,
    min_support: int | None = None,
    min_pairs: int = 5,
    max_q: float = 0.05,
    top: int = 50,
    negative: bool = True,
    groups: ArrayLike | None = None,
    near: Neighbours | None = None,
    level: float = 0.95,
    progress: bool = False,
) -> Correlations:
    """Return pairs of features that fire together more, or less, than chance explains.

    All pairs of features with enough documents are counted and form the family of the correction;
    for each feature the strongest stay and are tested exactly (``stats.top_pairs`` says why that
    errs on the safe side). Pairs too alike for a finding are set apart and shown: those at the
    same token, of near-equal directions, activations or labels.

    Documents must be independent, or those that are not be named as groups: p and interval then
    hold where documents of one author are alike (``stats.design_effects``). Leave near-duplicates
    out before, or make them groups.

    Args:
        documents: The documents.
        other: Another text of the same documents, aligned row by row, possibly of another SAE;
            then each of its features is paired with each of ``documents``.
        min_support: Documents in which a feature fires, >= 1; None for ``default_support``.
        min_pairs: Documents in which a positive pair is together, or a negative one is expected to
            be, >= 1.
        max_q: Largest q of a pair, in (0, 1].
        top: Pairs that stay for each feature, positive and negative ones each, >= 1.
        negative: Look for features that avoid each other, too.
        groups: Documents of one label (author, parent) are not independent, shape (n_documents,);
            of both texts, where there are two.
        near: What tells trivially linked pairs apart; None for activations and labels alone.
        level: Confidence level of the intervals, in (0, 1).
        progress: Show a bar.

    Raises:
        InputError: A setting is out of range, there are fewer than two documents, the sets are of
            different lengths, a group is missing or the only one, or an array of ``near`` does
            not fit.

    Source: task of Jiang et al. 2025, arXiv 2512.10092, section on correlations, which thresholds
    NPMI without a test, a support or a correction, and gives pairs never together 0.
    """
    support = _checked_support(documents, other, min_support, level)
    kept = top_pairs(
        documents.fires(),
        other=None if other is None else other.fires(),
        min_support=support,
        min_pairs=min_pairs,
        max_q=max_q,
        top=top,
        negative=negative,
        groups=_group_keys(documents, groups),
        progress=progress,
    )
    settings = _Settings(support, min_pairs, max_q, top, level)
    return _record(kept, documents, other, near, settings)


def associate_feature(
    documents: EncodedDocuments,
    feature: int,
    *,
    other: EncodedDocuments | None = None,
    min_support: int | None = None,
    min_pairs: int = 5,
    max_q: float = 0.05,
    groups: ArrayLike | None = None,
    near: Neighbours | None = None,
    level: float = 0.95,
) -> Correlations:
    """Return all pairs of one feature that are significant among the pairs of this feature.

    Counted from the documents in which it fires, so that it is quick in large sets, too.

    Args:
        documents: The documents.
        feature: The feature; ``first`` in every pair.
        other: As in ``correlate_features``, also the rest.
        min_support: Documents in which a partner fires.
        min_pairs: Documents in which both are, or are expected to be.
        max_q: Largest q; the family is the partners of this feature.
        groups: As in ``correlate_features``.
        near: What tells trivially linked pairs apart.
        level: Confidence level of the intervals.

    Raises:
        InputError: As ``correlate_features``; or the feature is out of range.
    """
    support = _checked_support(documents, other, min_support, level)
    kept = partner_pairs(
        documents.fires(),
        feature,
        other=None if other is None else other.fires(),
        min_support=support,
        min_pairs=min_pairs,
        max_q=max_q,
        groups=_group_keys(documents, groups),
    )
    settings = _Settings(support, min_pairs, max_q, None, level)
    return _record(kept, documents, other, near, settings)


@dataclass(frozen=True, slots=True)
class _Settings:
    min_support: int
    min_pairs: int
    max_q: float
    top: int | None
    level: float


def _record(
    kept: TopPairs,
    documents: EncodedDocuments,
    other: EncodedDocuments | None,
    near: Neighbours | None,
    settings: _Settings,
) -> Correlations:
    links = find_links(kept, documents, other, Neighbours() if near is None else near)
    second = documents if other is None else other
    return Correlations(
        pairs_kept=kept,
        links=links,
        labels=documents.labels,
        other_labels=second.labels,
        n_features=(documents.n_features, second.n_features),
        across=other is not None,
        min_support=settings.min_support,
        min_pairs=settings.min_pairs,
        max_q=settings.max_q,
        top=settings.top,
        level=settings.level,
        examples=_examples(kept, np.flatnonzero(links == 0)[:_EXAMPLES], documents, other),
    )


def _examples(
    kept: TopPairs,
    chosen: NDArray[np.int64],
    documents: EncodedDocuments,
    other: EncodedDocuments | None,
) -> dict[tuple[int, int], tuple[str, ...]]:
    """Return texts in which both features of a pair fire, those first where both fire strongly."""
    first, second = kept.first[chosen], kept.second[chosen]
    one = _columns(documents, first)
    two = _columns(documents if other is None else other, second)
    found = {}
    for pair in zip(first.tolist(), second.tolist(), strict=True):
        strength = np.minimum(one[pair[0]], two[pair[1]])
        rows = np.argsort(-strength, kind="stable")[:_TEXTS]
        rows = rows[strength[rows] > 0]
        texts = [short_text(documents.texts[row]) for row in rows.tolist()]
        if other is not None:
            texts = [
                f"{text} | {short_text(other.texts[row])}"
                for text, row in zip(texts, rows.tolist(), strict=True)
            ]
        found[pair] = tuple(texts)
    return found


def _columns(
    documents: EncodedDocuments, features: NDArray[np.int32]
) -> dict[int, NDArray[np.float64]]:
    """Return activations of some features as shares of their largest, 0 where they do not fire."""
    wanted = np.unique(features)
    block = documents.activations[:, wanted].tocsc()
    columns = {}
    for place, feature in enumerate(wanted.tolist()):
        values = block[:, [place]].toarray().ravel().astype(np.float64)
        if documents.cuts is not None:
            values = np.where(values > documents.cuts[feature], values, 0)
        columns[feature] = values / max(float(values.max(initial=0)), 1e-30)
    return columns


def _group_keys(
    documents: EncodedDocuments, groups: ArrayLike | None
) -> NDArray[np.object_] | None:
    if groups is None:
        return None
    return as_keys(groups, documents, what="groups").to_numpy(dtype=object)


def _checked_support(
    documents: EncodedDocuments,
    other: EncodedDocuments | None,
    min_support: int | None,
    level: float,
) -> int:
    if not 0.0 < level < 1.0:
        raise InputError(f"level must lie between 0 and 1, such as 0.95, got {level}")
    if len(documents) < 2:
        raise InputError(
            f"what goes together shows only over documents, and there is {len(documents)}; "
            "give at least two"
        )
    if other is not None and len(other) != len(documents):
        raise InputError(
            f"the two sets have {len(documents)} and {len(other)} documents; document i of both "
            "must belong together: use align_documents with a key"
        )
    return default_support(len(documents)) if min_support is None else min_support
