"""The effects of a study as a regression table, for a paper."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from interp_embed.errors import InputError, StoredFileError
from interp_embed.plots.characters import visible
from interp_embed.records import Estimate, HypothesisStudy, Json, TargetKind
from interp_embed.report import wording
from interp_embed.report.escapes import latex_text, markdown_text
from interp_embed.report.frame import HYPOTHESIS_COLUMNS, plain_cell, read_cell
from interp_embed.report.regression_notes import regression_notes
from interp_embed.report.run_record import run_record
from interp_embed.report.scales import MISSING, EffectScale, Scales, choose_scales
from interp_embed.report.verdicts import tested_p

_NEEDED = ("target", "rows", "score", "level", "correction", "tested", "tried")
_CSV_COLUMNS = (
    "concept", "about", "marginal", "marginal_low", "marginal_high", "joint", "joint_low",
    "joint_high", "p", "q", "significant", "controlled", "controlled_low", "controlled_high", "n",
    "prevalence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RegressionRow:
    """A concept's effects."""

    concept: str
    about: str
    """The class that the effects are of; empty where there is one column."""
    marginal: Estimate
    """The separation."""
    joint: Estimate
    """In the regression on all concepts; its ``p`` is the one behind the verdict."""
    q: float
    significant: bool
    controlled: Estimate | None
    """With covariates held fixed, the other concepts left aside; None where not estimated."""
    n: int
    prevalence: float


@dataclass(frozen=True, slots=True)
class RegressionTable:
    """Marginal and joint effects of all concepts, and what has to be said below them."""

    title: str
    rows: tuple[RegressionRow, ...]
    scales: Scales
    notes: tuple[str, ...]
    """Model, errors, covariates, correction, documents, what was tried, scores out of sample."""

    def to_latex(self) -> str:
        r"""Return a LaTeX table that needs the package booktabs and no other.

        Everything is escaped. Letters of other scripts than Latin need a font that has them.
        """
        has_controlled = self._has_controlled
        lines = [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(self.title)}}}",
            r"\begin{tabular}{p{0.32\linewidth}" + "r" * (len(self._heads) - 1) + "}",
            r"\toprule",
            " & ".join(latex_text(head) for head in self._heads) + r" \\",
            r"\midrule",
        ]
        for row in self.rows:
            cells = self._cells(row, has_controlled=has_controlled)
            for part in (0, 1):
                lines.append(" & ".join(latex_text(cell[part]) for cell in cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", "", r"\smallskip"]
        lines += [r"\begin{minipage}{\linewidth}", r"\footnotesize"]
        lines += [rf"{latex_text(note)}\par" for note in self.notes]
        return "\n".join([*lines, r"\end{minipage}", r"\end{table}", ""])

    def to_markdown(self) -> str:
        """Return a Markdown table, with its title above and its notes below."""
        has_controlled = self._has_controlled
        heads = [markdown_text(head) for head in self._heads]
        lines = [f"**{markdown_text(self.title)}**", "", f"| {' | '.join(heads)} |"]
        lines.append("| --- |" + " ---: |" * (len(heads) - 1))
        for row in self.rows:
            cells = self._cells(row, has_controlled=has_controlled)
            texts = [markdown_text(" ".join(filter(None, cell))) for cell in cells]
            lines.append(f"| {' | '.join(texts)} |")
        return "\n".join([*lines, "", *(f"{markdown_text(note)}  " for note in self.notes), ""])

    def to_csv(self) -> str:
        """Return the numbers as CSV, unrounded, in the target's unit, without the notes."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_CSV_COLUMNS)
        for row in self.rows:
            effects = (*_ends(row.marginal), *_ends(row.joint), row.joint.p, row.q)
            cells = (plain_cell(row.concept), plain_cell(row.about), *map(_number, effects))
            controlled = (math.nan,) * 3 if row.controlled is None else _ends(row.controlled)
            others = (*map(_number, controlled), row.n, _number(row.prevalence))
            writer.writerow((*cells, row.significant, *others))
        return stream.getvalue()

    @property
    def _has_controlled(self) -> bool:
        return any(row.controlled is not None for row in self.rows)

    @property
    def _heads(self) -> tuple[str, ...]:
        controlled = ("Controlled",) if self._has_controlled else ()
        return ("Concept", "Marginal", "Joint", "p", "q", *controlled, "N", "Prevalence")

    def _cells(self, row: RegressionRow, *, has_controlled: bool) -> list[tuple[str, str]]:
        """Return each cell as what stands in its first and in its second line."""
        scale = self.scales.separation
        joint = _two_lines(row.joint, self.scales.coefficient)
        return [
            (row.concept, f"({row.about})" if row.about else ""),
            _two_lines(row.marginal, scale),
            (joint[0] + ("*" if row.significant else ""), joint[1]),
            (wording.probability(row.joint.p), ""),
            (wording.probability(row.q), ""),
            *([_two_lines(row.controlled, scale)] if has_controlled else []),
            (f"{row.n:,}", ""),
            (wording.percent(row.prevalence), ""),
        ]


def regression_table(study: HypothesisStudy) -> RegressionTable:
    """Return the study's effects as a table for a paper.

    Args:
        study: The finished study.

    Raises:
        InputError: A setting or a fact of the provenance is not JSON-like.
    """
    rows = tuple(
        RegressionRow(
            concept=visible(item.hypothesis),
            about=visible(item.about),
            marginal=item.separation,
            joint=Estimate(
                item.coefficient.value,
                item.coefficient.low,
                item.coefficient.high,
                tested_p(item),
                item.coefficient.n,
            ),
            q=item.q,
            significant=item.significant,
            controlled=None if item.controlled is None else item.controlled.effect,
            n=item.n,
            prevalence=item.prevalence,
        )
        for item in study.hypotheses
    )
    return _table(rows, run_record(study))


def read_regression_table(directory: Path) -> RegressionTable:
    """Return the table of a finished run from its ``hypotheses.csv`` and ``run.json``.

    Args:
        directory: Folder that the study was written to.

    Raises:
        InputError: The folder or one of the two files is missing.
        StoredFileError: One of them is damaged or of another version.
    """
    paths = directory / "hypotheses.csv", directory / "run.json"
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path} does not exist; name the folder of a finished run")
    try:
        with paths[0].open(encoding="utf-8", newline="") as stream:
            rows = tuple(_read_rows(csv.DictReader(stream)))
        record = json.loads(paths[1].read_text(encoding="utf-8"))
        missing = [key for key in _NEEDED if key not in record]
        if missing:
            raise StoredFileError(f"{paths[1]} lacks {', '.join(missing)}; run the study again")
        return _table(rows, record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoredFileError(
            f"{directory} holds a hypotheses.csv or run.json that cannot be read ({error!r}); "
            "run the study again"
        ) from error


def _read_rows(reader: "csv.DictReader[str]") -> Iterator[RegressionRow]:
    given = reader.fieldnames or ()
    first = HYPOTHESIS_COLUMNS[: HYPOTHESIS_COLUMNS.index("about")]
    if missing := [name for name in first if name not in given]:
        raise StoredFileError(f"hypotheses.csv lacks the columns {', '.join(missing)}")
    for cells in reader:
        n = int(cells["n"])
        has_controlled = bool(cells.get("controlled"))
        yield RegressionRow(
            concept=read_cell(cells["hypothesis"]),
            about=read_cell(cells.get("about") or ""),
            marginal=_read_estimate(cells, "separation", p="separation_p", n=n),
            joint=_read_estimate(cells, "coefficient", p="p", n=n),
            q=_read_number(cells["q"]),
            significant={"True": True, "False": False}[cells["significant"]],
            controlled=_read_estimate(cells, "controlled", p="", n=n) if has_controlled else None,
            n=n,
            prevalence=_read_number(cells["prevalence"]),
        )


def _read_estimate(cells: Mapping[str, str], name: str, *, p: str, n: int) -> Estimate:
    return Estimate(
        value=_read_number(cells[name]),
        low=_read_number(cells[f"{name}_low"]),
        high=_read_number(cells[f"{name}_high"]),
        p=_read_number(cells[p]) if p else math.nan,
        n=n,
    )


def _read_number(text: str) -> float:
    return float(text) if text else math.nan


def _table(rows: tuple[RegressionRow, ...], record: Mapping[str, Json]) -> RegressionTable:
    model, target = record.get("model"), record["target"]
    scales = choose_scales(
        cast("TargetKind", target["kind"]),
        model["effect"] if model else "",
        separations=[row.marginal for row in rows],
        coefficients=[row.joint for row in rows],
    )
    return RegressionTable(
        title=f"Association of concepts with {target['name']}",
        rows=rows,
        scales=scales,
        notes=regression_notes(record, scales),
    )


def _two_lines(estimate: Estimate | None, scale: EffectScale) -> tuple[str, str]:
    if estimate is None:
        return MISSING, ""
    return scale.signed(estimate.value), scale.interval(estimate.low, estimate.high)


def _ends(estimate: Estimate) -> Sequence[float]:
    return estimate.value, estimate.low, estimate.high


def _number(value: float) -> str | float:
    return "" if math.isnan(value) else value
