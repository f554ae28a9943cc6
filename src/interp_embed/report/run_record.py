"""The record of a run: what was asked, with what, on which rows, and how it went."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from interp_embed.errors import InputError
from interp_embed.plots.characters import visible
from interp_embed.records import HypothesisStudy, Json, RowCounts
from interp_embed.report.verdicts import is_untested

RUN_FORMAT = 1
"""Version of the layout of ``run.json``; raised when a key changes its meaning or goes."""


def run_record(study: HypothesisStudy) -> dict[str, Json]:
    """Return everything about a run but its hypotheses, ready to be written as JSON.

    The same study gives the same record: it holds no time stamp. NaN and infinities, which JSON
    lacks, are None; lone surrogates and control characters are replaced visibly.

    Args:
        study: The finished study.

    Raises:
        InputError: A setting or a fact of the provenance is not JSON-like.
    """
    record = {
        "format": RUN_FORMAT,
        "target": {
            "name": study.target_name,
            "kind": study.target_kind,
            "note": study.target_note,
            "mean": study.target_mean,
            "classes": study.classes,
        },
        "strata_name": study.strata_name,
        "rows": _rows(study.rows),
        "tried": study.tried,
        "tested": study.tested,
        "shown": study.shown,
        "significant": sum(hypothesis.significant for hypothesis in study.hypotheses),
        "not_tested": [
            {"feature": item.feature, "hypothesis": item.hypothesis, "note": item.note}
            for item in study.hypotheses
            if is_untested(item)
        ],
        "level": study.level,
        "correction": study.correction,
        "n_earlier": study.n_earlier,
        "detectable": study.detectable,
        "signal": None if study.signal is None else asdict(study.signal),
        "score": asdict(study.scores),
        "model": None if study.model is None else asdict(study.model),
        "controlled_for": _controlled_for(study),
        "concept_groups": [asdict(group) for group in study.groups],
        "ledger": [asdict(attempt) for attempt in study.ledger],
        "training": asdict(study.training),
        "settings": study.settings,
        "provenance": study.provenance,
        "warnings": study.warnings,
    }
    return {key: _as_json(value, place=key) for key, value in record.items()}


def _controlled_for(study: HypothesisStudy) -> list[str]:
    """Return what is held fixed in the controlled effects, each name once."""
    names = (
        name
        for item in study.hypotheses
        if item.controlled is not None
        for name in item.controlled.covariates
    )
    return list(dict.fromkeys(names))


def _rows(rows: RowCounts) -> dict[str, Json]:
    counts = Counter(dropped.reason for dropped in rows.dropped)
    return {
        "read": rows.read,
        "dropped_by_reason": dict(sorted(counts.items())),
        "discover": rows.discover,
        "confirm": rows.confirm,
        "groups": rows.n_groups,
        "duplicates": rows.n_duplicates,
        "dropped": [asdict(dropped) for dropped in rows.dropped],
    }


def _as_json(value: Any, *, place: str) -> Json:  # noqa: ANN401 - anything may sit in settings
    if isinstance(value, np.generic):
        return _as_json(value.item(), place=place)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {
            visible(str(key)): _as_json(item, place=f"{place}.{key}") for key, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_as_json(item, place=f"{place}[{i}]") for i, item in enumerate(value)]
    raise InputError(
        f"{visible(place)} is a {type(value).__name__}, which JSON cannot hold; "
        "give numbers, strings, booleans, None, or lists and mappings of them"
    )
