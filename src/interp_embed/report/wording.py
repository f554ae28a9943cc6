"""Numbers and sentences as people read them."""

import math
from collections.abc import Mapping, Sequence

from interp_embed.records import HypothesisStudy, Scores
from interp_embed.report.scales import MISSING, minus

METRIC_NAMES = {"r2": "R²", "auc": "AUC"}
CORRECTION_NAMES = {
    "bh": "Benjamini-Hochberg, which bounds the expected share of false findings",
    "by": "Benjamini-Yekutieli, which bounds the expected share of false findings under any "
    "dependence",
    "bonferroni": "Bonferroni, which bounds the chance of a single false finding",
    "holm": "Holm, which bounds the chance of a single false finding",
}
_LEAST_GAIN = 0.02
"""Below this much more than chance a ceiling is no yardstick."""


def number(value: float, *, decimals: int = 2) -> str:
    """Return a number, or a dash where there is none."""
    return minus(f"{value:.{decimals}f}") if math.isfinite(value) else MISSING


def significant_digits(value: float, *, digits: int = 4) -> str:
    """Return a number of unknown size, such as a target's mean."""
    return minus(f"{value:.{digits}g}") if math.isfinite(value) else MISSING


def probability(p: float) -> str:
    """Return a p-value, such as ``0.031`` or ``< 0.001``."""
    if not math.isfinite(p):
        return MISSING
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.9995 else "1.000"


def equals(p: float) -> str:
    """Return a p-value behind its relation, such as ``= 0.031`` or ``< 0.001``."""
    text = probability(p)
    return text if text.startswith("<") else f"= {text}"


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


def chance(metric: str) -> float:
    """Return the score of a predictor that knows nothing."""
    return 0.5 if metric == "auc" else 0.0


def share_of_ceiling(scores: Scores) -> float:
    """Return what part of the ceiling's gain over chance the hypotheses reach.

    R2 of 0.2 where the embedding reaches 0.5 -> 0.4; AUC of 0.6 against 0.75 -> 0.4. NaN where
    the ceiling itself is hardly above chance.
    """
    gain = scores.ceiling - chance(scores.metric)
    if not (math.isfinite(scores.hypotheses) and gain >= _LEAST_GAIN):
        return math.nan
    return (scores.hypotheses - chance(scores.metric)) / gain


def joined(parts: Sequence[str]) -> str:
    """Return parts as a list in a sentence, such as ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


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
