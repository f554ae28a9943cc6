"""One row of the report's table: everything about a hypothesis, in words and places."""

import math
from dataclasses import dataclass

from interp_embed.records import Estimate, Example, Fidelity, Hypothesis
from interp_embed.report import wording
from interp_embed.report.drawing import Axis, Mark, place
from interp_embed.report.excerpts import Excerpt, excerpt

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
class RowView:
    """A hypothesis as the table shows it."""

    concept: str
    """The hypothesis, cut if it is very long."""
    whole_concept: str
    """The hypothesis in full; empty if ``concept`` is it."""
    feature: int
    separation: EffectView
    coefficient: EffectView
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
    top_examples: tuple[ExampleView, ...]
    contrast_examples: tuple[ExampleView, ...]


def row_view(hypothesis: Hypothesis, *, scale: wording.EffectScale, axis: Axis) -> RowView:
    """Return a hypothesis as the table shows it."""
    text, fidelity = hypothesis.hypothesis, hypothesis.fidelity
    is_long = len(text) > _LONGEST_CONCEPT
    return RowView(
        concept=f"{text[:_LONGEST_CONCEPT]}…" if is_long else text,
        whole_concept=text if is_long else "",
        feature=hypothesis.feature,
        separation=_effect(hypothesis.separation, scale=scale, axis=axis),
        coefficient=_effect(hypothesis.coefficient, scale=scale, axis=axis),
        q=wording.probability(hypothesis.q),
        significant=hypothesis.significant,
        summary=_summary(hypothesis, scale),
        prevalence=wording.percent(hypothesis.prevalence),
        f1=wording.number(fidelity.f1),
        precision=_share(fidelity.precision, fidelity.precision_low, fidelity.precision_high),
        recall=_share(fidelity.recall, fidelity.recall_low, fidelity.recall_high),
        fidelity_n=_fidelity_n(fidelity),
        n=wording.count(hypothesis.n, "document"),
        selection_score=wording.significant_digits(hypothesis.selection_score),
        note=hypothesis.note,
        top_examples=tuple(map(_example, hypothesis.top_examples)),
        contrast_examples=tuple(map(_example, hypothesis.contrast_examples)),
    )


def _effect(estimate: Estimate, *, scale: wording.EffectScale, axis: Axis) -> EffectView:
    direction = "up" if estimate.value > 0 else "down" if estimate.value < 0 else "none"
    return EffectView(
        value=scale.signed(estimate.value),
        interval=scale.interval(estimate.low, estimate.high),
        p=wording.probability(estimate.p),
        n=wording.count(estimate.n, "document"),
        mark=place(estimate, axis),
        direction=direction,
    )


def _summary(hypothesis: Hypothesis, scale: wording.EffectScale) -> str:
    parts = [
        f"{name} {scale.signed(estimate.value)} {scale.interval(estimate.low, estimate.high)}"
        for name, estimate in (
            ("separation", hypothesis.separation),
            ("coefficient", hypothesis.coefficient),
        )
        if math.isfinite(estimate.value)
    ]
    verdict = "holds up" if hypothesis.significant else "does not hold up"
    return ", ".join([*(part.strip() for part in parts), verdict]) if parts else "not estimated"


def _share(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return wording.MISSING
    ends = (wording.number(low), wording.number(high))
    return wording.number(value) + (
        f" [{ends[0]}, {ends[1]}]" if wording.MISSING not in ends else ""
    )


def _fidelity_n(fidelity: Fidelity) -> str:
    annotated = f"{wording.count(fidelity.n, 'document')} annotated"
    return f"{annotated}, {fidelity.n_missing:,} failed" if fidelity.n_missing else annotated


def _example(example: Example) -> ExampleView:
    return ExampleView(
        row=example.row,
        activation=wording.number(example.activation, decimals=3),
        excerpt=excerpt(example),
    )
