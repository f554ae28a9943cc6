"""Pairs of features that go together or avoid each other: the result, and how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.analysis.correlations.group_sentences import group_sentences
from interp_embed.analysis.correlations.linked_pairs import REASONS, reason_of
from interp_embed.analysis.plain_values import as_html, plain, rows_of
from interp_embed.errors import InputError
from interp_embed.records import Json
from interp_embed.stats import TopPairs, npmi, npmi_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 20
_IN_JSON = 500
_NAMED = 3
_DRAWN = 12

Side = Literal["first", "second"]


@dataclass(frozen=True, slots=True, eq=False)
class Correlations:
    """Pairs of features associated beyond chance, those linked for a trivial reason set apart."""

    pairs_kept: TopPairs
    """All of them as numbers: positive by NPMI, then negative by certainty."""
    links: NDArray[np.uint8]
    """Why each pair is trivially linked, as bits of ``REASONS``; 0 for a finding, (n_pairs,)."""
    labels: Mapping[int, str]
    """What features ``first`` respond to."""
    other_labels: Mapping[int, str]
    """What features ``second`` respond to; the same within one set."""
    n_features: tuple[int, int]
    """Features of the first and of the second side."""
    across: bool
    """Whether the second features are of another text of the same document, such as a response."""
    min_support: int
    min_pairs: int
    max_q: float
    top: int | None
    """Pairs kept for each feature; None where all of one feature's were."""
    level: float
    """Of the intervals."""
    examples: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    """Texts in which both features of a leading pair fire, cut, by pair."""

    @property
    def is_finding(self) -> NDArray[np.bool_]:
        """Which pairs are not trivially linked, shape (n_pairs,)."""
        return np.asarray(self.links == 0)

    def label(self, feature: int, *, side: Side = "first") -> str:
        """Return a feature's label, or ``feature 12`` where it has none."""
        labels = self.labels if side == "first" else self.other_labels
        return labels.get(feature) or f"feature {feature}"

    def to_frame(self, *, linked: bool = False, limit: int | None = None) -> pd.DataFrame:
        """Return a row for each finding: positive pairs by NPMI, then negative ones by certainty.

        Args:
            linked: Also those that are trivially linked, with the reason.
            limit: Rows at most; None for all.
        """
        chosen = np.arange(self.links.size) if linked else np.flatnonzero(self.is_finding)
        return self._rows(chosen[:limit])

    def linked_frame(self, *, limit: int | None = None) -> pd.DataFrame:
        """Return a row for each pair set apart as trivially linked, with the reason."""
        return self._rows(np.flatnonzero(~self.is_finding)[:limit])

    def pairs(self, feature: int, *, side: Side = "first") -> pd.DataFrame:
        """Return all kept pairs of a feature, the trivially linked ones with their reason.

        Args:
            feature: It is ``first`` in every row.
            side: Across two sets, which of them the feature is of. The columns keep their names:
                ``first`` is then of the second set.

        Raises:
            InputError: There is no such feature.
        """
        if side not in ("first", "second"):
            raise InputError(f'side must be "first" or "second", got {side!r}')
        n_features = self.n_features[0 if side == "first" else 1]
        if not 0 <= feature < n_features:
            raise InputError(
                f"feature {feature} is out of range: there are {n_features} features; "
                f"use an index from 0 to {n_features - 1}"
            )
        kept = self.pairs_kept
        as_first, as_second = kept.first == feature, kept.second == feature
        if self.across:
            mask = as_first if side == "first" else as_second
            return self._rows(np.flatnonzero(mask), turned=np.full(mask.sum(), side == "second"))
        chosen = np.flatnonzero(as_first | as_second)
        return self._rows(chosen, turned=as_second[chosen])

    def _rows(
        self, chosen: NDArray[np.int64], *, turned: NDArray[np.bool_] | None = None
    ) -> pd.DataFrame:
        """Return pairs as a table; those ``turned`` with first and second exchanged."""
        kept, n = self.pairs_kept, self.pairs_kept.n_documents
        swap = np.zeros(chosen.size, np.bool_) if turned is None else turned
        sides = (kept.first[chosen], kept.second[chosen])
        counts = (kept.n_first[chosen].astype(np.int64), kept.n_second[chosen].astype(np.int64))
        first, second = np.where(swap, sides[1], sides[0]), np.where(swap, sides[0], sides[1])
        a, b = np.where(swap, counts[1], counts[0]), np.where(swap, counts[0], counts[1])
        both = kept.n_both[chosen].astype(np.int64)
        low, high = npmi_interval(both, a, b, n=n, level=self.level, **self._certainty(chosen))
        names: tuple[Side, Side] = ("first", "second")
        first_labels, second_labels = (
            [
                self.label(feature, side=names[place != turn])
                for feature, turn in zip(column.tolist(), swap.tolist(), strict=True)
            ]
            for place, column in enumerate((first, second))
        )
        return pd.DataFrame(
            {
                "first": first.astype(np.int64),
                "first_label": first_labels,
                "second": second.astype(np.int64),
                "second_label": second_labels,
                "npmi": npmi(both, a, b, n=n),
                "low": low,
                "high": high,
                "p_first_given_second": both / b,
                "p_second_given_first": both / a,
                "n_both": both,
                "n_first": a,
                "n_second": b,
                "expected": a * (b / n),
                **({} if kept.design is None else {"design_effect": kept.design.effect[chosen]}),
                "p": kept.p[chosen],
                "q": kept.q[chosen],
                "linked": [reason_of(link) for link in self.links[chosen].tolist()],
            }
        )

    def _certainty(self, chosen: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        design = self.pairs_kept.design
        return {} if design is None else {"effect": design.effect[chosen], "df": design.df[chosen]}

    @property
    def n_groups(self) -> int | None:
        """Groups of documents that are not independent; None where all documents are."""
        return None if self.pairs_kept.design is None else self.pairs_kept.design.n_groups

    def summary(self) -> str:
        """Return the result in a few sentences."""
        return " ".join(self._sentences())

    def _sentences(self) -> list[str]:
        kept = self.pairs_kept
        n_found = int(self.is_finding.sum())
        together = kept.n_both > kept.n_first.astype(np.float64) * kept.n_second / kept.n_documents
        n_together = int((self.is_finding & together).sum())
        where = "between the two texts of" if self.across else "in"
        said = [
            f"{n_found:,} pairs of features go together ({n_together:,}) or avoid each other "
            f"({n_found - n_together:,}) more than chance explains {where} {kept.n_documents:,} "
            f"documents, of {kept.n_tests:,} pairs tested, at a false discovery rate of "
            f"{self.max_q:.2g}.",
            *group_sentences(self.n_groups),
            *self._kept_sentence(),
        ]
        for reason, n in self._reasons():
            said.append(f"Set apart as trivially linked by {reason}: {n:,} pairs.")
        rows = self.to_frame(limit=_NAMED).to_dict("records")
        return [*said, *(self._pair_sentence(row) for row in rows)]

    def _kept_sentence(self) -> list[str]:
        kept = self.pairs_kept
        said = []
        if self.top is not None and kept.n_kept:
            said.append(
                f"Kept were the {self.top} strongest pairs of each feature, positive and negative, "
                f"together (or expected) in at least {self.min_pairs} documents."
            )
        if kept.n_rare or kept.n_everywhere:
            said.append(
                f"Not tested: {kept.n_rare:,} features that fire in fewer than {self.min_support} "
                f"documents and {kept.n_everywhere:,} that fire in all."
            )
        return said

    def _reasons(self) -> list[tuple[str, int]]:
        counts = [int(((self.links >> bit) & 1).sum()) for bit in range(len(REASONS))]
        return [(reason, n) for reason, n in zip(REASONS, counts, strict=True) if n]

    def _pair_sentence(self, row: Mapping[Any, Any]) -> str:
        return (
            f"{row['first_label']} and {row['second_label']}: together in {row['n_both']} "
            f"documents, {row['expected']:.1f} expected (NPMI {row['npmi']:.2f}, "
            f"{row['low']:.2f} to {row['high']:.2f})."
        )

    def to_json(self) -> dict[str, Json]:
        """Return everything a report needs as plain values; at most 500 pairs of each kind."""
        kept = self.pairs_kept
        return {
            "kind": "correlations",
            "across": self.across,
            "n_documents": kept.n_documents,
            "n_groups": self.n_groups,
            "n_features": list(self.n_features),
            "n_tests": kept.n_tests,
            "n_kept": kept.n_kept,
            "n_findings": int(self.is_finding.sum()),
            "n_linked": int((~self.is_finding).sum()),
            "n_rare": kept.n_rare,
            "n_everywhere": kept.n_everywhere,
            "min_support": self.min_support,
            "min_pairs": self.min_pairs,
            "max_q": self.max_q,
            "top": self.top,
            "level": self.level,
            "reasons": dict(self._reasons()),
            "summary": self.summary(),
            "pairs": rows_of(self.to_frame(limit=_IN_JSON)),
            "linked": rows_of(self.linked_frame(limit=_IN_JSON)),
            "examples": [
                {"first": first, "second": second, "texts": plain(texts)}
                for (first, second), texts in self.examples.items()
            ],
        }

    def _repr_html_(self) -> str:
        frames = (self.to_frame(limit=_SHOWN), self.linked_frame(limit=_SHOWN))
        return as_html("Correlations", self._sentences(), *frames)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw NPMI among the features of the leading findings, blank where no pair was kept.

        Raises:
            InputError: There is no finding.
        """
        from interp_embed.plots import matrix

        frame = self.to_frame()
        if not len(frame):
            raise InputError("no pair of features was found, so that there is nothing to draw")
        lead = frame.head(_DRAWN)
        rows, columns = list(dict.fromkeys(lead["first"])), list(dict.fromkeys(lead["second"]))
        if not self.across:
            rows = columns = list(dict.fromkeys([*rows, *columns]))
        values = np.full((len(rows), len(columns)), np.nan)
        row_of = {feature: place for place, feature in enumerate(rows)}
        column_of = {feature: place for place, feature in enumerate(columns)}
        inside = frame[frame["first"].isin(rows) & frame["second"].isin(columns)]
        for one, two, value in zip(inside["first"], inside["second"], inside["npmi"], strict=True):
            values[row_of[one], column_of[two]] = value
            if not self.across:
                values[row_of[two], column_of[one]] = value
        axes: Axes = matrix(
            values,
            row_labels=[self.label(feature) for feature in rows],
            column_labels=[self.label(feature, side="second") for feature in columns],
            title_of_values="NPMI",
            ax=ax,
        )
        return axes
