"""What the joint models say of each concept, whatever the kind of target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.hypotheses.classes import ClassFits, fit_classes
from interp_embed.hypotheses.design import build_design
from interp_embed.hypotheses.joint import JointFit, NoFit, fit_joint
from interp_embed.hypotheses.marginal import separation
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.units import Units, complete_rows, why_untestable
from interp_embed.records import ClassEffect, Estimate, ModelSummary
from interp_embed.stats import ModelFit

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the joint model says of one concept."""

    p: float
    """What is corrected; NaN where it cannot be tested."""
    coefficient: Estimate
    about: int | None
    """The class, of several, that the coefficient is of."""
    by_class: tuple[ClassEffect, ...] = ()
    vif: float = _NAN
    note: str = ""
    """Why there is no p, or what is to be minded."""
    permuted: bool = False
    """Whether p is of a permutation test, since few documents have the concept."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The answers to all concepts, and the models they come from."""

    concepts: tuple[Answer, ...]
    """One for each concept."""
    testable: tuple[int, ...]
    """Concepts that are columns of the models, in order."""
    rows: NDArray[np.bool_]
    """Rows of the models: those that lack no verdict on these, shape (n_units,)."""
    fits: tuple[ModelFit, ...]
    """Several where there is one for each class; their last columns are the concepts."""
    summary: ModelSummary | None

    @property
    def tested(self) -> tuple[int, ...]:
        """Concepts with a p-value."""
        return tuple(i for i, one in enumerate(self.concepts) if np.isfinite(one.p))


def answer_concepts(
    units: Units, names: Sequence[str], plan: EvaluationPlan, *, seed: int = 0
) -> Answers:
    """Return the joint model's answer to each concept.

    Args:
        units: The rows, with a column of verdicts for each concept.
        names: Of the concepts, in words.
        plan: Family, covariates and classes.
        seed: Of permutations.
    """
    notes = [why_untestable(units, column) for column in range(len(names))]
    testable = tuple(column for column, note in enumerate(notes) if not note)
    fitted = _fit(units, testable, names, plan, seed=seed)
    n_known = np.isfinite(units.verdicts).sum(axis=0)
    answers = [
        Answer(
            p=_NAN,
            coefficient=Estimate(_NAN, _NAN, _NAN, _NAN, int(n_known[column])),
            about=_farthest_class(units, column),
            note=note or (fitted.why if isinstance(fitted, NoFit) else ""),
        )
        for column, note in enumerate(notes)
    ]
    if not isinstance(fitted, NoFit):
        for place, column in enumerate(testable):
            answers[column] = _answer(fitted, place)
    several: tuple[ModelFit, ...] = fitted.fits if isinstance(fitted, ClassFits) else ()
    return Answers(
        concepts=tuple(answers),
        testable=testable,
        rows=complete_rows(units, testable),
        fits=(fitted.fit,) if isinstance(fitted, JointFit) else several,
        summary=None if isinstance(fitted, NoFit) else fitted.summary,
    )


def _fit(
    units: Units,
    testable: Sequence[int],
    names: Sequence[str],
    plan: EvaluationPlan,
    *,
    seed: int,
) -> JointFit | ClassFits | NoFit:
    if not testable:
        return NoFit("")
    design = build_design(units, testable, names, plan, linear=plan.family == "linear")
    linear = build_design(units, testable, names, plan, linear=True)
    if plan.classes and units.target.ndim == 2:
        return fit_classes(units, testable, design, linear, plan, seed=seed)
    return fit_joint(design, units.target, plan.family, fallback=linear, seed=seed)


def _answer(fitted: JointFit | ClassFits, place: int) -> Answer:
    if isinstance(fitted, JointFit):
        estimate = fitted.estimates[place]
        return Answer(
            p=estimate.p,
            coefficient=estimate,
            about=None,
            vif=fitted.vif[place],
            note=fitted.notes[place],
            permuted=fitted.permuted[place],
        )
    return Answer(
        p=fitted.p[place],
        coefficient=fitted.estimates[place],
        about=fitted.about[place],
        by_class=fitted.by_class[place],
        vif=fitted.vif[place],
        note=fitted.notes[place],
        permuted=fitted.permuted[place],
    )


def _farthest_class(units: Units, column: int) -> int | None:
    """Return the class of the largest |separation|, of a concept that is in no model."""
    if units.target.ndim == 1:
        return None
    sizes = [abs(separation(units, column, one).value) for one in units.target.T]
    return int(np.nanargmax(sizes)) if np.isfinite(sizes).any() else None
