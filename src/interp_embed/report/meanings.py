"""What a study's numbers mean, in sentences: effects, model, signal, what could be found at all."""

import math

from interp_embed.records import HypothesisStudy, TargetKind
from interp_embed.report import wording
from interp_embed.report.scales import SEVERAL_CLASSES, EffectScale, Scales

FAMILY_NAMES = {
    "linear": "linear regression",
    "logit": "logistic regression",
    "poisson": "Poisson regression",
    "ordered": "ordered logit (proportional odds)",
    "multinomial": "multinomial logit",
}
_COLLINEAR = 30.0
SEPARATION_MEANINGS: dict[TargetKind, str] = {
    "numeric": "mean with the concept minus mean without",
    "count": "mean with the concept minus mean without",
    "binary": "share of yes with the concept minus share without",
    "ordinal": "mean rank with the concept minus mean rank without",
    "multiclass": "share of the class named with the concept minus share without",
    "multilabel": "share of the class named with the concept minus share without",
    "preference": "how much more often a text is preferred where it alone has the concept than "
    "where the other text alone has it",
}


def has_classes(study: HypothesisStudy) -> bool:
    """Return whether the target has a column for each of several classes."""
    return study.target_kind in SEVERAL_CLASSES


def separation_meaning(study: HypothesisStudy) -> str:
    """Say what a separation is."""
    return SEPARATION_MEANINGS[study.target_kind]


def coefficient_meaning(study: HypothesisStudy, scales: Scales) -> str:
    """Say what a coefficient is, and whose the p-value is."""
    what = "the same" if scales.joined or study.model is None else study.model.effect
    whose = "p and q are of all classes together" if has_classes(study) else "p and q are its"
    covariates = study.model.covariates if study.model else ()
    held = wording.joined([*covariates, "all other concepts"])
    return f"{what}, with {held} held fixed; {whose}"


def coefficient_unit(kind: TargetKind, effect: str) -> str:
    """Say what a coefficient is, given the words of the model that tests it."""
    if kind == "multiclass":
        return "difference in the share of the class named, by a linear model of each class"
    return effect


def effect_unit(study: HypothesisStudy, scale: EffectScale) -> str:
    """Say in which unit separations are."""
    if has_classes(study):
        return f"{scale.unit or 'units'} of a class's share"
    if study.target_kind == "preference":
        return f"{scale.unit} of pairs"
    if study.target_kind == "ordinal":
        return f"ranks of {study.target_name}"
    return f"{scale.unit or 'units'} of {study.target_name}"


def counted(study: HypothesisStudy) -> str:
    """Say how much was tried, tested and shown."""
    was = "was" if study.tried == 1 else "were"
    return (
        f"{wording.count(study.tried, 'feature')} {was} screened on discover documents, "
        f"{wording.count(study.tested, 'hypothesis', 'hypotheses')} tested on confirm documents, "
        f"{study.shown} shown."
    )


def earlier(study: HypothesisStudy) -> str:
    """Say what was tested on the same confirm documents before; empty if nothing was."""
    n = study.n_earlier
    if not n:
        return ""
    were = "was" if n == 1 else "were"
    return (
        f"{wording.count(n, 'other set')} of hypotheses {were} tested on these confirm documents "
        f"before: the p-values and q-values do not account for {'it' if n == 1 else 'them'}."
    )


def corrected(study: HypothesisStudy) -> str:
    """Say what the q-values correct for and what the verdict rests on; empty if none was tested."""
    if not study.tested:
        return ""
    name = wording.CORRECTION_NAMES.get(study.correction, study.correction)
    verdict = f"the verdict is by {name}, at {wording.level_percent(study.level)}."
    if study.tested == 1:
        return f"{verdict[0].upper()}{verdict[1:]}"
    return (
        f"The q-values correct for all {study.tested} tested, not only for those shown; {verdict}"
    )


def signal(study: HypothesisStudy) -> str:
    """Say whether the texts predict the target at all; empty if that was not measured."""
    found = study.signal
    if found is None:
        return ""
    metric = wording.METRIC_NAMES.get(found.metric, found.metric)
    text = (
        f"Before anything was tested, a ridge on the embeddings of "
        f"{wording.count(found.n, 'discover document')} predicted “{study.target_name}” out of "
        f"sample with {metric}\u00a0=\u00a0{wording.number(found.score)} "
        f"(p\u00a0{wording.equals(found.p)}): "
    )
    return text + (
        "there is something to find." if found.found else "no sign that there is anything to find."
    )


def detectable(study: HypothesisStudy, scale: EffectScale) -> str:
    """Say which effects are too small for the study; empty if that is not known."""
    if not math.isfinite(study.detectable):
        return ""
    n = study.model.n if study.model else study.rows.confirm
    in_unit = f" {scale.unit}" if scale.unit else ""
    return (
        f"With {wording.count(n, 'document')} and {wording.count(study.tested, 'test')}, a concept "
        f"of usual prevalence is found with 80 % power if it goes with a difference of at least "
        f"{scale.plain(study.detectable)}{in_unit} in “{study.target_name}”; a smaller one is "
        "easily missed."
    )


def ceiling_share(study: HypothesisStudy) -> str:
    """Say how much of what can be predicted the words carry; empty if there is no yardstick."""
    share = wording.share_of_ceiling(study.scores)
    if not math.isfinite(share):
        return ""
    if share <= 0:
        return "The hypotheses predict no better than chance."
    return (
        f"The hypotheses reach {wording.percent(share)} of what the full embedding gains over "
        "chance."
    )


def model_facts(study: HypothesisStudy) -> list[tuple[str, str]]:
    """Return how the coefficients were estimated, as names and texts; empty if none were."""
    model = study.model
    if model is None:
        return []
    family = FAMILY_NAMES.get(model.family, model.family)
    facts = [
        ("Model", f"{family} on all hypotheses together, by {model.estimator}"),
        ("A coefficient is", coefficient_unit(study.target_kind, model.effect)),
        ("Errors", model.errors),
        ("Held fixed besides", wording.joined(model.covariates) or "nothing"),
        ("Documents", f"{model.n:,}" + _in_groups(model.n_groups)),
        (
            "R²" if model.family == "linear" else "McFadden's R²",
            f"{wording.number(model.r2)} on the documents fitted, which flatters it",
        ),
    ]
    if math.isfinite(model.condition_number):
        verdict = (
            "collinear: coefficients are hard to tell apart"
            if (model.condition_number > _COLLINEAR)
            else f"below {_COLLINEAR:.0f}, so not collinear"
        )
        facts.append(
            (
                "Condition number",
                f"{wording.number(model.condition_number, decimals=1)} ({verdict})",
            )
        )
    if model.note:
        facts.append(("Note", model.note))
    return facts


def _in_groups(n_groups: int | None) -> str:
    return "" if n_groups is None else f" in {wording.count(n_groups, 'group')}"
