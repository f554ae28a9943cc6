"""Features associated with values of the user's columns: the result, and how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from interp_embed.analysis.correlations.group_sentences import group_sentences
from interp_embed.analysis.plain_values import as_html, rows_of
from interp_embed.errors import InputError
from interp_embed.records import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 20
_IN_JSON = 500
_NAMED = 3
_DRAWN = 12


@dataclass(frozen=True, slots=True, eq=False)
class MetadataAssociations:
    """Features that go with a category or a number of the user's table more than by chance."""

    rows: pd.DataFrame
    """A row for each association, most certain first, without labels; see ``to_frame``."""
    labels: Mapping[int, str]
    """What features respond to."""
    skipped: Mapping[str, str]
    """Why columns were not compared, by name."""
    n_missing: Mapping[str, int]
    """Documents left out because their value is missing, by column compared."""
    n_tests: int
    """Features with categories and numbers, of all columns: the family."""
    n_documents: int
    min_support: int
    max_q: float
    level: float
    """Of the intervals."""
    n_groups: int | None = None
    """Groups of documents that are not independent; None where all documents are."""

    def label(self, feature: int) -> str:
        """Return a feature's label, or ``feature 12`` where it has none."""
        return self.labels.get(feature) or f"feature {feature}"

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each association, most certain first.

        ``value``, with its interval ``low`` to ``high``, is NPMI where ``kind`` is ``category``
        and the correlation where it is ``number``; shares and counts are NaN there.
        """
        frame = self.rows.copy()
        frame.insert(1, "label", [self.label(int(feature)) for feature in frame["feature"]])
        return frame

    def summary(self) -> str:
        """Return the result in a few sentences."""
        return " ".join(self._sentences())

    def _sentences(self) -> list[str]:
        compared = ", ".join(self.n_missing) or "none"
        said = [
            f"{len(self.rows):,} of {self.n_tests:,} associations of a feature with a category or "
            f"a number hold up in {self.n_documents:,} documents, at a false discovery rate of "
            f"{self.max_q:.2g}; columns: {compared}.",
            *group_sentences(self.n_groups),
        ]
        said += [f"{name!r} lacks {n:,} values." for name, n in self.n_missing.items() if n]
        said += [f"{name!r} was skipped: it {why}." for name, why in self.skipped.items()]
        named = self.to_frame().head(_NAMED).to_dict("records")
        return [*said, *(self._association_sentence(row) for row in named)]

    def _association_sentence(self, row: Mapping[Any, Any]) -> str:
        interval = f"{row['value']:.2f}, {row['low']:.2f} to {row['high']:.2f}"
        if row["kind"] == "number":
            return f"{row['label']}: correlated with {row['column']} ({interval})."
        return (
            f"{row['label']}: in {row['p_feature_given_category']:.1%} of the documents with "
            f"{row['column']} {row['category']!r}, {row['n_feature'] / row['n']:.1%} of all "
            f"(NPMI {interval})."
        )

    def to_json(self) -> dict[str, Json]:
        """Return everything a report needs as plain values; at most 500 associations."""
        return {
            "kind": "metadata",
            "n_documents": self.n_documents,
            "n_groups": self.n_groups,
            "n_tests": self.n_tests,
            "n_associations": len(self.rows),
            "min_support": self.min_support,
            "max_q": self.max_q,
            "level": self.level,
            "skipped": dict(self.skipped),
            "n_missing": dict(self.n_missing),
            "summary": self.summary(),
            "associations": rows_of(self.to_frame().head(_IN_JSON)),
        }

    def _repr_html_(self) -> str:
        return as_html("Features and columns", self._sentences(), self.to_frame().head(_SHOWN))

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the leading features against the categories and numbers they go with.

        Raises:
            InputError: There is no association.
        """
        from interp_embed.plots import matrix

        frame = self.to_frame()
        if not len(frame):
            raise InputError("no association was found, so that there is nothing to draw")
        named = frame["column"].where(frame["category"] == "", frame["column"] + ": ")
        frame["against"] = named + frame["category"]
        features = list(dict.fromkeys(frame["feature"]))[:_DRAWN]
        against = list(dict.fromkeys(frame["against"]))[:_DRAWN]
        table = frame.pivot(index="feature", columns="against", values="value")
        axes: Axes = matrix(
            table.reindex(index=features, columns=against).to_numpy(np.float64),
            row_labels=[self.label(feature) for feature in features],
            column_labels=against,
            title_of_values="NPMI (of numbers: correlation)",
            ax=ax,
        )
        return axes
