"""What differs between two groups of documents: the result, and how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.analysis.differences.families import Families
from interp_embed.analysis.differences.rate_comparison import RateComparison
from interp_embed.analysis.differences.verified import Verification
from interp_embed.analysis.plain_values import as_html, plain, quoted, rows_of
from interp_embed.errors import InputError
from interp_embed.records import Estimate, Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 20
_IN_JSON = 500
_NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class GroupDiff:
    """How often features fire in two groups of documents, and which of them differ."""

    names: tuple[str, str]
    rates: RateComparison
    """Of every feature, tested or not."""
    q: NDArray[np.float64]
    """p corrected for all that was tested, shape (n_features,); NaN where it was not."""
    families: Families
    labels: Mapping[int, str]
    n_first: int
    """Documents compared; of pairs, pairs."""
    n_second: int
    paired: bool
    level: float
    correction: str
    min_support: int
    length: Estimate
    """Tokens of the first group less those of the second, before any matching."""
    tokens: tuple[float, float]
    """Mean tokens of a document in each group, before any matching; NaN where not known."""
    matched_tokens: tuple[float, float] | None = None
    """Mean tokens of the documents compared, where length is held fixed."""
    nearest: NDArray[np.int64] | None = None
    """Of one group against every other, the one each feature is compared with."""
    others: tuple[str, ...] = ()
    """Names of these."""
    examples: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Texts of the strongest features, from the group in which they fire more often, cut."""
    notes: tuple[str, ...] = ()
    """What a reader must know."""
    verified: Verification | None = None
    """The same in words, on documents that were not searched; None where it was not asked."""

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which features were tested, shape (n_features,)."""
        return np.isfinite(self.q)

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Which features differ at the level after correction, shape (n_features,)."""
        return np.asarray(np.nan_to_num(self.q, nan=2.0) <= self.level)

    def label(self, feature: int) -> str:
        """Return a feature's label, or ``feature 12`` where it has none."""
        return self.labels.get(feature) or f"feature {feature}"

    def ranked(self) -> NDArray[np.int64]:
        """Return the tested features: significant ones first, then by size of the difference."""
        tested = np.flatnonzero(self.tested)
        size = np.abs(self.rates.difference[tested])
        order = np.lexsort((self.rates.p[tested], -size, ~self.significant[tested]))
        return tested[order]

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each feature tested, the largest significant difference first."""
        chosen, found = self.ranked(), self.rates
        frame = pd.DataFrame(
            {
                "feature": chosen,
                "label": [self.label(feature) for feature in chosen.tolist()],
                "rate_first": found.rate_first[chosen],
                "rate_second": found.rate_second[chosen],
                "difference": found.difference[chosen],
                "low": found.low[chosen],
                "high": found.high[chosen],
                "p": found.p[chosen],
                "q": self.q[chosen],
                "significant": self.significant[chosen],
                "n": found.n[chosen],
                "support": found.support[chosen],
                "family": self.families.family[chosen],
                "leads": self.families.leads[chosen],
            }
        )
        if self.nearest is not None:
            frame["nearest"] = [self.others[place] for place in self.nearest[chosen].tolist()]
        return frame

    def verified_frame(self) -> pd.DataFrame:
        """Return a row for each concept tested on held-out documents.

        Raises:
            InputError: Nothing was verified.
        """
        if self.verified is None:
            raise InputError("nothing was verified here; use study_difference")
        return self.verified.to_frame()

    def summary(self) -> str:
        """Return the result in a few sentences."""
        return " ".join(self._sentences())

    def _sentences(self) -> list[str]:
        n_tested, n_found = int(self.tested.sum()), int(self.significant.sum())
        unit = f"{self.n_first:,} pairs of" if self.paired else "documents of"
        sizes = "" if self.paired else f" ({self.n_first:,} and {self.n_second:,})"
        said = [
            f"{n_found:,} of {n_tested:,} features tested differ between {unit} "
            f"{quoted(self.names[0])} and {quoted(self.names[1])}{sizes}, at {self._rule()}."
        ]
        if np.isfinite(self.length.value):
            said.append(self._length_sentence())
        frame = self.to_frame()
        named = frame[frame["leads"] & frame["significant"]].head(_NAMED)
        said += [self._difference_sentence(row) for row in rows_of(named)]
        said += [f"{note[:1].upper()}{note[1:]}." for note in self.notes]
        return said if self.verified is None else [*said, *self.verified.sentences()]

    def _rule(self) -> str:
        if self.correction in ("bh", "by"):
            return f"a false discovery rate of {self.level:.2g}"
        return f"a chance of any false finding of {self.level:.2g}"

    def _length_sentence(self) -> str:
        length, (first, second) = self.length, self.tokens
        compared = "the other nearest in length" if self.others else quoted(self.names[1])
        said = (
            f"Documents of {quoted(self.names[0])} have {first:.1f} tokens and those of "
            f"{compared} {second:.1f} (difference {length.value:+.1f}, "
            f"95 % interval {length.low:.1f} to {length.high:.1f})"
        )
        if self.matched_tokens is None:
            return f"{said}."
        one, other = self.matched_tokens
        return f"{said}; those compared, alike in length, {one:.1f} and {other:.1f}."

    def _difference_sentence(self, row: Mapping[str, Json]) -> str:
        return (
            f"{row['label']}: in {row['rate_first']:.1%} and {row['rate_second']:.1%} "
            f"(difference {row['difference']:+.1%}, {row['low']:+.1%} to {row['high']:+.1%})."
        )

    def to_json(self) -> dict[str, Json]:
        """Return everything a report needs as plain values; at most 500 features."""
        return {
            "kind": "diff",
            "names": list(self.names),
            "n_first": self.n_first,
            "n_second": self.n_second,
            "paired": self.paired,
            "method": self.rates.method,
            "level": self.level,
            "correction": self.correction,
            "min_support": self.min_support,
            "n_features": len(self.q),
            "n_tested": int(self.tested.sum()),
            "n_significant": int(self.significant.sum()),
            "tokens": plain(self.tokens),
            "length": plain(self.length),
            "matched_tokens": plain(self.matched_tokens),
            "others": list(self.others),
            "notes": list(self.notes),
            "summary": self.summary(),
            "features": rows_of(self.to_frame().head(_IN_JSON)),
            "examples": plain(self.examples),
            "verified": None if self.verified is None else self.verified.to_json(),
        }

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        frame = frame[frame["significant"]].head(_SHOWN)
        verified = () if self.verified is None else (self.verified.to_frame().head(_SHOWN),)
        title = f"{self.names[0]} against {self.names[1]}"
        return as_html(title, self._sentences(), frame, *verified)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw every tested feature: its difference in percentage points, and how certain."""
        from interp_embed.plots import volcano

        frame = self.to_frame()
        axes: Axes = volcano(
            100.0 * frame["difference"].to_numpy(),
            frame["q"].to_numpy(),
            labels=frame["label"].tolist(),
            level=self.level,
            xlabel=f"rate in {self.names[0]} less rate in {self.names[1]}, in percentage points",
            ax=ax,
        )
        return axes
