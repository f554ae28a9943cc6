"""What a test compares: confirm documents, or the texts of pairs each against its other text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.stats import merge_groups

MIN_PRESENT = 5
"""Confirm documents on either side of a concept below which it is not tested."""
_MAX_MISSING = 0.5
"""Share of its verdicts above which a concept is not tested: the regression takes only documents
that lack none, and one concept must not cost the others theirs."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Confirm documents as the tests read them, one row each.

    Of preferences a row is a text less the other text of its pair, in verdicts and covariates: a
    pair enters in both orders, so that no order of the two texts can carry the answer.
    """

    verdicts: NDArray[np.float64]
    """1, 0 or NaN, of preferences -1, 0, 1 or NaN, shape (n, n_concepts)."""
    target: NDArray[np.float64]
    """Shape (n,), with several classes (n, n_classes)."""
    length: NDArray[np.float64]
    """Logarithm of 1 + letters, shape (n,)."""
    covariates: NDArray[np.float64]
    """Shape (n, n_covariates)."""
    strata: NDArray[np.int64] | None
    groups: NDArray[np.int64] | None
    """Rows that are not independent share a number; None where all are."""
    first: NDArray[np.int64] | None
    """Rows that stand for the pairs, the first of each; None where rows are documents."""


def make_units(confirm: Corpus, verdicts: NDArray[np.floating], plan: EvaluationPlan) -> Units:
    """Return the rows that are tested.

    Args:
        confirm: Checked by ``check_confirm``.
        verdicts: 1, 0 or NaN, shape (n_documents, n_concepts).
        plan: Says what the target is, and whether groups matter.
    """
    own = np.asarray(verdicts, np.float64)
    length = np.log1p([float(len(document)) for document in confirm.documents])
    held = np.empty((len(confirm), 0)) if confirm.covariates is None else confirm.covariates
    groups = confirm.groups if plan.clustered else None
    first = None
    if plan.kind == "preference" and confirm.pairs is not None:
        other = other_text(confirm.pairs)
        own, length, held = own - own[other], length - length[other], held - held[other]
        groups = confirm.pairs
        if plan.clustered:
            groups = merge_groups(confirm.groups, confirm.pairs)
        first = np.flatnonzero(np.arange(len(other)) < other)
    return Units(
        verdicts=own,
        target=np.asarray(confirm.target, np.float64),
        length=length,
        covariates=np.asarray(held, np.float64),
        strata=confirm.strata if plan.strata else None,
        groups=groups,
        first=first,
    )


def other_text(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of the other text of each row's pair.

    [7, 7, 3, 9, 3, 9] -> [1, 0, 4, 5, 2, 3]

    Raises:
        InputError: A pair has not exactly two rows.
    """
    numbers, places, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    if (counts != 2).any():
        wrong = int(np.flatnonzero(counts != 2)[0])
        raise InputError(
            f"each pair must have two confirm documents, but pair {numbers[wrong]} has "
            f"{counts[wrong]}; keep both texts of a pair on one side of the split"
        )
    order = np.argsort(places, kind="stable").reshape(-1, 2)  # (n_pairs, 2)
    other = np.empty(len(pairs), np.int64)
    other[order[:, 0]], other[order[:, 1]] = order[:, 1], order[:, 0]
    return other


def check_confirm(confirm: Corpus, plan: EvaluationPlan) -> None:
    """Raise unless the confirm documents hold what the plan tests.

    Raises:
        InputError: They do not; told before an annotator reads anything.
    """
    if len(confirm) == 0:
        raise InputError("there are no confirm documents; give more documents")
    if not np.isfinite(confirm.target).all():
        raise InputError("the target of some confirm documents is NaN; leave these documents out")
    _check_target(confirm, plan)
    n_given = 0 if confirm.covariates is None else confirm.covariates.shape[1]
    if n_given != len(plan.covariates):
        raise InputError(
            f"the plan names {len(plan.covariates)} covariates but the confirm documents have "
            f"{n_given}; name each column once"
        )
    if confirm.covariates is not None and not np.isfinite(confirm.covariates).all():
        raise InputError("some covariates are NaN or infinite; fill them or drop these documents")
    if plan.strata and confirm.strata is None:
        raise InputError("the plan names strata, but the confirm documents have none")
    if plan.strata and confirm.strata is not None:
        low, high = int(confirm.strata.min()), int(confirm.strata.max())
        if low < 0 or high >= len(plan.strata):
            raise InputError(
                f"strata must be numbers from 0 to {len(plan.strata) - 1}, the places of their "
                f"names in the plan, but got {low} to {high}"
            )


def _check_target(confirm: Corpus, plan: EvaluationPlan) -> None:
    several = plan.kind in ("multiclass", "multilabel")
    expected: tuple[int, ...] = (len(confirm), len(plan.classes)) if several else (len(confirm),)
    if confirm.target.shape != expected:
        raise InputError(
            f"a {plan.kind} target of {len(confirm)} documents must have shape {expected}, "
            f"but got {confirm.target.shape}"
        )
    zero_one = several or plan.kind in ("binary", "preference")
    if zero_one and not np.isin(confirm.target, (0.0, 1.0)).all():
        raise InputError(f"a {plan.kind} target must be 0 or 1, but got other values")
    if plan.kind == "multiclass" and (confirm.target.sum(axis=1) != 1.0).any():
        raise InputError("each document of a multiclass target must have exactly one class")
    if plan.kind == "preference":
        if confirm.pairs is None:
            raise InputError("a preference target needs the pair of each document (pairs)")
        if (confirm.target + confirm.target[other_text(confirm.pairs)] != 1.0).any():
            raise InputError(
                "of each pair one text must be preferred (target 1) and the other not (0)"
            )


def why_untestable(units: Units, column: int) -> str:
    """Return why a concept cannot be tested at all, in words; empty if it may be."""
    verdicts = units.verdicts[:, column]
    known = verdicts[np.isfinite(verdicts)]
    if len(verdicts) - len(known) > _MAX_MISSING * len(verdicts):
        return (
            f"{len(verdicts) - len(known)} of {len(verdicts)} verdicts are missing; too many to "
            "test"
        )
    if units.first is not None:
        differ = int((known != 0).sum()) // 2
        if differ < MIN_PRESENT:
            return (
                f"tells the texts of {differ} confirm pairs apart; fewer than {MIN_PRESENT} "
                "cannot be tested"
            )
        return ""
    present, absent = int((known == 1).sum()), int((known == 0).sum())
    if present < MIN_PRESENT:
        return f"in {present} confirm documents; fewer than {MIN_PRESENT} cannot be tested"
    if absent < MIN_PRESENT:
        return f"absent from {absent} confirm documents; fewer than {MIN_PRESENT} cannot be tested"
    return ""


def complete_rows(units: Units, columns: Sequence[int]) -> NDArray[np.bool_]:
    """Return which rows lack no verdict on these concepts, shape (n,)."""
    return np.asarray(np.isfinite(units.verdicts[:, list(columns)]).all(axis=1))
