"""What has to be said below a regression table, from the record of a run."""

import math
from collections.abc import Mapping

from interp_embed.records import Json
from interp_embed.report import wording
from interp_embed.report.meanings import FAMILY_NAMES, SEPARATION_MEANINGS, coefficient_unit
from interp_embed.report.scales import SEVERAL_CLASSES, Scales

_CORRECTIONS = {
    "bh": "Benjamini-Hochberg",
    "by": "Benjamini-Yekutieli",
    "bonferroni": "Bonferroni",
    "holm": "Holm",
}


def regression_notes(record: Mapping[str, Json], scales: Scales) -> tuple[str, ...]:
    """Return the notes of a table, one sentence or a few each.

    Args:
        record: That of the run (``run.json``).
        scales: How effects are written.
    """
    notes = (
        _sample(record),
        _marginal(record, scales),
        _joint(record, scales),
        _controlled(record),
        _multiplicity(record),
        _scores(record["score"]),
        _earlier(record.get("n_earlier", 0)),
        "These are associations: whether one brings about the other, they cannot say.",
    )
    return tuple(note for note in notes if note)


def _sample(record: Mapping[str, Json]) -> str:
    rows, model = record["rows"], record.get("model")
    fitted = ""
    if model:
        groups = model["n_groups"]
        within = "" if groups is None else f" in {wording.count(groups, 'group')}"
        fitted = f"; the joint regression has {wording.count(model['n'], 'document')}{within}"
    strata = f" Strata: {record['strata_name']}." if record.get("strata_name") else ""
    return (
        f"{wording.count(rows['confirm'], 'document')} that played no part in finding the "
        f"concepts ({wording.count(rows['discover'], 'document')} did){fitted}.{strata}"
    )


def _marginal(record: Mapping[str, Json], scales: Scales) -> str:
    unit = f", in {scales.separation.unit}" if scales.separation.unit else ""
    meaning = SEPARATION_MEANINGS[record["target"]["kind"]]
    return f"Marginal: {meaning}{unit}. In brackets: 95 % intervals."


def _joint(record: Mapping[str, Json], scales: Scales) -> str:
    model = record.get("model")
    if not model:
        errors = record["settings"].get("standard_errors") or "robust"
        return f"Joint: coefficient in a regression on all concepts together, {errors} errors."
    family = FAMILY_NAMES.get(model["family"], model["family"])
    effect = coefficient_unit(record["target"]["kind"], model["effect"])
    if scales.joined and scales.coefficient.unit:
        effect += f", in {scales.coefficient.unit}"
    besides = wording.joined(model["covariates"])
    held = f"; held fixed besides: {besides}" if besides else ""
    note = f" {_sentence(model['note'])}" if model["note"] else ""
    return (
        f"Joint: {family} on all concepts together by {model['estimator']}, {model['errors']} "
        f"errors; {effect}{held}.{note}"
    )


def _controlled(record: Mapping[str, Json]) -> str:
    names = record.get("controlled_for")
    return f"Controlled: as marginal, with {wording.joined(names)} held fixed." if names else ""


def _multiplicity(record: Mapping[str, Json]) -> str:
    name = _CORRECTIONS.get(record["correction"], record["correction"])
    level = f"{record['level']:g}"
    star = (
        f"* q ≤ {level}" if record["correction"] == "bh" else f"* significant at {level} ({name})"
    )
    tested = wording.count(record["tested"], "hypothesis", "hypotheses")
    everything = f"all {tested}" if record["tested"] > 1 else tested
    classes = (
        " p is of all classes together." if record["target"]["kind"] in SEVERAL_CLASSES else ""
    )
    return (
        f"q: p corrected for {everything} tested (Benjamini-Hochberg); {star}.{classes} "
        f"{wording.count(record['tried'], 'feature')} screened on discover documents."
    )


def _scores(score: Mapping[str, Json]) -> str:
    metric = wording.METRIC_NAMES.get(score["metric"], score["metric"])
    known = {
        key: wording.number(math.nan if score[key] is None else score[key])
        for key in ("hypotheses", "ceiling", "floor")
    }
    return (
        f"{metric} out of sample: hypotheses {known['hypotheses']}, ceiling (ridge on the "
        f"embedding) {known['ceiling']}, floor (length) {known['floor']}."
    )


def _earlier(n: int) -> str:
    if not n:
        return ""
    return (
        f"{wording.count(n, 'other set')} of hypotheses {'was' if n == 1 else 'were'} tested on "
        "these documents before; p and q do not account for that."
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
