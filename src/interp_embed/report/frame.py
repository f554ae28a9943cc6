"""The hypotheses as a table: one row each, columns that do not change between releases."""

import pandas as pd

from interp_embed.records import Hypothesis, HypothesisStudy
from interp_embed.report.characters import visible

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
}
HYPOTHESIS_COLUMNS = tuple(_DTYPES)
"""Columns of :func:`hypotheses_frame` and of ``hypotheses.csv``, in order: a public contract."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def hypotheses_frame(study: HypothesisStudy) -> pd.DataFrame:
    """Return the hypotheses as a table, in the order of the study.

    Args:
        study: The finished study.

    Returns:
        One row per hypothesis, columns :data:`HYPOTHESIS_COLUMNS`; NaN where something could not
        be estimated. ``p`` is the p-value of ``coefficient``, and ``q`` its corrected value.
        Control characters and lone surrogates in a hypothesis are replaced visibly.
    """
    rows = [_row(hypothesis) for hypothesis in study.hypotheses]
    return pd.DataFrame(rows, columns=list(HYPOTHESIS_COLUMNS)).astype(_DTYPES)


def hypotheses_csv(study: HypothesisStudy) -> str:
    """Return the table as CSV: NaN is empty, floats read back as the same numbers.

    A hypothesis that a spreadsheet would run as a formula (it begins with ``=``, ``+``, ``-``,
    ``@`` or the like) gets an apostrophe in front, which spreadsheets take as "this is text".
    """
    frame = hypotheses_frame(study)
    frame["hypothesis"] = [_plain_cell(text) for text in frame["hypothesis"]]
    return frame.to_csv(index=False, lineterminator="\n", na_rep="")


def _row(hypothesis: Hypothesis) -> tuple[str | float | bool, ...]:
    separation, coefficient = hypothesis.separation, hypothesis.coefficient
    return (
        visible(hypothesis.hypothesis),
        hypothesis.feature,
        separation.value,
        separation.low,
        separation.high,
        separation.p,
        coefficient.value,
        coefficient.low,
        coefficient.high,
        coefficient.p,
        hypothesis.q,
        hypothesis.significant,
        hypothesis.prevalence,
        hypothesis.fidelity.f1,
        hypothesis.n,
    )


def _plain_cell(text: str) -> str:
    guarded = f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
    return guarded.replace("\r", "\u240d")
