"""Numbers and sentences as people read them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from interp_embed.records import HypothesisStudy, Scores

MISSING = "\u2013"
"""An en dash: stands where there is no number."""
_MINUS = "\u2212"

METRIC_NAMES = {"r2": "R²", "auc": "AUC"}
CORRECTION_NAMES = {
    "bh": "Benjamini-Hochberg, which bounds the expected share of false findings",
    "bonferroni": "Bonferroni, which bounds the chance of a single false finding",
}

_PLAIN_SIZES = (1e-4, 1e7)


@dataclass(frozen=True, slots=True)
class EffectScale:
    """How effects are written: all with the same unit and number of decimals."""

    factor: float
    """What an effect is multiplied by before it is written."""
    decimals: int
    unit: str
    """In words; empty if it is the unit of the target."""
    scientific: bool = False
    """Whether the numbers are too large or too small to be written out."""

    def plain(self, value: float) -> str:
        """Return an effect without a plus sign, such as ``0.25``."""
        if not math.isfinite(value):
            return MISSING
        scaled = value * self.factor
        text = f"{scaled:.2e}" if self.scientific else f"{scaled:.{self.decimals}f}"
        return _minus(text)

    def signed(self, value: float) -> str:
        """Return an effect with its sign, such as ``+0.25``."""
        text = self.plain(value)
        return text if text == MISSING or text.startswith(_MINUS) or value == 0 else f"+{text}"

    def tick(self, value: float) -> str:
        """Return a round number on the axis, without needless decimals."""
        return _minus(f"{round(value * self.factor, 9):g}")

    def interval(self, low: float, high: float) -> str:
        """Return an interval, such as ``[0.10, 0.60]``; empty if an end is not known."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return ""
        return f"[{self.plain(low)}, {self.plain(high)}]"


def effect_scale(study: HypothesisStudy) -> EffectScale:
    """Return how the study's effects are written.

    A binary target's effects are differences in rates: percentage points. The typical interval is
    as wide as two digits can tell, so that no digit is shown that the data do not support.
    """
    binary = study.target_kind == "binary"
    factor, unit = (100.0, "percentage points") if binary else (1.0, "")
    estimates = [e for item in study.hypotheses for e in (item.separation, item.coefficient)]
    widths = [e.high - e.low for e in estimates] + [abs(e.value) for e in estimates]
    known = sorted(width for width in widths if 0 < width < math.inf)
    if not known:
        return EffectScale(factor=factor, decimals=2, unit=unit)
    typical = known[len(known) // 2] * factor
    return EffectScale(
        factor=factor,
        decimals=min(6, max(0, 1 - math.floor(math.log10(typical)))),
        unit=unit,
        scientific=not _PLAIN_SIZES[0] <= typical <= _PLAIN_SIZES[1],
    )


def number(value: float, *, decimals: int = 2) -> str:
    """Return a number, or a dash where there is none."""
    return _minus(f"{value:.{decimals}f}") if math.isfinite(value) else MISSING


def significant_digits(value: float, *, digits: int = 4) -> str:
    """Return a number of unknown size, such as a target's mean."""
    return _minus(f"{value:.{digits}g}") if math.isfinite(value) else MISSING


def probability(p: float) -> str:
    """Return a p-value, such as ``0.031`` or ``< 0.001``."""
    if not math.isfinite(p):
        return MISSING
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.9995 else "1.000"


def percent(share: float) -> str:
    """Return a share in [0, 1] as a percentage, finer where it is small."""
    if not math.isfinite(share):
        return MISSING
    return f"{100 * share:.{1 if 0 < share < 0.0995 else 0}f} %"


def count(n: int, singular: str, plural: str = "") -> str:
    """Return a number of things, such as ``1 row`` or ``1,200 rows``."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def level_percent(level: float) -> str:
    """Return a significance level, such as ``5 %``."""
    return f"{100 * level:.3g} %"


def metric_name(scores: Scores) -> str:
    """Return the name of the scores' metric."""
    return METRIC_NAMES.get(scores.metric, scores.metric)


def who_worded(study: HypothesisStudy) -> str:
    """Say who worded the hypotheses and who judged the documents by the words."""
    labels = study.settings.get("labels", "keywords")
    if not isinstance(labels, Mapping):
        return "labels are contrasting words, and a rule of words reads them"
    names = [str(labels[role]["model"]["model"]) for role in ("labeller", "annotator")]
    if names[0] == names[1]:
        return f"{names[0]} worded the hypotheses and judged the documents by the words"
    return f"{names[0]} worded the hypotheses, {names[1]} judged the documents by the words"


def answer(study: HypothesisStudy) -> str:
    """Return what was found, in plain words: how many hypotheses hold up, how well they predict."""
    return f"{_held_up(study)}{_prediction(study)}."


def _held_up(study: HypothesisStudy) -> str:
    held = sum(hypothesis.significant for hypothesis in study.hypotheses)
    documents = f"on {count(study.rows.confirm, 'document')} that played no part in finding them"
    if not study.hypotheses:
        return f"No hypothesis about “{study.target_name}” was found"
    if study.tested == 0:
        return f"No hypothesis about “{study.target_name}” could be tested"
    if study.tested == 1:
        verb = "holds up" if held else "does not hold up"
        return f"The one hypothesis about “{study.target_name}” that was tested {verb} {documents}"
    several = f"{held or 'None'} of {study.tested:,} hypotheses about “{study.target_name}”"
    return f"{several} {'holds' if held < 2 else 'hold'} up {documents}"


def _prediction(study: HypothesisStudy) -> str:
    scores, metric = study.scores, metric_name(study.scores)
    if not study.hypotheses:
        return ""
    if not math.isfinite(scores.hypotheses):
        return "; how well they predict it could not be scored"
    subject = "together they predict" if len(study.hypotheses) > 1 else "it predicts"
    text = f"; {subject} the target with {metric}\u00a0=\u00a0{number(scores.hypotheses)}"
    if not math.isfinite(scores.ceiling):
        return text
    return f"{text}, where a ridge on the full embedding reaches {number(scores.ceiling)}"


def _minus(text: str) -> str:
    if not text.strip("-0."):
        text = text.lstrip("-")  # no "minus zero"
    return text.replace("-", _MINUS)
