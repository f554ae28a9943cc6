"""The joint model of one outcome: each concept with all others and the covariates held fixed."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from interp_embed.hypotheses.design import Design
from interp_embed.records import Estimate, ModelSummary
from interp_embed.stats import ModelFit, fit_model, partial_permutation_test
from interp_embed.stats.models import Family

_NAN = float("nan")
_FEW_PRESENT = 30
"""Documents on either side of a concept below which the p of a robust error is too small: with 10
concepts in 10 of 200 documents each, Bonferroni at .05 lets a false one through in 10 % (normal
target) to 72 % (one in ten is yes) of studies, with 30 and more in about 5 %."""
_FEW_EXPECTED = 10.0
"""The same for the rarer outcome among them, expected without an association."""
_FEW_GROUPS = 30
"""Groups below which cluster-robust intervals tend to be too short."""
_PERMUTATIONS = 4999
_PERMUTED = "few documents: p is that of a permutation test with all else held fixed"
_PERFECT = (
    "the model leaves nothing unexplained: p is that of a permutation test with all else held fixed"
)
_LARGER = (
    "few documents: p is the larger of the cluster-robust one and that of a permutation test with "
    "all else held fixed"
)
_MOST_LEVELS = 50
EFFECTS: dict[str, str] = {
    "linear": "difference in the target",
    "logit": "log odds ratio",
    "poisson": "log ratio of rates",
    "ordered": "log odds ratio of lying higher",
    "multinomial": "log odds ratio against the first class",
}
"""What a coefficient is, by the family of the model."""


@dataclass(frozen=True, slots=True, eq=False)
class JointFit:
    """A joint model's answer, one entry for each concept of its design."""

    estimates: tuple[Estimate, ...]
    vif: tuple[float, ...]
    notes: tuple[str, ...]
    """Why a concept has no p, or what is to be minded; empty if nothing."""
    permuted: tuple[bool, ...]
    """Whether p is of a permutation test, since few documents have the concept."""
    summary: ModelSummary
    fit: ModelFit


@dataclass(frozen=True, slots=True)
class NoFit:
    """There is no model."""

    why: str


def fit_joint(
    design: Design,
    target: NDArray[np.float64],
    family: Family,
    *,
    fallback: Design | None = None,
    seed: int = 0,
) -> JointFit | NoFit:
    """Return the joint model of a target of one column.

    Where a model other than the linear one cannot be had (its estimates are infinite because a
    concept tells outcomes apart without error, it does not converge, rows or levels are too few)
    a linear model takes its place, for all concepts, and the note says so; a ``logit`` is answered
    by Firth's, as ``fit_model`` does. Where errors are robust, a concept that few documents have
    gets its p from a permutation test with all else held fixed (with groups: the larger p).

    Args:
        design: Rows and columns.
        target: Of all units, shape (n_units,).
        family: Of the model; not ``multinomial``.
        fallback: The design of the linear model, where it differs.
        seed: Of the permutations.
    """
    why = why_no_fit(design)
    if why:
        return NoFit(why)
    linear = fallback or design
    if family == "linear":
        return _judge(linear, target, _fit(linear, target, "linear"), "", seed=seed)
    obstacle = _obstacle(design, target[design.rows], family)
    if not obstacle:
        fit = _fit(design, target, family)
        if np.isfinite(fit.coefficients[list(design.concepts)]).any():
            return _judge(design, target, fit, "", seed=seed)
        obstacle = why_failed(design, fit)
    note = f"{obstacle}: a linear model was fitted in place of the {family} model"
    return _judge(linear, target, _fit(linear, target, "linear"), note, seed=seed)


def why_no_fit(design: Design) -> str:
    """Return why no model at all can be fitted to a design; empty if one can."""
    n, p = design.columns.shape
    if design.paired:
        n //= 2
    if n <= p + 2:
        return (
            f"only {n} confirm {'pairs' if design.paired else 'documents'} have a verdict on "
            f"every concept, too few for a model of {p} columns; give more documents or fewer "
            "hypotheses"
        )
    if design.n_groups < 2:
        return "all confirm documents are in one group: errors robust to groups need at least 2"
    return ""


def why_failed(design: Design, fit: ModelFit) -> str:
    """Return why a fit has no estimates, in words."""
    if fit.separated:
        names = _quote(design, fit.separated)
        return f"{names} tell outcomes apart without error, so that estimates are infinite"
    return "the fit did not converge"


def _fit(design: Design, target: NDArray[np.float64], family: Family) -> ModelFit:
    return fit_model(design.columns, design.outcome(target), family=family, groups=design.groups)


def _obstacle(design: Design, target: NDArray[np.float64], family: Family) -> str:
    n, p = design.columns.shape
    n_levels = len(np.unique(target))
    if n_levels < 2:
        return "the target has one value in all confirm documents"
    if family == "ordered" and not 3 <= n_levels <= _MOST_LEVELS:
        return f"the target has {n_levels} levels (an ordered model takes 3 to {_MOST_LEVELS})"
    if family == "ordered" and n <= p + n_levels:
        return f"{n} rows are too few"
    return ""


def _judge(
    design: Design, target: NDArray[np.float64], fit: ModelFit, note: str, *, seed: int
) -> JointFit:
    """Return the concepts' part of a fit, with p of permutations where documents are few."""
    outcome = design.outcome(target)
    estimates, notes, permuted = [], [], []
    for column in design.concepts:
        estimate = fit.estimates[column]
        perfect = _is_perfect(fit, column)
        words = "" if perfect and design.exchangeable else _note(design, fit, column)
        permuted.append(_needs_permutation(design, fit, column, target))
        if permuted[-1]:
            test = partial_permutation_test(
                design.columns[:, column],
                outcome,
                np.delete(design.columns, [column, *_repeating(fit)], axis=1),
                strata=design.groups if design.paired and design.exchangeable else None,
                n_permutations=_PERMUTATIONS,
                seed=seed + column,
            )
            p, said = test.p, _PERFECT if perfect else _PERMUTED
            if not design.exchangeable:
                p, said = float(np.fmax(p, estimate.p)), _LARGER
            estimate = replace(estimate, p=p)
            words = "; ".join([words] * bool(words) + [test.note or said])
        estimates.append(estimate)
        notes.append(words)
    summary = summarise(design, fit, note=note)
    vif = tuple(fit.vif[column] for column in design.concepts)
    return JointFit(tuple(estimates), vif, tuple(notes), tuple(permuted), summary, fit)


def _needs_permutation(
    design: Design, fit: ModelFit, column: int, target: NDArray[np.float64]
) -> bool:
    """Return whether the p of a concept is to come from permutations: few documents have it."""
    if not np.isfinite(fit.coefficients[column]):
        return False
    if _is_perfect(fit, column):
        return design.exchangeable
    if not np.isfinite(fit.estimates[column].p):  # of pairs: one text wins throughout
        return design.paired and design.exchangeable and column in fit.separated
    if fit.family not in ("linear", "poisson") and design.groups is None:
        return False  # their likelihood errs to the safe side
    fewer = design.fewer[column - design.n_held]
    values = target[design.rows]
    if not np.isin(values, (0.0, 1.0)).all():
        return fewer < _FEW_PRESENT
    share = float(values.mean())
    return fewer < _FEW_PRESENT or fewer * min(share, 1.0 - share) < _FEW_EXPECTED


def _repeating(fit: ModelFit) -> list[int]:
    """Return the columns that a linear model left out, since others say the same.

    Six colours of which each document has one: with the sixth held fixed, nothing is left to test
    of the other five.
    """
    if fit.family != "linear":
        return []
    return [c for c in range(len(fit.estimates)) if not np.isfinite(fit.coefficients[c])]


def _is_perfect(fit: ModelFit, column: int) -> bool:
    """Return whether a linear model has no error left to measure a column's effect against."""
    has_value = bool(np.isfinite(fit.coefficients[column]))
    return fit.family == "linear" and has_value and not np.isfinite(fit.estimates[column].p)


def _note(design: Design, fit: ModelFit, column: int) -> str:
    if column in fit.separated:
        told = "tells outcomes apart without error"
        if np.isfinite(fit.estimates[column].p):
            return f"{told}: the coefficient is Firth's penalised one"
        if design.exchangeable:
            return told
        return f"{told}: there is no p-value for it with groups"
    if np.isfinite(fit.estimates[column].p):
        return ""
    if np.isfinite(fit.coefficients[column]):
        return "the model leaves nothing unexplained, or the target has one value: no p-value"
    return (
        "other concepts already say the same (or what is held fixed does), or its effect rests on "
        f"one {'document' if design.groups is None else 'group'}"
    )


def summarise(design: Design, fit: ModelFit, *, note: str = "") -> ModelSummary:
    """Return what a model was, in words."""
    notes = [note] if note else []
    left_out = [c for c in range(design.n_held) if not np.isfinite(fit.coefficients[c])]
    if left_out and fit.converged:
        names = _quote(design, left_out)
        notes.append(f"not held fixed: {names}, constant, repeating others or resting on one row")
    if fit.separated and fit.estimator == "Firth":
        names = _quote(design, fit.separated)
        notes.append(
            f"{names} tell outcomes apart without error: all coefficients are Firth's penalised "
            "ones"
        )
    if fit.n_groups is not None and fit.n_groups < _FEW_GROUPS:
        notes.append(f"only {fit.n_groups} groups: intervals tend to be too short")
    return ModelSummary(
        family=fit.family,
        estimator=fit.estimator,
        errors=fit.errors,
        effect=EFFECTS[fit.family],
        covariates=design.covariates,
        n=fit.n,
        n_groups=fit.n_groups,
        r2=fit.r2,
        condition_number=fit.condition_number,
        note="; ".join(notes),
    )


def _quote(design: Design, columns: tuple[int, ...] | list[int]) -> str:
    return ", ".join(f'"{design.names[column]}"' for column in columns)
