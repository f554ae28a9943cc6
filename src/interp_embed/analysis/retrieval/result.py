"""What a search found: each hit with why it was found, and where in its text."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from interp_embed.analysis.plain_values import quoted
from interp_embed.analysis.retrieval.feature_query import FeatureQuery
from interp_embed.errors import InputError
from interp_embed.records import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ranker = Literal["features", "meaning", "words"]
RANKERS: tuple[Ranker, ...] = ("features", "meaning", "words")
Span = tuple[int, int]
_TEXT = 300
"""Characters of a text that are kept in plain values and shown."""
_BEFORE = 80
"""Characters shown before the first mark of a long text."""
_PARTS = 6
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class FeatureMatch:
    """A feature of the query that fires in a hit."""

    feature: int
    label: str
    weight: float
    """Of the feature in the query."""
    activation: float
    """In units of the 90th percentile of the feature's activations above 0."""
    contribution: float
    """Weight times activation: its part of the hit's score by features."""
    spans: tuple[Span, ...] = ()
    """Characters [start, end) at which it fires, where that is known."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A document that was found."""

    document: int
    """Position in the data set."""
    rank: int
    """From 1."""
    score: float
    """Of the fused rankings; of the ranking itself where there is only one."""
    text: str
    ranks: Mapping[Ranker, float]
    """Rank in each ranking that has the document; documents of equal score share their mean."""
    matches: tuple[FeatureMatch, ...] = ()
    """Features of the query that fire in it, largest contribution first."""
    words: tuple[Span, ...] = ()
    """Characters of words of the query."""
    rank_before: int | None = None
    """Rank before a language model put the first hits in order; None where none did."""

    @property
    def spans(self) -> tuple[Span, ...]:
        """All places that made it a hit, in order and without overlap."""
        marked: list[Span] = []
        for start, end in sorted({*self.words, *(s for m in self.matches for s in m.spans)}):
            if marked and start <= marked[-1][1]:
                marked[-1] = (marked[-1][0], max(end, marked[-1][1]))
            else:
                marked.append((start, end))
        return tuple(marked)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Documents found for a query, best first."""

    query: str
    """The question in words; empty where features alone were asked for."""
    features: FeatureQuery | None
    """What stood for it, to be edited and searched again; None where features were not used."""
    hits: tuple[SearchHit, ...]
    n_documents: int
    """Documents searched."""
    n_ranked: Mapping[Ranker, int]
    """Documents each ranking used has; those without any of its features or words are not."""
    reranked_by: str = ""
    """The language model that put the first hits in order; empty where none did."""
    notes: tuple[str, ...] = field(default=())
    """What was not done and why, in sentences."""

    def __len__(self) -> int:
        return len(self.hits)

    @property
    def used(self) -> tuple[Ranker, ...]:
        """The rankings that were fused."""
        return tuple(self.n_ranked)

    def to_frame(self) -> pd.DataFrame:
        """Return a row a hit, with ranks NaN where a ranking does not have it."""
        columns = {
            "rank": [hit.rank for hit in self.hits],
            "document": [hit.document for hit in self.hits],
            "score": [hit.score for hit in self.hits],
            **{
                f"rank_{ranker}": [hit.ranks.get(ranker, np.nan) for hit in self.hits]
                for ranker in RANKERS
            },
            "matched": ["; ".join(match.label for match in hit.matches) for hit in self.hits],
            "text": [hit.text for hit in self.hits],
        }
        return pd.DataFrame(columns)

    def summary(self) -> str:
        """Return what was found, in sentences."""
        asked = quoted(self.query) if self.query else "the features given"
        ways = ", ".join(f"{way} ({n:,} documents)" for way, n in self.n_ranked.items())
        lines = [f"{len(self.hits):,} of {self.n_documents:,} documents for {asked}, by {ways}."]
        if not self.hits:
            lines[0] = f"No document of {self.n_documents:,} was found for {asked}, by {ways}."
        if self.features is not None:
            lines.append(self.features.summary())
        if self.reranked_by:
            lines.append(f"{self.reranked_by} put the first hits in order.")
        return " ".join((*lines, *self.notes))

    def to_json(self) -> dict[str, Json]:
        """Return plain values, texts cut to 300 characters and spans with them."""
        return {
            "query": self.query,
            "features": None if self.features is None else self.features.to_json(),
            "n_documents": self.n_documents,
            "n_ranked": dict(self.n_ranked),
            "reranked_by": self.reranked_by,
            "notes": list(self.notes),
            "hits": [_hit_json(hit) for hit in self.hits],
        }

    def plot(self, ax: "Axes | None" = None, *, most: int = 20) -> "Axes":
        """Draw which features made the score by features of the first hits.

        Raises:
            InputError: None did.
        """
        from interp_embed import plots

        hits = self.hits[:most]
        totals: dict[int, float] = {}
        names: dict[int, str] = {}
        for match in (match for hit in hits for match in hit.matches):
            totals[match.feature] = totals.get(match.feature, 0.0) + match.contribution
            names[match.feature] = match.label
        if not totals:
            raise InputError(
                "no features made these hits, so that there is nothing to draw; search by features"
            )
        largest = sorted(totals, key=lambda feature: (-totals[feature], feature))[:_PARTS]
        parts = np.zeros((len(hits), len(largest) + 1))
        for row, hit in enumerate(hits):
            for match in hit.matches:
                inside = match.feature in largest
                parts[row, largest.index(match.feature) if inside else -1] += match.contribution
        return plots.stacked_shares(
            parts,
            bar_labels=[f"{hit.rank}. document {hit.document}" for hit in hits],
            part_labels=[*(names[feature] for feature in largest), "other features"],
            xlabel="score by features",
            ax=ax,
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{hit.rank}</td><td>{hit.document}</td><td>{hit.score:.4f}</td>"
            f"<td>{html.escape('; '.join(match.label for match in hit.matches[:_SHOWN]))}</td>"
            f"<td>{_marked(hit)}</td></tr>"
            for hit in self.hits
        )
        head = "".join(f"<th>{name}</th>" for name in ("", "document", "score", "matched", "text"))
        told = html.escape(self.summary())
        return f"<p>{told}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _hit_json(hit: SearchHit) -> dict[str, Json]:
    return {
        "document": hit.document,
        "rank": hit.rank,
        "score": hit.score,
        "text": hit.text[:_TEXT],
        "ranks": dict(hit.ranks),
        "rank_before": hit.rank_before,
        "words": _inside(hit.words),
        "matches": [
            {
                "feature": match.feature,
                "label": match.label,
                "weight": match.weight,
                "activation": match.activation,
                "contribution": match.contribution,
                "spans": _inside(match.spans),
            }
            for match in hit.matches
        ],
    }


def _inside(spans: Sequence[Span]) -> list[list[int]]:
    return [[start, end] for start, end in spans if end <= _TEXT]


def _marked(hit: SearchHit) -> str:
    """Return the text, cut around the first place, as HTML with the places marked."""
    spans = hit.spans
    first = spans[0][0] if spans else 0
    begin = max(0, min(first - _BEFORE, len(hit.text) - _TEXT)) if first > _BEFORE else 0
    end = min(len(hit.text), begin + _TEXT)
    parts, at = ["…" if begin else ""], begin
    for start, stop in spans:
        if start >= begin and stop <= end:
            parts += [html.escape(hit.text[at:start])]
            parts += [f"<mark>{html.escape(hit.text[start:stop])}</mark>"]
            at = stop
    parts += [html.escape(hit.text[at:end]), "…" if end < len(hit.text) else ""]
    return "".join(parts)
