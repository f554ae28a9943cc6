"""Studies made by hand, for the tests of the report."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interp_embed.records import (
    Attempt,
    ClassEffect,
    ConceptGroup,
    ControlledEffect,
    DroppedDocument,
    Estimate,
    Example,
    Fidelity,
    Hypothesis,
    HypothesisStudy,
    ModelSummary,
    NamedEffect,
    RowCounts,
    Scores,
    Signal,
    StrataEffects,
    TrainingReport,
)

sys.path.insert(0, str(Path(__file__).parent))  # results of analyses made by hand

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


def make_rich_study(**changes: Any) -> HypothesisStudy:
    """A study with everything a report can show but several classes."""
    waited, delicious, rude, brunch, parking = (make_hypothesis(index) for index in range(5))
    hypotheses = (
        replace(
            waited,
            p=0.0004,
            vif=1.4,
            stability=0.91,
            similar=('mentions "waiting", "hostess"', 'mentions "wait", "seated"'),
            controlled=ControlledEffect(
                ("length",), Estimate(-0.45, -0.6, -0.3, 1e-6, 800), 0.262, False
            ),
            strata=StrataEffects(
                effects=(
                    NamedEffect("Cafés", Estimate(-0.7, -0.95, -0.45, 1e-6, 500)),
                    NamedEffect("Bars", Estimate(0.31, 0.05, 0.57, 0.02, 300)),
                ),
                within=Estimate(-0.33, -0.52, -0.14, 0.001, 800),
                p_interaction=0.0003,
                q_interaction=0.0015,
                varies=True,
                sign_reversal=True,
                note="1 stratum has fewer than 20 documents: Trucks",
            ),
        ),
        replace(delicious, p=0.0002, vif=2.1, stability=0.31),
        replace(
            rude,
            p=0.003,
            vif=8.3,
            controlled=ControlledEffect(
                ("length", "price"), Estimate(-0.05, -0.3, 0.2, 0.7, 800), 0.95, True
            ),
        ),
        replace(brunch, p=0.41, coefficient=Estimate(-0.2, -0.35, -0.05, 0.41, 800),
                separation=Estimate(0.3, 0.1, 0.5, 0.01, 800)),
        replace(parking, p=0.83),
    )  # fmt: skip
    names = tuple(item.hypothesis for item in hypotheses)
    given: dict[str, Any] = {
        "hypotheses": hypotheses,
        "model": ModelSummary(
            family="linear",
            estimator="least squares",
            errors="cluster-robust",
            effect="difference in the target",
            covariates=("length", "price"),
            n=792,
            n_groups=301,
            r2=0.312,
            condition_number=34.2,
            note="price level 4 was left out: no document has it",
        ),
        "groups": (
            ConceptGroup((names[0], names[2]), 0.00002, 0.00004, True),
            ConceptGroup((names[3], names[4]), 0.3, 0.3, False),
        ),
        "ledger": (
            Attempt("train the SAE", "discover", 3, 1, "256 features, 58 epochs"),
            Attempt("screen features", "discover", 244, 60),
            Attempt("label features", "discover", 60, 51, "9 have no telling words"),
            Attempt("choose among labels", "tune", 51, 5),
            Attempt("test hypotheses", "confirm", 5, 3),
        ),
        "n_earlier": 2,
        "signal": Signal("r2", 0.55, 0.0002, True, 1200),
        "detectable": 0.121,
        "strata_name": "venue",
    }
    return make_study(**{**given, **changes})


def make_class_study(**changes: Any) -> HypothesisStudy:
    """A study of a target with three classes."""
    names = ("sport", "trade", "=arts")
    effects = tuple(
        ClassEffect(
            name,
            Estimate(value, value - 0.05, value + 0.05, 0.001, 800),
            Estimate(value / 2, value / 2 - 0.06, value / 2 + 0.06, 0.02, 800),
            0.03,
        )
        for name, value in zip(names, (0.21, -0.14, -0.07), strict=True)
    )
    first = make_hypothesis(
        p=0.0007,
        q=0.0014,
        about="sport",
        by_class=effects,
        separation=effects[0].separation,
        coefficient=effects[0].coefficient,
    )
    given: dict[str, Any] = {
        "hypotheses": (first,),
        "target_name": "section",
        "target_kind": "multiclass",
        "target_note": "one of 3 classes",
        "target_mean": NAN,
        "classes": names,
        "scores": Scores("auc", 0.93, 0.88, 0.79, 0.55, 800),
        "model": ModelSummary(
            "multinomial", "maximum likelihood", "model", "log odds ratio against the first class",
            ("length",), 800, None, 0.4, 4.1,
        ),
    }  # fmt: skip
    return make_study(**{**given, **changes})


@pytest.fixture
def rich_study() -> HypothesisStudy:
    return make_rich_study()


@pytest.fixture
def class_study() -> HypothesisStudy:
    return make_class_study()


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
