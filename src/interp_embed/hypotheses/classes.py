"""Several classes: one joint test a concept, and its effect on each class."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from interp_embed.hypotheses.design import Design
from interp_embed.hypotheses.joint import (
    JointFit,
    NoFit,
    fit_joint,
    summarise,
    why_failed,
    why_no_fit,
)
from interp_embed.hypotheses.marginal import separation
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.units import Units
from interp_embed.records import ClassEffect, Estimate, ModelSummary
from interp_embed.stats import ModelFit, adjust_benjamini_hochberg, fit_model, wald_test

_NAN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class ClassFits:
    """The answer of the models of several classes, one entry for each concept of the design."""

    p: tuple[float, ...]
    """Of "it is associated with no class"."""
    estimates: tuple[Estimate, ...]
    """Of the class each concept is about."""
    about: tuple[int | None, ...]
    """The class of the smallest p, of equal ones the one best told; None where there is no p."""
    by_class: tuple[tuple[ClassEffect, ...], ...]
    vif: tuple[float, ...]
    notes: tuple[str, ...]
    permuted: tuple[bool, ...]
    """Whether a p of some class is of a permutation test, and p stands on it."""
    summary: ModelSummary
    fits: tuple[ModelFit, ...]
    """The multinomial model, or one model for each class."""


def fit_classes(
    units: Units,
    columns: Sequence[int],
    design: Design,
    linear: Design,
    plan: EvaluationPlan,
    *,
    seed: int = 0,
) -> ClassFits | NoFit:
    """Return the models of a target of several classes.

    ``multiclass``: a Wald test in a multinomial model that all of a concept's coefficients are 0;
    the effects by class are of linear models of each class against all others. Where the
    multinomial model cannot be had, the smallest p of those, times their number, takes the place
    of the Wald test, and the note says so. ``multilabel``: a model of ``plan.family`` for each
    label, and the smallest p times their number.

    Args:
        units: All rows.
        columns: The concepts of the design.
        design: For the plan's model.
        linear: For linear models.
        plan: Kind, classes and family.
        seed: Of permutations.
    """
    why = why_no_fit(linear)
    if why:
        return NoFit(why)
    each = _fit_each(units.target, design, linear, plan, seed=seed)
    multinomial, note = None, ""
    if plan.kind == "multiclass":
        multinomial, note = _fit_multinomial(units.target, design)
    by_class = _effects(units, columns, each, plan)
    p = [_bonferroni([effect.coefficient.p for effect in effects]) for effects in by_class]
    if multinomial is not None:
        p = [wald_test(multinomial, [column]).p for column in design.concepts]
        summary = summarise(design, multinomial, note="effects by class are of linear models")
    else:
        summary = _summarise_each(each, plan, note)
    about = tuple(_smallest(effects) for effects in by_class)
    fits = [one.fit for one in each.values()] if multinomial is None else [multinomial]
    return ClassFits(
        p=tuple(p),
        estimates=tuple(
            effects[0 if best is None else best].coefficient
            for effects, best in zip(by_class, about, strict=True)
        ),
        about=about,
        by_class=by_class,
        vif=next(iter(each.values())).vif,
        notes=tuple(_note(each, plan, place, best, p=p[place]) for place, best in enumerate(about)),
        permuted=tuple(
            multinomial is None and any(one.permuted[place] for one in each.values())
            for place in range(len(columns))
        ),
        summary=summary,
        fits=tuple(fits),
    )


def _fit_each(
    target: NDArray[np.float64],
    design: Design,
    linear: Design,
    plan: EvaluationPlan,
    *,
    seed: int,
) -> dict[int, JointFit]:
    family = "linear" if plan.kind == "multiclass" else plan.family
    fits = {}
    for number in range(len(plan.classes)):
        found = fit_joint(
            linear if family == "linear" else design,
            target[:, number],
            family,
            fallback=linear,
            seed=seed + 1000 * number,
        )
        if isinstance(found, JointFit):
            fits[number] = found
    return fits


def _fit_multinomial(target: NDArray[np.float64], design: Design) -> tuple[ModelFit | None, str]:
    """Return the model, or None and why there is none."""
    labels = target[design.rows].argmax(axis=1)
    n_levels = len(np.unique(labels))
    n_coefficients = (design.columns.shape[1] + 1) * (n_levels - 1)
    why = ""
    if not 3 <= n_levels <= 50:
        why = f"confirm documents are of {n_levels} classes (a multinomial model takes 3 to 50)"
    elif len(labels) <= n_coefficients + 1:
        why = f"{len(labels)} rows are too few for {n_coefficients} coefficients"
    else:
        fit = fit_model(design.columns, labels, family="multinomial", groups=design.groups)
        if np.isfinite(fit.coefficients).any():
            return fit, ""
        why = why_failed(design, fit)
    return None, (
        f"{why}: in place of the multinomial model's Wald test, p is the smallest of linear "
        "models of each class against all others, times their number (Bonferroni)"
    )


def _effects(
    units: Units, columns: Sequence[int], each: dict[int, JointFit], plan: EvaluationPlan
) -> tuple[tuple[ClassEffect, ...], ...]:
    """Return the effects of each concept by class, corrected over all of them."""
    unknown = Estimate(_NAN, _NAN, _NAN, _NAN, 0)
    coefficients = [
        [each[c].estimates[place] if c in each else unknown for c in range(len(plan.classes))]
        for place in range(len(columns))
    ]
    p = [[estimate.p for estimate in row] for row in coefficients]
    q = adjust_benjamini_hochberg(np.ravel(p)).reshape(np.shape(p))
    return tuple(
        tuple(
            ClassEffect(
                name=name,
                separation=separation(units, column, units.target[:, number]),
                coefficient=coefficients[place][number],
                q=float(q[place, number]),
            )
            for number, name in enumerate(plan.classes)
        )
        for place, column in enumerate(columns)
    )


def _bonferroni(p: list[float]) -> float:
    known = [value for value in p if np.isfinite(value)]
    return min(1.0, len(known) * min(known)) if known else _NAN


def _smallest(effects: tuple[ClassEffect, ...]) -> int | None:
    """Return the class of the smallest p, of equal ones (permutations give some) the best told.

    None where there is no p.
    """
    known = [place for place, effect in enumerate(effects) if np.isfinite(effect.coefficient.p)]
    return min(
        known,
        key=lambda place: (effects[place].coefficient.p, -abs(effects[place].separation.value)),
        default=None,
    )


def _note(
    each: dict[int, JointFit], plan: EvaluationPlan, place: int, best: int | None, *, p: float
) -> str:
    """Return what is to be minded about a concept: why it has no p, or of the class it is about."""
    if best is None or not np.isfinite(p):
        return next((one.notes[place] for one in each.values() if one.notes[place]), "")
    note = each[best].notes[place]
    return f"{plan.classes[best]}: {note}" if note else ""


def _summarise_each(each: dict[int, JointFit], plan: EvaluationPlan, note: str) -> ModelSummary:
    """Return one summary of the models of all classes."""
    summaries = {plan.classes[number]: one.summary for number, one in each.items()}
    first = next(iter(summaries.values()))
    notes = [note or "one model for each class; p is the smallest, times their number"]
    common = {summary.note for summary in summaries.values()}
    if len(common) == 1:
        notes += [one for one in common if one]
    else:
        notes += [f"{name}: {one.note}" for name, one in summaries.items() if one.note]
    r2 = [summary.r2 for summary in summaries.values() if np.isfinite(summary.r2)]
    return replace(
        first,
        family=_together([summary.family for summary in summaries.values()]),
        estimator=_together([summary.estimator for summary in summaries.values()]),
        errors=_together([summary.errors for summary in summaries.values()]),
        effect=_together([summary.effect for summary in summaries.values()]),
        r2=float(np.mean(r2)) if r2 else _NAN,
        note="; ".join(notes),
    )


def _together(words: list[str]) -> str:
    return ", ".join(dict.fromkeys(words))
