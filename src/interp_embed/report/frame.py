"""The hypotheses as a table: one row each, columns that do not change between releases."""

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from interp_embed.plots.characters import visible
from interp_embed.records import Estimate, Hypothesis, HypothesisStudy, StrataEffects
from interp_embed.report.verdicts import tested_p

Cell = str | float | bool | None

_DTYPES = {
    "hypothesis": "object",
    "feature": "int64",
    "separation": "float64",
    "separation_low": "float64",
    "separation_high": "float64",
    "separation_p": "float64",
    "coefficient": "float64",
    "coefficient_low": "float64",
    "coefficient_high": "float64",
    "p": "float64",
    "q": "float64",
    "significant": "bool",
    "prevalence": "float64",
    "fidelity_f1": "float64",
    "n": "int64",
    "about": "object",
    "controlled": "float64",
    "controlled_low": "float64",
    "controlled_high": "float64",
    "explained_away": "boolean",
    "q_interaction": "float64",
    "sign_reversal": "boolean",
    "vif": "float64",
    "stability": "float64",
    "n_similar": "int64",
}
HYPOTHESIS_COLUMNS = tuple(_DTYPES)
"""Columns of :func:`hypotheses_frame` and of ``hypotheses.csv``, in order: a public contract."""

_CLASS_DTYPES = {
    "hypothesis": "object",
    "feature": "int64",
    "class": "object",
    "separation": "float64",
    "separation_low": "float64",
    "separation_high": "float64",
    "separation_p": "float64",
    "coefficient": "float64",
    "coefficient_low": "float64",
    "coefficient_high": "float64",
    "p": "float64",
    "q": "float64",
    "n": "int64",
}
CLASS_COLUMNS = tuple(_CLASS_DTYPES)
"""Columns of :func:`classes_frame` and of ``classes.csv``, in order."""

_STRATA_DTYPES = {
    "hypothesis": "object",
    "feature": "int64",
    "stratum": "object",
    "effect": "float64",
    "effect_low": "float64",
    "effect_high": "float64",
    "p": "float64",
    "n": "int64",
    "within": "float64",
    "within_low": "float64",
    "within_high": "float64",
    "p_interaction": "float64",
    "q_interaction": "float64",
    "sign_reversal": "bool",
}
STRATA_COLUMNS = tuple(_STRATA_DTYPES)
"""Columns of :func:`strata_frame` and of ``strata.csv``, in order."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def hypotheses_frame(study: HypothesisStudy) -> pd.DataFrame:
    """Return the hypotheses as a table, in the order of the study.

    Args:
        study: The finished study.

    Returns:
        One row per hypothesis, columns :data:`HYPOTHESIS_COLUMNS`; NaN where something could not
        be estimated, missing where it was not asked for. ``p`` is the p-value that ``q`` corrects:
        that of ``coefficient``, or with several classes that of all of them together, of which
        ``about`` names the one that the effects are of. Control characters and lone surrogates
        are replaced visibly.
    """
    return _frame(map(_row, study.hypotheses), _DTYPES)


def classes_frame(study: HypothesisStudy) -> pd.DataFrame:
    """Return the effects by class, one row per hypothesis and class, :data:`CLASS_COLUMNS`.

    ``q`` corrects ``p`` over all hypotheses and classes. Empty where there is one column.
    """
    rows = (
        (
            visible(item.hypothesis),
            item.feature,
            visible(effect.name),
            *_ends(effect.separation),
            effect.separation.p,
            *_ends(effect.coefficient),
            effect.coefficient.p,
            effect.q,
            effect.coefficient.n,
        )
        for item in study.hypotheses
        for effect in item.by_class
    )
    return _frame(rows, _CLASS_DTYPES)


def strata_frame(study: HypothesisStudy) -> pd.DataFrame:
    """Return the effects by stratum, one row per hypothesis and stratum, :data:`STRATA_COLUMNS`.

    ``within``, the interaction and ``sign_reversal`` are of the hypothesis, and repeated on each
    of its rows. Empty where there are no strata.
    """
    rows = (
        (
            visible(item.hypothesis),
            item.feature,
            visible(part.name),
            *_ends(part.effect),
            part.effect.p,
            part.effect.n,
            *_ends(item.strata.within),
            item.strata.p_interaction,
            item.strata.q_interaction,
            item.strata.sign_reversal,
        )
        for item in study.hypotheses
        if item.strata is not None
        for part in item.strata.effects
    )
    return _frame(rows, _STRATA_DTYPES)


def hypotheses_csv(study: HypothesisStudy) -> str:
    """Return the table as CSV (:func:`frame_csv`)."""
    return frame_csv(hypotheses_frame(study))


def frame_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV: NaN is empty, floats read back as the same numbers.

    A text that a spreadsheet would run as a formula (it begins with ``=``, ``+``, ``-``, ``@`` or
    the like) gets an apostrophe in front, which spreadsheets take as "this is text".
    """
    texts = frame.columns[frame.dtypes == "object"]
    guarded = frame.assign(**{name: [plain_cell(text) for text in frame[name]] for name in texts})
    return guarded.to_csv(index=False, lineterminator="\n", na_rep="")


def plain_cell(text: str) -> str:
    """Return a text that no spreadsheet runs (:func:`frame_csv`)."""
    guarded = f"'{text}" if _is_formula(text) else text
    return guarded.replace("\r", "\u240d")


def read_cell(text: str) -> str:
    """Return the text behind a cell that was guarded."""
    return text[1:] if text.startswith("'") and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return text.lstrip(" ").startswith(_FORMULA_STARTS)


def _frame(rows: Iterable[tuple[Cell, ...]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(dtypes)).astype(dict(dtypes))


def _row(hypothesis: Hypothesis) -> tuple[Cell, ...]:
    controlled, strata = hypothesis.controlled, hypothesis.strata
    return (
        visible(hypothesis.hypothesis),
        hypothesis.feature,
        *_ends(hypothesis.separation),
        hypothesis.separation.p,
        *_ends(hypothesis.coefficient),
        tested_p(hypothesis),
        hypothesis.q,
        hypothesis.significant,
        hypothesis.prevalence,
        hypothesis.fidelity.f1,
        hypothesis.n,
        visible(hypothesis.about),
        *((math.nan,) * 3 if controlled is None else _ends(controlled.effect)),
        None if controlled is None else controlled.explained_away,
        *_interaction(strata),
        hypothesis.vif,
        hypothesis.stability,
        len(hypothesis.similar),
    )


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _interaction(strata: StrataEffects | None) -> tuple[float, bool | None]:
    return (math.nan, None) if strata is None else (strata.q_interaction, strata.sign_reversal)
