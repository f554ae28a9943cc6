"""A data set in a notebook and in a terminal."""

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interp_embed.dataset.dataset import Dataset

_ROWS, _CHARACTERS = 5, 160


def dataset_text(dataset: "Dataset") -> str:
    """Return a few lines about a data set."""
    failed = len(dataset.errors())
    lines = [
        f"Dataset: {len(dataset):,} documents in {dataset.field!r}, "
        f"{dataset.n_features:,} features" + (f", {failed:,} without activations" if failed else "")
    ]
    lines += [f"  {i}: {_short(dataset.text_of(i))}" for i in range(min(_ROWS, len(dataset)))]
    if len(dataset) > _ROWS:
        lines.append(f"  … and {len(dataset) - _ROWS:,} more")
    return "\n".join(lines)


def dataset_html(dataset: "Dataset") -> str:
    """Return the same for a notebook, every text escaped."""
    failed = dataset.errors()
    frame = dataset.pandas()
    others = [name for name in frame.columns if name != dataset.field][:4]
    n = min(_ROWS, len(dataset))
    counts = dataset.active_counts(n)
    head = "".join(
        f"<th>{html.escape(str(name))}</th>"
        for name in ["", dataset.field, *others, "active features"]
    )
    body = []
    for i in range(n):
        cells = [str(i), _short(dataset.text_of(i))]
        cells += [_short(str(frame[name].iloc[i])) for name in others]
        cells.append(failed.get(i, f"{counts[i]:,}"))
        row = "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in cells)
        body.append(f"<tr>{row}</tr>")
    missing = f", {len(failed):,} without activations" if failed else ""
    return (
        f"<div><p><b>Dataset</b>: {len(dataset):,} documents, "
        f"{dataset.n_features:,} features{missing}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        f"<p>{html.escape(dataset.location)}</p></div>"
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CHARACTERS else line[: _CHARACTERS - 1] + "…"
