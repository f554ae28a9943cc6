"""Everything that was tested, corrected together, and what a test of that many would find."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.hypotheses.plan import Correction, EvaluationPlan
from interp_embed.hypotheses.strata_effects import StrataFound
from interp_embed.hypotheses.units import Units
from interp_embed.records import StrataEffects
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    adjust_benjamini_yekutieli,
    adjust_bonferroni,
    adjust_holm,
    detectable_difference,
    detectable_rate_difference,
)

_ADJUST = {
    "bh": adjust_benjamini_hochberg,
    "bonferroni": adjust_bonferroni,
    "holm": adjust_holm,
    "by": adjust_benjamini_yekutieli,
}
_NAN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """p-values of concepts and of their interactions with strata, corrected as one family."""

    q: NDArray[np.float64]
    """Benjamini-Hochberg, shape (n_concepts,)."""
    significant: NDArray[np.bool_]
    """By the chosen correction, shape (n_concepts,)."""
    q_interaction: NDArray[np.float64]
    varies: NDArray[np.bool_]
    n_tests: int
    """Tests in the family."""


def correct(
    p: ArrayLike, p_interaction: ArrayLike, *, correction: Correction, level: float
) -> Family:
    """Return p-values of concepts and interactions corrected together.

    p [0.01, NaN], interactions [0.04, NaN] -> q [0.02, NaN] and [0.04, NaN], two tests

    Args:
        p: Of the concepts, NaN where not tested, shape (n_concepts,).
        p_interaction: Of "its effect is the same in all strata", shape (n_concepts,).
        correction: ``bh``, ``bonferroni``, ``holm`` or ``by``.
        level: Significance level.
    """
    both = np.concatenate([np.asarray(p, np.float64), np.asarray(p_interaction, np.float64)])
    n = len(both) // 2
    q, corrected = adjust_benjamini_hochberg(both), _ADJUST[correction](both)
    holds = corrected <= level  # NaN is not
    return Family(
        q=q[:n],
        significant=holds[:n],
        q_interaction=q[n:],
        varies=holds[n:],
        n_tests=int(np.isfinite(both).sum()),
    )


def corrected_strata(
    found: StrataFound | None, *, q: float, varies: bool, n_concepts: int, level: float
) -> StrataEffects | None:
    """Return the record of a concept's effects by stratum.

    Args:
        found: Before correction; None where there are no strata.
        q: Of the interaction.
        varies: Whether it holds after correction.
        n_concepts: Concepts looked at for a reversal of sign (Bonferroni).
        level: Significance level.
    """
    if found is None:
        return None
    return StrataEffects(
        effects=found.effects,
        within=found.within,
        p_interaction=found.p_interaction,
        q_interaction=q,
        varies=varies,
        sign_reversal=bool(found.p_reversal * n_concepts <= level),
        note=found.note,
    )


def detectable_separation(
    units: Units,
    columns: Sequence[int],
    rows: NDArray[np.bool_],
    plan: EvaluationPlan,
    *,
    n_tests: int,
) -> float:
    """Return the least |separation| that a concept of median prevalence shows with 80 % power.

    In the target's unit; of a 0/1 target a rise of the rarer outcome. NaN for several classes and
    for preferences, where there is no one number, and where nothing was tested or the target is
    constant.

    Args:
        units: The rows.
        columns: The concepts tested.
        rows: The rows of the joint model, shape (n,).
        plan: Kind and level.
        n_tests: Tests the level is shared among (Bonferroni).
    """
    target = units.target[rows]
    if not len(columns) or target.ndim > 1 or units.first is not None or np.ptp(target) == 0.0:
        return _NAN
    prevalence = float(np.median(units.verdicts[rows][:, list(columns)].mean(axis=0)))
    if not 0.0 < prevalence < 1.0:
        return _NAN
    level, tests = 1.0 - min(plan.level, 0.2 - 1e-9), max(n_tests, 1)
    if plan.kind == "binary":
        rate = float(min(target.mean(), 1.0 - target.mean()))
        return detectable_rate_difference(
            len(target), prevalence, rate, level=level, n_tests=tests
        ).value
    spread = float(target.std(ddof=1))
    return detectable_difference(
        len(target), prevalence, spread=spread, level=level, n_tests=tests
    ).value
