"""One row of the report's table: everything about a hypothesis, in words and places."""

import math
from dataclasses import dataclass

from interp_embed.records import (
    ControlledEffect,
    Estimate,
    Example,
    Fidelity,
    Hypothesis,
    StrataEffects,
)
from interp_embed.report import wording
from interp_embed.report.drawing import Axis, Mark, place
from interp_embed.report.excerpts import Excerpt, excerpt
from interp_embed.report.remarks import Remark, remarks
from interp_embed.report.scales import MISSING, EffectScale, Scales
from interp_embed.report.verdicts import tested_p

_LONGEST_CONCEPT = 160


@dataclass(frozen=True, slots=True)
class EffectView:
    """An estimate in words and on the axis."""

    value: str
    interval: str
    """Empty if it has none."""
    p: str
    n: str
    mark: Mark | None
    direction: str
    """``up`` | ``down`` | ``none``."""


@dataclass(frozen=True, slots=True)
class ExampleView:
    """A document shown as evidence."""

    row: int
    activation: str
    excerpt: Excerpt


@dataclass(frozen=True, slots=True)
class ClassView:
    """A hypothesis's association with one class."""

    name: str
    separation: EffectView
    coefficient: EffectView
    q: str


@dataclass(frozen=True, slots=True)
class ControlledView:
    """The separation with covariates held fixed."""

    covariates: str
    effect: EffectView
    share: str
    """What the covariates account for, in words; empty if that is not known."""
    note: str


@dataclass(frozen=True, slots=True)
class StratumView:
    """The effect in one stratum."""

    name: str
    effect: EffectView


@dataclass(frozen=True, slots=True)
class StrataView:
    """The effect in each stratum, and whether it is the same in all."""

    strata: tuple[StratumView, ...]
    within: EffectView
    p_interaction: str
    q_interaction: str
    verdict: str
    note: str


@dataclass(frozen=True, slots=True)
class RowView:
    """A hypothesis as the table shows it."""

    concept: str
    """The hypothesis, cut if it is very long."""
    whole_concept: str
    """The hypothesis in full; empty if ``concept`` is it."""
    feature: int
    separation: EffectView
    coefficient: EffectView
    p: str
    q: str
    significant: bool
    summary: str
    """What the drawing shows, for those who cannot see it."""
    prevalence: str
    f1: str
    precision: str
    recall: str
    fidelity_n: str
    n: str
    selection_score: str
    note: str
    about: str
    """The class that the effects are of; empty where there is one column."""
    remarks: tuple[Remark, ...]
    controlled: ControlledView | None
    classes: tuple[ClassView, ...]
    strata: StrataView | None
    similar: tuple[str, ...]
    vif: str
    """Empty if it is not known."""
    stability: str
    """Empty if it is not known."""
    top_examples: tuple[ExampleView, ...]
    contrast_examples: tuple[ExampleView, ...]


def row_view(hypothesis: Hypothesis, *, scales: Scales, axis: Axis, strata_name: str) -> RowView:
    """Return a hypothesis as the table shows it."""
    text, fidelity, scale = hypothesis.hypothesis, hypothesis.fidelity, scales.separation
    is_long = len(text) > _LONGEST_CONCEPT
    return RowView(
        concept=f"{text[:_LONGEST_CONCEPT]}…" if is_long else text,
        whole_concept=text if is_long else "",
        feature=hypothesis.feature,
        separation=_effect(hypothesis.separation, scale=scale, axis=axis),
        coefficient=_effect(
            hypothesis.coefficient, scale=scales.coefficient, axis=axis if scales.joined else None
        ),
        p=wording.probability(tested_p(hypothesis)),
        q=wording.probability(hypothesis.q),
        significant=hypothesis.significant,
        summary=_summary(hypothesis, scales),
        prevalence=wording.percent(hypothesis.prevalence),
        f1=wording.number(fidelity.f1),
        precision=_share(fidelity.precision, fidelity.precision_low, fidelity.precision_high),
        recall=_share(fidelity.recall, fidelity.recall_low, fidelity.recall_high),
        fidelity_n=_fidelity_n(fidelity),
        n=wording.count(hypothesis.n, "document"),
        selection_score=wording.significant_digits(hypothesis.selection_score),
        note=hypothesis.note,
        about=hypothesis.about,
        remarks=remarks(hypothesis, strata_name=strata_name),
        controlled=_controlled(hypothesis.controlled, scale),
        classes=_classes(hypothesis, scales),
        strata=_strata(hypothesis.strata, scale),
        similar=hypothesis.similar,
        vif=_known(hypothesis.vif, decimals=1),
        stability=_known(hypothesis.stability, decimals=2),
        top_examples=tuple(map(_example, hypothesis.top_examples)),
        contrast_examples=tuple(map(_example, hypothesis.contrast_examples)),
    )


def _effect(estimate: Estimate, *, scale: EffectScale, axis: Axis | None = None) -> EffectView:
    direction = "up" if estimate.value > 0 else "down" if estimate.value < 0 else "none"
    return EffectView(
        value=scale.signed(estimate.value),
        interval=scale.interval(estimate.low, estimate.high),
        p=wording.probability(estimate.p),
        n=wording.count(estimate.n, "document"),
        mark=None if axis is None else place(estimate, axis),
        direction=direction,
    )


def _classes(hypothesis: Hypothesis, scales: Scales) -> tuple[ClassView, ...]:
    return tuple(
        ClassView(
            name=item.name,
            separation=_effect(item.separation, scale=scales.separation),
            coefficient=_effect(item.coefficient, scale=scales.coefficient),
            q=wording.probability(item.q),
        )
        for item in hypothesis.by_class
    )


def _controlled(controlled: ControlledEffect | None, scale: EffectScale) -> ControlledView | None:
    if controlled is None:
        return None
    return ControlledView(
        covariates=wording.joined(controlled.covariates) or "covariates",
        effect=_effect(controlled.effect, scale=scale),
        share=_explained(controlled.explained_share),
        note=controlled.note,
    )


def _explained(share: float) -> str:
    """Say what covariates account for; beyond these bounds a share says nothing."""
    if 0.005 <= share <= 1:
        return f"that accounts for {wording.percent(share)} of the separation"
    if 1 < share < math.inf:
        return "the sign turns"
    if -math.inf < share <= -0.005:
        return "the effect grows"
    return ""


def _strata(strata: StrataEffects | None, scale: EffectScale) -> StrataView | None:
    if strata is None:
        return None
    verdict = (
        "the sign turns" if strata.sign_reversal
        else "it differs" if strata.varies
        else "no difference is shown"
    )  # fmt: skip
    return StrataView(
        strata=tuple(
            StratumView(item.name, _effect(item.effect, scale=scale)) for item in strata.effects
        ),
        within=_effect(strata.within, scale=scale),
        p_interaction=wording.probability(strata.p_interaction),
        q_interaction=wording.probability(strata.q_interaction),
        verdict=verdict,
        note=strata.note,
    )


def _known(value: float, *, decimals: int) -> str:
    if math.isinf(value):
        return "without bound"
    return "" if math.isnan(value) else wording.number(value, decimals=decimals)


def _summary(hypothesis: Hypothesis, scales: Scales) -> str:
    parts = [
        f"{name} {scale.estimate(estimate)}"
        for name, scale, estimate in (
            ("separation", scales.separation, hypothesis.separation),
            ("coefficient", scales.coefficient, hypothesis.coefficient),
        )
        if math.isfinite(estimate.value)
    ]
    verdict = "holds up" if hypothesis.significant else "does not hold up"
    return ", ".join([*parts, verdict]) if parts else "not estimated"


def _share(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return MISSING
    ends = (wording.number(low), wording.number(high))
    return wording.number(value) + (f" [{ends[0]}, {ends[1]}]" if MISSING not in ends else "")


def _fidelity_n(fidelity: Fidelity) -> str:
    annotated = f"{wording.count(fidelity.n, 'document')} annotated"
    return f"{annotated}, {fidelity.n_missing:,} failed" if fidelity.n_missing else annotated


def _example(example: Example) -> ExampleView:
    return ExampleView(
        row=example.row,
        activation=wording.number(example.activation, decimals=3),
        excerpt=excerpt(example),
    )
