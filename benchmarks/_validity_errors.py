"""Annotators that err, and effects that differ between strata (X10, X11)."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from _validity_rows import Row, Sizes, false_share_row, number_row, share_row, standard_error
from interp_embed.records import Estimate
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    corrected_difference,
    dsl_regression,
    joint_regression,
    stratified_effect,
)

_N_DOCUMENTS, _N_GOLD, _PREVALENCE, _CORRECT = 4_000, 200, 0.05, 0.9
_EFFECT = 1.0


@dataclass(frozen=True)
class Corrected:
    """An effect by the annotations, and with their errors taken out in two ways."""

    naive: Estimate
    rates: Estimate
    """By sensitivity and specificity: ``corrected_difference``."""
    design: Estimate
    """Whatever the errors: ``dsl_regression``."""


@dataclass(frozen=True)
class Strata:
    """How many concepts whose effect differs between strata were found, by each method."""

    plain: int
    """By a regression that ignores strata."""
    stratified: int
    """By the test of interaction."""
    reversed: int
    """Of these, said to turn their sign."""
    n_false: int
    """Interactions claimed of concepts without one."""


def correct_errors(seed: int) -> Corrected:
    """Correct the effect of a rare concept whose annotator is right nine times in ten."""
    rng = np.random.default_rng([seed, 41])
    truth = (rng.random(_N_DOCUMENTS) < _PREVALENCE).astype(np.float64)
    annotation = np.where(rng.random(_N_DOCUMENTS) < _CORRECT, truth, 1.0 - truth)
    target = _EFFECT * truth + rng.standard_normal(_N_DOCUMENTS)
    gold = np.full(_N_DOCUMENTS, np.nan)
    chance = np.empty(_N_DOCUMENTS)
    for side in (0.0, 1.0):
        rows = np.flatnonzero(annotation == side)
        chosen = rng.choice(rows, _N_GOLD // 2, replace=False)
        gold[chosen], chance[rows] = truth[chosen], _N_GOLD / 2 / rows.size
    found = corrected_difference(annotation, target, gold)
    design = dsl_regression(annotation[:, None], target, gold[:, None], sampling=chance)
    return Corrected(found.naive, found.corrected, design.estimates[0])


def error_rows(sizes: Sizes) -> list[Row]:
    """Return X10: an effect seen through an annotator's errors."""
    n = sizes.simulations
    found = sizes.map(correct_errors, n)
    how = (
        f"{n} runs of 4,000 documents, prevalence .05, sensitivity and specificity .9, 200 gold "
        f"labels, half of them of annotated documents; seeds 0 to {n - 1}"
    )
    naive = float(np.mean([one.naive.value for one in found]))
    spare = 0.02 if n >= 500 else 2.6 * standard_error(0.05, n)
    rows = [
        number_row(
            "X10",
            "An effect of 1.00 by the annotations as they are",
            naive,
            shown=f"{naive:.2f}",
            meaning="of a rare concept, false positives leave a third of the effect.",
            how=how,
        )
    ]
    for name, estimates in (
        ("corrected by sensitivity and specificity", [one.rates for one in found]),
        ("corrected by design (DSL)", [one.design for one in found]),
    ):
        gated = name.endswith("specificity")
        values = np.array([one.value for one in estimates])
        error = float(values.std(ddof=1) / np.sqrt(n))
        inside = float(np.mean([one.low <= _EFFECT <= one.high for one in estimates]))
        rows += [
            number_row(
                "X10",
                f"The same, {name}",
                float(values.mean()),
                least=_EFFECT - 3 * error if gated else -np.inf,
                most=_EFFECT + 3 * error if gated else np.inf,
                shown=f"{values.mean():.3f}",
                meaning="gold labels of 200 documents give the effect back."
                if gated
                else "needs no assumption on the errors, and pays with wider intervals.",
                how=how,
            ),
            number_row(
                "X10",
                f"Its 95 % interval holds 1.00, {name}",
                inside,
                least=0.95 - spare if gated else -np.inf,
                most=0.95 + spare if gated else np.inf,
                shown=f"{inside:.1%}, width {_width(estimates):.2f}",
                meaning="the interval covers as often as it says."
                if gated
                else "with few gold labels of a rare concept it covers a little less.",
                how=how,
            ),
        ]
    return rows


def _width(estimates: list[Estimate]) -> float:
    return float(np.mean([one.high - one.low for one in estimates]))


def search_strata(seed: int, *, design: str) -> Strata:
    """Search twenty concepts for the five whose effect differs between two strata.

    Args:
        seed: Of the documents.
        design: ``reversal``: +.4 in one half of the documents, -.4 in the other; ``unbalanced``:
            +1 in a tenth of the documents, -.11 in the rest, so that both cancel out.
    """
    rng = np.random.default_rng([seed, 42])
    n, n_concepts, n_different = 2_000, 20, 5
    strata = (rng.random(n) < (0.5 if design == "reversal" else 0.1)).astype(np.int64)
    inside, outside = (0.4, -0.4) if design == "reversal" else (1.0, -1.0 / 9.0)
    concepts = (rng.random((n, n_concepts)) < 0.3).astype(np.float64)
    effect = np.where(strata == 1, inside, outside)
    target = effect * concepts[:, :n_different].sum(axis=1) + rng.standard_normal(n)
    plain = np.array([estimate.p for estimate in joint_regression(concepts, target)])
    found = [stratified_effect(column, target, strata) for column in concepts.T]
    differs = _held([one.p_interaction for one in found])
    reversed_ = np.array([one.sign_reversal for one in found])
    return Strata(
        plain=int(_held(plain)[:n_different].sum()),
        stratified=int(differs[:n_different].sum()),
        reversed=int((differs & reversed_)[:n_different].sum()),
        n_false=int(differs[n_different:].sum()),
    )


def _held(p: list[float] | NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(adjust_benjamini_hochberg(np.asarray(p)) <= 0.05)


def strata_rows(sizes: Sizes) -> list[Row]:
    """Return X11: effects that turn their sign, or hold in a tenth of the documents only."""
    n = max(4, sizes.simulations // 10)
    rows = []
    for design, what in (
        ("reversal", "Effects that turn their sign between halves"),
        ("unbalanced", "Effects in a tenth of the documents, cancelled by the rest"),
    ):
        found = sizes.map(partial(search_strata, design=design), n)
        how = f"{n} runs of 2,000 documents, 5 of 20 concepts, seeds 0 to {n - 1}"
        plain, stratified = sum(one.plain for one in found), sum(one.stratified for one in found)
        false = [one.n_false / max(1, one.n_false + one.stratified) for one in found]
        rows += [
            share_row(
                "X11",
                f"{what}: found with strata",
                [True] * stratified + [False] * (5 * n - stratified),
                least=0.9,
                meaning="the test of interaction finds what differs between strata.",
                how=how,
            ),
            number_row(
                "X11",
                f"{what}: found without strata",
                plain / (5 * n),
                most=0.5,
                shown=f"{plain / (5 * n):.1%}",
                meaning="a method that ignores strata misses most of them.",
                how=how,
            ),
            false_share_row(
                "X11",
                f"{what}: false among those claimed",
                false,
                meaning="concepts whose effect is the same everywhere are left alone.",
                how=how,
            ),
        ]
        if design == "reversal":
            turned = sum(one.reversed for one in found)
            rows.append(
                share_row(
                    "X11",
                    f"{what}: said to turn",
                    [True] * turned + [False] * (5 * n - turned),
                    least=0.9,
                    meaning="and what turns its sign is said to.",
                    how=how,
                )
            )
    return rows
