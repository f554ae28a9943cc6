"""Annotators that err, and effects that differ between strata (X10, X11)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from _validity_rows import Row, Sizes, false_share_row, number_row, share_row, standard_error
from interp_embed.hypotheses import (
    Candidate,
    Candidates,
    Corpus,
    EvaluationPlan,
    evaluate_candidates,
)
from interp_embed.interpret import FeatureExamples
from interp_embed.records import NO_FEATURE, Annotations, Estimate, Hypothesis, Label
from interp_embed.stats import corrected_difference, dsl_regression

_N_DOCUMENTS, _N_GOLD, _PREVALENCE, _CORRECT = 4_000, 200, 0.05, 0.9
_EFFECT = 1.0
_N_DISCOVER, _N_CONCEPTS, _N_DIFFERENT = 100, 20, 5


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


class _Truth:
    """An annotator that knows: documents are row numbers, concepts column numbers."""

    def __init__(self, truth: NDArray[np.bool_]) -> None:
        self._truth = truth

    def annotate(
        self,
        documents: Sequence[str],
        concepts: Sequence[str],
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> Annotations:
        """Return the truth."""
        del only
        rows, columns = [int(text) for text in documents], [int(name) for name in concepts]
        return Annotations(tuple(concepts), self._truth[np.ix_(rows, columns)].astype(np.float32))


def search_strata(seed: int, *, design: str) -> Strata:
    """Test twenty concepts, of which the effect of five differs between two strata.

    Args:
        seed: Of the documents.
        design: ``reversal``: +.4 in one half of the documents, -.4 in the other; ``unbalanced``:
            +1 in a tenth of the documents, -.11 in the rest, so that both cancel out.
    """
    rng = np.random.default_rng([seed, 42])
    n = _N_DISCOVER + 2_000
    strata = (rng.random(n) < (0.5 if design == "reversal" else 0.1)).astype(np.int64)
    inside, outside = (0.4, -0.4) if design == "reversal" else (1.0, -1.0 / 9.0)
    truth = rng.random((n, _N_CONCEPTS)) < 0.3
    effect = np.where(strata == 1, inside, outside)
    target = effect * truth[:, :_N_DIFFERENT].sum(axis=1) + rng.standard_normal(n)
    rows = np.arange(n)
    corpus = Corpus(
        documents=tuple(map(str, rows)),
        target=target,
        embeddings=rng.standard_normal((n, 2)).astype(np.float32),
        rows=rows,
        groups=rows,
        strata=strata,
    )
    names = tuple(map(str, range(_N_CONCEPTS)))
    plan = EvaluationPlan("numeric", strata=("one", "other"), control_length=False)
    plain = _evaluate(replace(corpus, strata=None), replace(plan, strata=()), truth, names)
    found = _evaluate(corpus, plan, truth, names)
    differs, turns = _strata_verdicts(found, names)
    return Strata(
        plain=sum(plain[name].significant for name in names[:_N_DIFFERENT]),
        stratified=int(differs[:_N_DIFFERENT].sum()),
        reversed=int((differs & turns)[:_N_DIFFERENT].sum()),
        n_false=int(differs[_N_DIFFERENT:].sum()),
    )


def _evaluate(
    corpus: Corpus, plan: EvaluationPlan, truth: NDArray[np.bool_], names: Sequence[str]
) -> dict[str, Hypothesis]:
    """Return each concept tested on all but the first documents."""
    discover, confirm = np.arange(_N_DISCOVER), np.arange(_N_DISCOVER, len(corpus))
    examples = FeatureExamples((), ())
    candidates = [Candidate(Label(NO_FEATURE, name, "truth", 0), 0.0, examples) for name in names]
    evaluation = evaluate_candidates(
        Candidates(tuple(candidates), len(names), len(names), 0, 0),
        corpus.take(confirm),
        csr_matrix((len(confirm), 0), dtype=np.float32),
        discover=corpus.take(discover),
        plan=plan,
        annotator=_Truth(truth),
    )
    return {hypothesis.hypothesis: hypothesis for hypothesis in evaluation.hypotheses}


def _strata_verdicts(
    found: dict[str, Hypothesis], names: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether the effect of each concept is said to differ, and to turn its sign."""
    effects = [found[name].strata for name in names]
    differs = [effect is not None and effect.varies for effect in effects]
    turns = [effect is not None and effect.sign_reversal for effect in effects]
    return np.array(differs), np.array(turns)


def strata_rows(sizes: Sizes) -> list[Row]:
    """Return X11: effects that turn their sign, or hold in a tenth of the documents only."""
    n = max(1, sizes.simulations // 20)
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
