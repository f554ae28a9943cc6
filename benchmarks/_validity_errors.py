"""Annotators that err, and effects that differ between strata (X10, X11)."""

from dataclasses import dataclass
from functools import partial
from itertools import compress

import numpy as np

from _validity_corpora import SYNONYMS, WordCorpus, meant_concepts, study, write_texts
from _validity_rows import Row, Sizes, false_share_row, number_row, share_row, standard_error
from interp_embed.hypotheses import StudySettings
from interp_embed.records import Estimate
from interp_embed.stats import corrected_difference, dsl_regression
from interp_embed.synthetic import plant_activations

_N_DOCUMENTS, _N_GOLD, _PREVALENCE, _CORRECT = 4_000, 200, 0.05, 0.9
_EFFECT = 1.0
_N_DIFFERENT = 5


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
    """Found to be associated at all."""
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


def search_strata(seed: int, *, design: str, told_strata: bool) -> Strata:
    """Run a whole study in which the effects of five of sixteen concepts differ between strata.

    Args:
        seed: Of the documents and the study.
        design: ``reversal``: +.6 in one half of the documents, -.6 in the other; ``unbalanced``:
            +2 in a tenth of the documents, -.22 in the rest, so that both cancel out.
        told_strata: Whether the study is told of the strata.
    """
    n = 2_000
    planted = plant_activations(n, n_concepts=len(SYNONYMS), seed=seed)
    rng = np.random.default_rng([seed, 42])
    corpus = WordCorpus(write_texts(planted.truth, rng), planted.truth, planted.X)
    inside = rng.random(n) < (0.5 if design == "reversal" else 0.1)
    effect = np.where(inside, *((0.6, -0.6) if design == "reversal" else (2.0, -2.0 / 9)))
    target = effect * planted.truth[:, :_N_DIFFERENT].sum(axis=1) + rng.standard_normal(n)
    settings = StudySettings(n=12, features=64, active=4, confirm_share=0.5, seed=seed)
    strata = np.where(inside, "one", "other").tolist() if told_strata else None
    run = study(corpus, target, settings=settings, strata=strata)
    hypotheses = run.study.hypotheses
    meant = np.array(meant_concepts([h.hypothesis for h in hypotheses], corpus))
    differs = np.array([h.strata is not None and h.strata.varies for h in hypotheses])
    turns = np.array([h.strata is not None and h.strata.sign_reversal for h in hypotheses])
    held = np.array([h.significant for h in hypotheses])
    wanted = meant < _N_DIFFERENT
    return Strata(
        plain=len(set(meant[wanted & held].tolist())),
        stratified=len(set(meant[wanted & differs].tolist())),
        reversed=len(set(meant[wanted & differs & turns].tolist())),
        n_false=sum(not _names_any(h.hypothesis) for h in compress(hypotheses, differs)),
    )


def _names_any(hypothesis: str) -> bool:
    """Whether a label names a word of a concept whose effect differs: mixed ones do, too."""
    return any(word in hypothesis for pair in SYNONYMS[:_N_DIFFERENT] for word in pair)


def strata_rows(sizes: Sizes) -> list[Row]:
    """Return X11: effects that turn their sign, or hold in a tenth of the documents only."""
    n = sizes.planted_studies
    rows = []
    for design, what in (
        ("reversal", "Effects that turn their sign between halves"),
        ("unbalanced", "Effects in a tenth of the documents, cancelled by the rest"),
    ):
        found = sizes.map(partial(search_strata, design=design, told_strata=True), n)
        untold = sizes.map(partial(search_strata, design=design, told_strata=False), n)
        how = f"{n} studies of 2,000 documents, 5 of 16 concepts differ, seeds 0 to {n - 1}"
        plain, stratified = sum(one.plain for one in untold), sum(one.stratified for one in found)
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
                meaning="a study that is not told of the strata misses most of them.",
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
