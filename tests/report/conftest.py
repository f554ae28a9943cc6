"""Studies made by hand, for the tests of the report."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from interp_embed.records import (
    DroppedDocument,
    Estimate,
    Example,
    Fidelity,
    Hypothesis,
    HypothesisStudy,
    RowCounts,
    Scores,
    TrainingReport,
)

NAN = math.nan
NOT_ESTIMATED = Estimate(value=NAN, low=NAN, high=NAN, p=NAN, n=0)

_WORDS = (
    ("waited", "host", -0.61, 0.14, -0.44, 0.0004),
    ("delicious", "perfect", 0.52, 0.11, 0.38, 0.0002),
    ("rude", "manager", -0.93, 0.25, -0.71, 0.003),
    ("brunch", "mimosas", 0.21, 0.16, 0.05, 0.41),
    ("parking", "lot", -0.08, 0.17, 0.02, 0.83),
)
_TEXT = (
    "We waited an hour although the host said ten minutes.\nNobody came to the table, and when "
    "somebody did, the kitchen was closed. The host shrugged."
)


def make_example(text: str = _TEXT, **changes: Any) -> Example:
    given = {"row": 17, "text": text, "activation": 1.25, "spans": ((3, 9), (31, 35))}
    return Example(**{**given, **changes})


def make_hypothesis(index: int = 0, **changes: Any) -> Hypothesis:
    first, second, separation, spread, coefficient, p = _WORDS[index % len(_WORDS)]
    given: dict[str, Any] = {
        "hypothesis": f'mentions "{first}", "{second}"',
        "feature": 11 * index + 4,
        "separation": Estimate(separation, separation - spread, separation + spread, p / 2, 800),
        "coefficient": Estimate(
            coefficient, coefficient - 1.1 * spread, coefficient + 1.1 * spread, p, 800
        ),
        "q": min(1.0, 2 * p),
        "significant": 2 * p < 0.05,
        "prevalence": 0.18,
        "fidelity": Fidelity(0.82, 0.7, 0.9, 0.61, 0.5, 0.71, 0.7, 190, 10),
        "n": 800,
        "selection_score": 0.31,
        "top_examples": (make_example(), make_example("Ask the host. " * 60, spans=((8, 12),))),
        "contrast_examples": (make_example("The soup was fine.", activation=0.0, spans=()),),
    }
    return Hypothesis(**{**given, **changes})


def make_study(**changes: Any) -> HypothesisStudy:
    hypotheses = changes.get("hypotheses", tuple(make_hypothesis(index) for index in range(5)))
    given: dict[str, Any] = {
        "hypotheses": hypotheses,
        "scores": Scores("r2", 0.58, 0.41, 0.25, 0.03, 800),
        "rows": RowCounts(
            read=2004,
            dropped=(
                DroppedDocument(3, "text is empty"),
                DroppedDocument(90, "target is missing"),
                DroppedDocument(91, "target is missing"),
                DroppedDocument(1200, "text is empty"),
            ),
            discover=1200,
            confirm=800,
            n_groups=1990,
            n_duplicates=10,
        ),
        "target_name": "stars",
        "target_kind": "numeric",
        "target_note": "numbers from 1 to 5, taken as they are",
        "target_mean": 3.71,
        "training": TrainingReport(
            63, 58, "patience", 0.412, 0.371, (0.6, 0.45, 0.412), 7.9, 12, 31, 1080, 120
        ),
        "settings": {"embedder": "all-MiniLM-L6-v2", "n_hypotheses": 5, "sae": {"k": 8, "m": 256}},
        "provenance": {
            "command": "interp-embed hypotheses reviews.csv --text text --target stars",
            "seed": 0,
            "versions": {"interp_embed": "0.1.0", "numpy": "2.2.0"},
            "digests": {"documents": "53aa51172d142c89d9012cce15ae4d6c"},
        },
        "tried": 244,
        "tested": len(hypotheses),
        "shown": len(hypotheses),
        "level": 0.05,
        "correction": "bh",
        "warnings": ("10 annotations failed and were left out.",),
    }
    return HypothesisStudy(**{**given, **changes})


@pytest.fixture(name="make_example")
def example_factory() -> Callable[..., Example]:
    return make_example


@pytest.fixture(name="make_hypothesis")
def hypothesis_factory() -> Callable[..., Hypothesis]:
    return make_hypothesis


@pytest.fixture(name="make_study")
def study_factory() -> Callable[..., HypothesisStudy]:
    return make_study


@pytest.fixture
def untested(make_hypothesis) -> Hypothesis:
    return make_hypothesis(
        separation=NOT_ESTIMATED,
        coefficient=NOT_ESTIMATED,
        q=NAN,
        significant=False,
        prevalence=NAN,
        fidelity=Fidelity(NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0, 200),
        n=0,
        selection_score=NAN,
        note="no confirm document has the concept",
        top_examples=(),
        contrast_examples=(),
    )
