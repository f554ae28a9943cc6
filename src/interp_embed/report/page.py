"""The report as one page that needs no network, no script and no second file."""

import functools
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from interp_embed.plots.characters import visible
from interp_embed.records import ConceptGroup, HypothesisStudy, Json
from interp_embed.report import meanings, wording
from interp_embed.report.drawing import Axis, Bar, bar, forest_axis, score_axis
from interp_embed.report.rows import RowView, row_view
from interp_embed.report.run_record import run_record
from interp_embed.report.scales import Scales, study_scales
from interp_embed.report.verdicts import is_untested

_MOST_DROPPED_ROWS = 20
_SCORE_NAMES = (
    ("floor", "Floor", "length of the document alone"),
    ("hypotheses", "Hypotheses", "their words alone, as annotated"),
    ("features", "Features", "activations of the selected features"),
    ("ceiling", "Ceiling", "ridge on the full embedding"),
)


@dataclass(frozen=True, slots=True)
class Group:
    """Hypotheses that fared alike."""

    title: str
    rows: tuple[RowView, ...]


@dataclass(frozen=True, slots=True)
class ScoreView:
    """A predictive score in words and as a bar."""

    key: str
    name: str
    explanation: str
    value: str
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class ConceptGroupView:
    """Concepts tested as one."""

    members: tuple[str, ...]
    p: str
    q: str
    verdict: str


@dataclass(frozen=True, slots=True)
class DroppedView:
    """Rows left out for one reason."""

    reason: str
    n: int
    rows: str
    """The first of their positions."""


def render_html(study: HypothesisStudy) -> str:
    """Return the report as an HTML page: self-contained, without scripts, safe to open from disk.

    Documents and labels are hostile input: all text is escaped, control characters and lone
    surrogates are replaced visibly, and the page forbids itself to load anything. The same study
    gives the same page.

    Args:
        study: The finished study.

    Raises:
        InputError: A setting or a fact of the provenance is not JSON-like.
    """
    return page_environment().get_template("report.html").render(_context(study))


@functools.cache  # templates are compiled once, not for each page
def page_environment() -> Environment:
    """Return how pages are made: everything escaped, and control characters shown."""
    return Environment(
        loader=PackageLoader("interp_embed.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _finalize(value: Any) -> Any:  # noqa: ANN401 - whatever the template prints
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _context(study: HypothesisStudy) -> dict[str, Any]:
    record = run_record(study)
    scales = study_scales(study)
    drawn = [item.separation for item in study.hypotheses]
    if scales.joined:
        drawn += [item.coefficient for item in study.hypotheses]
    axis = forest_axis(drawn)
    scores = score_axis(
        [getattr(study.scores, key) for key, _, _ in _SCORE_NAMES], metric=study.scores.metric
    )
    return {
        "study": study,
        "words": wording,
        "meanings": meanings,
        "answer": wording.answer(study),
        "axis": axis,
        "ticks": [(axis.x(tick), scales.separation.tick(tick)) for tick in axis.ticks],
        "zero": axis.x(0.0),
        "row_height": 38 if scales.joined else 26,
        "scales": scales,
        "groups": _groups(study, scales=scales, axis=axis),
        "n_columns": 8,
        "scores": _scores(study, scores),
        "score_axis": scores,
        "score_origin": scores.x(wording.chance(study.scores.metric)),
        "concept_groups": _concept_groups(study),
        "embedder": _embedder(record),
        "command": record["provenance"].get("command", record["settings"].get("command")),
        "settings": _facts(record["settings"]),
        "provenance": _facts(record["provenance"]),
        "dropped": _dropped(study),
    }


def _groups(study: HypothesisStudy, *, scales: Scales, axis: Axis) -> list[Group]:
    kinds: dict[str, list[RowView]] = {"held": [], "not": [], "untested": []}
    for hypothesis in study.hypotheses:
        untested = is_untested(hypothesis)
        kind = "held" if hypothesis.significant else "untested" if untested else "not"
        row = row_view(hypothesis, scales=scales, axis=axis, strata_name=study.strata_name)
        kinds[kind].append(row)
    titles = {
        "held": f"Hold up at {wording.level_percent(study.level)} after correction",
        "not": "Do not hold up",
        "untested": "Could not be tested",
    }
    return [Group(titles[kind], tuple(rows)) for kind, rows in kinds.items() if rows]


def _concept_groups(study: HypothesisStudy) -> list[ConceptGroupView]:
    return [
        ConceptGroupView(
            members=group.members,
            p=wording.probability(group.p),
            q=wording.probability(group.q),
            verdict=_verdict(group),
        )
        for group in study.groups
    ]


def _verdict(group: ConceptGroup) -> str:
    if not math.isfinite(group.p):
        return "could not be tested"
    return "holds up" if group.significant else "does not hold up"


def _scores(study: HypothesisStudy, axis: Axis) -> list[ScoreView]:
    return [
        ScoreView(
            key=key,
            name=name,
            explanation=explanation,
            value=wording.number(getattr(study.scores, key)),
            bar=bar(getattr(study.scores, key), axis, metric=study.scores.metric),
        )
        for key, name, explanation in _SCORE_NAMES
    ]


def _embedder(record: Mapping[str, Json]) -> str:
    for place in ("settings", "provenance"):
        found = record[place].get("embedder")
        if isinstance(found, Mapping):
            found = found.get("name", found.get("model"))
        if found:
            return str(found)
    return ""


def _dropped(study: HypothesisStudy) -> list[DroppedView]:
    counts = Counter(dropped.reason for dropped in study.rows.dropped)
    views = []
    for reason, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        rows = [dropped.row for dropped in study.rows.dropped if dropped.reason == reason]
        first = ", ".join(str(row) for row in rows[:_MOST_DROPPED_ROWS])
        views.append(DroppedView(reason, n, first + (", …" if n > _MOST_DROPPED_ROWS else "")))
    return views


def _facts(values: Mapping[str, Json], *, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as lines: the path to each, and its value."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            lines += _facts(value, prefix=f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append((f"{prefix}{key}", text))
    return lines
