"""What a study found, in a few lines of plain text."""

from interp_embed.plots.characters import visible
from interp_embed.records import Hypothesis, HypothesisStudy
from interp_embed.report import meanings, wording
from interp_embed.report.remarks import remarks
from interp_embed.report.scales import Scales, study_scales

_SHOWN = 10
_WIDTH = 76


def summarise_study(study: HypothesisStudy) -> str:
    """Return what was found, in about 20 lines: what the command line prints.

    The warnings are not in it: they are in ``study.warnings``.

    Args:
        study: The finished study.
    """
    scales = study_scales(study)
    held = [hypothesis for hypothesis in study.hypotheses if hypothesis.significant]
    signal = "" if study.signal is None or study.signal.found else meanings.signal(study)
    lines = [
        f"{len(held)} of {study.tested} hypotheses about {study.target_name} hold up on "
        f"{study.rows.confirm} documents kept for the test.",
        meanings.counted(study),
        meanings.earlier(study),
        signal,
        _scores(study),
        meanings.ceiling_share(study),
        *(line for item in held[:_SHOWN] for line in _lines(item, study, scales)),
        f"  … and {len(held) - _SHOWN} more in the report" if len(held) > _SHOWN else "",
        meanings.detectable(study, scales.separation),
    ]
    return visible("\n".join(line for line in lines if line).replace("\u00a0", " "))


def _scores(study: HypothesisStudy) -> str:
    scores = study.scores
    return (
        f"Predicted out of sample ({wording.metric_name(scores)}): length alone "
        f"{wording.number(scores.floor)}, hypotheses {wording.number(scores.hypotheses)}, their "
        f"features {wording.number(scores.features)}, whole embedding "
        f"{wording.number(scores.ceiling)}."
    )


def _lines(hypothesis: Hypothesis, study: HypothesisStudy, scales: Scales) -> list[str]:
    """Return a hypothesis with its separation, and what to mind about it."""
    about = f" ({hypothesis.about})" if hypothesis.about else ""
    text = " ".join(f"{hypothesis.hypothesis}{about}".split())
    shown = text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
    effect = scales.separation.signed(hypothesis.separation.value)
    flags = [remark.flag for remark in remarks(hypothesis, strata_name=study.strata_name)]
    line = f"  {effect:>7}  {shown}"
    return [line, f"           {'; '.join(flags)}"] if flags else [line]
