"""Which features come and go over ordered groups of documents: the result, and how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.analysis.plain_values import as_html, plain, rows_of
from interp_embed.records import Json
from interp_embed.stats import Rates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 20
_IN_JSON = 500
_NAMED = 3
_LINES = 8


@dataclass(frozen=True, slots=True, eq=False)
class GroupTrend:
    """How often features fire at ordered levels, and which rise or fall; arrays by feature."""

    level_names: tuple[str, ...]
    """Of the levels shown, lowest first."""
    levels: NDArray[np.float64]
    """Mean level of the documents of each, shape (n_levels,)."""
    sizes: NDArray[np.int64]
    """Documents of each, shape (n_levels,)."""
    by_level: Rates
    """Share of documents in which each feature fires, shape (n_features, n_levels), with Wilson's
    intervals, which take documents for independent."""
    tau: NDArray[np.float64]
    """Kendall's tau-b of level and firing, in [-1, 1], shape (n_features,)."""
    p: NDArray[np.float64]
    """Of "no trend"."""
    q: NDArray[np.float64]
    """p corrected for all that was tested; NaN where it was not."""
    shape: tuple[str, ...]
    """``rising``, ``falling``, ``not monotone``, ``unclear``, ``no trend``; empty if not tested."""
    q_departure: NDArray[np.float64]
    """Of "goes one way throughout", corrected over the features that vary; NaN where it was not
    tested."""
    change: NDArray[np.float64]
    """Rate at the last level shown less that at the first."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """95 % interval of ``change``; NaN where the first or last level has a single group."""
    support: NDArray[np.int64]
    """Documents in which it fires."""
    labels: Mapping[int, str]
    n: int
    """Documents with a level."""
    n_missing: int
    """Documents without, left out."""
    n_levels: int
    """Different levels tested, before any were joined to be shown."""
    level: float
    correction: str
    min_support: int
    method: str
    notes: tuple[str, ...] = ()
    column: str = ""
    """What the levels are called, such as ``year``; empty where that is not known."""

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which features were tested, shape (n_features,)."""
        return np.isfinite(self.q)

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Which features have a trend, at the level after correction, shape (n_features,)."""
        return np.asarray(np.nan_to_num(self.q, nan=2.0) <= self.level)

    @property
    def rates(self) -> NDArray[np.float64]:
        """Rates of the features of ``to_frame``, in its order, shape (n_listed, n_levels)."""
        return self.by_level.value[self.ranked()]

    def label(self, feature: int) -> str:
        """Return a feature's label, or ``feature 12`` where it has none."""
        return self.labels.get(feature) or f"feature {feature}"

    def ranked(self) -> NDArray[np.int64]:
        """Return the tested features: those with a trend first, then by size of the change."""
        tested = np.flatnonzero(self.tested)
        order = np.lexsort(
            (self.p[tested], -np.abs(self.change[tested]), ~self.significant[tested])
        )
        return tested[order]

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each feature tested, the largest change with a trend first."""
        chosen = self.ranked()
        return pd.DataFrame(
            {
                "feature": chosen,
                "label": [self.label(feature) for feature in chosen.tolist()],
                "tau": self.tau[chosen],
                "p": self.p[chosen],
                "q": self.q[chosen],
                "significant": self.significant[chosen],
                "shape": [self.shape[feature] for feature in chosen.tolist()],
                "q_departure": self.q_departure[chosen],
                "first_rate": self.by_level.value[chosen, 0],
                "last_rate": self.by_level.value[chosen, -1],
                "change": self.change[chosen],
                "low": self.low[chosen],
                "high": self.high[chosen],
                "n": np.full(len(chosen), self.n),
                "support": self.support[chosen],
            }
        )

    def summary(self) -> str:
        """Return the result in a few sentences."""
        return " ".join(self._sentences())

    def _sentences(self) -> list[str]:
        frame = self.to_frame()
        counts = frame.loc[frame["significant"], "shape"].value_counts()
        n_found, n_turn = int(self.significant.sum()), self.shape.count("not monotone")
        between = "to" if self.n_levels == len(self.level_names) else "…"
        span = f"{self.level_names[0]} {between} {self.level_names[-1]}"
        said = [
            f"{n_found:,} of {len(frame):,} features tested are associated with the level "
            f"({span}, {self.n_levels} levels, {self.n:,} documents; {self.correction} at "
            f"{self.level:.2g}): {counts.get('rising', 0)} rise and {counts.get('falling', 0)} "
            "fall, with no turn that could be shown."
        ]
        if n_turn:
            said.append(
                f"{n_turn} turn: their rates rise between some levels, fall between others."
            )
        for way in ("rising", "falling"):
            named = frame[frame["significant"] & (frame["shape"] == way)].head(_NAMED)
            said += [self._sentence(row, way) for row in rows_of(named)]
        if self.n_missing:
            said.append(f"{self.n_missing:,} documents have no level and were left out.")
        return [*said, *(f"{note[:1].upper()}{note[1:]}." for note in self.notes)]

    def _sentence(self, row: Mapping[str, Json], way: str) -> str:
        said = f"{row['label']} ({way}): {row['first_rate']:.1%} to {row['last_rate']:.1%}"
        if row["low"] is None:
            return f"{said}."
        return f"{said} (change {row['change']:+.1%}, {row['low']:+.1%} to {row['high']:+.1%})."

    def to_json(self) -> dict[str, Json]:
        """Return everything a report needs as plain values; at most 500 features."""
        chosen = self.ranked()[:_IN_JSON]
        return {
            "kind": "trend",
            "levels": plain(self.levels),
            "level_names": list(self.level_names),
            "sizes": plain(self.sizes),
            "n": self.n,
            "n_missing": self.n_missing,
            "n_levels": self.n_levels,
            "method": self.method,
            "level": self.level,
            "correction": self.correction,
            "min_support": self.min_support,
            "n_features": len(self.q),
            "n_tested": int(self.tested.sum()),
            "n_significant": int(self.significant.sum()),
            "notes": list(self.notes),
            "summary": self.summary(),
            "features": rows_of(self.to_frame().head(_IN_JSON)),
            "rates": plain(self.by_level.value[chosen]),
            "rates_low": plain(self.by_level.low[chosen]),
            "rates_high": plain(self.by_level.high[chosen]),
        }

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        return as_html("Trend", self._sentences(), frame[frame["significant"]].head(_SHOWN))

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the rates of the eight largest changes at each level."""
        from interp_embed.plots import trend_lines

        chosen = self.ranked()
        chosen = chosen[self.significant[chosen]][:_LINES]
        axes: Axes = trend_lines(
            self.level_names,
            self.by_level.value[chosen],
            self.by_level.low[chosen],
            self.by_level.high[chosen],
            labels=[self.label(feature) for feature in chosen.tolist()],
            xlabel=self.column or "level",
            ax=ax,
        )
        return axes
