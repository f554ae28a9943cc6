"""Named differences on documents that were not searched for them: the result."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from interp_embed.analysis.plain_values import as_html, plain, quoted, rows_of
from interp_embed.records import Estimate, Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FROM_FEATURE, FROM_SUMMARY, FROM_MODEL = "feature", "summary", "language model alone"


@dataclass(frozen=True, slots=True)
class VerifiedDifference:
    """A concept in words, and how often held-out documents of two groups have it."""

    concept: str
    feature: int
    """The feature it names; ``NO_FEATURE`` (-1) where it comes from none."""
    source: str
    """``feature``, ``summary`` or ``language model alone``."""
    difference: Estimate
    """Share of the first group with the concept less that of the second, on held-out documents."""
    rate_first: float
    rate_second: float
    q: float
    """``difference.p`` corrected over the concepts of the same source."""
    significant: bool
    expected: float
    """The difference on the documents searched: of the feature, or its sign alone."""
    fidelity_f1: float
    """How well the words tell where the feature fires, on documents searched but not labelled
    from; NaN where there is no feature."""
    n_missing: int
    """Held-out documents left out for want of a verdict; of pairs both, where one has none."""

    @property
    def holds(self) -> bool:
        """Whether it is significant in the direction that was expected."""
        same = np.sign(self.difference.value) == np.sign(self.expected)
        return bool(self.significant and (same or self.expected == 0))


@dataclass(frozen=True, slots=True)
class Verification:
    """Named differences on held-out documents, and how much of the difference they tell."""

    names: tuple[str, str]
    concepts: tuple[VerifiedDifference, ...]
    """Those of features first, strongest first; then the summary, then the model's own."""
    named: tuple[int, ...]
    """The concepts that sum the difference up, by place; at most as many as were asked for."""
    coverage: Estimate
    """Share of held-out documents of the first group (of pairs, pairs) that have one of the named
    concepts shown to be more frequent there; of pairs: that the other document has not. ``p`` is
    NaN. The same documents showed which concepts these are, and the interval takes them as given
    beforehand: the share is likelier too high than too low, above all where few concepts hold."""
    coverage_second: Estimate
    """The same of the second group and the concepts more frequent there."""
    verification_rate: Estimate
    """Share of the features' concepts that hold; ``p`` is NaN. The interval (Wilson's) takes
    concepts for independent, but all are tested on the same documents: where concepts overlap it is
    too narrow for what other documents would show."""
    baseline_rate: Estimate | None
    """The same of what the language model proposed by itself; None where it was not asked."""
    baseline_coverage: Estimate | None
    """What these cover of the first group's documents."""
    n_discover: int
    """Documents searched, of both groups."""
    n_confirm: int
    """Documents held out, of both groups."""
    n_missing: int
    """Verdicts on these that are missing."""
    why_missing: str
    """The first reason."""
    method: str
    notes: tuple[str, ...] = ()
    paired: bool = False
    """Whether documents were compared in pairs."""

    def of(self, source: str) -> tuple[VerifiedDifference, ...]:
        """Return the concepts of one source."""
        return tuple(one for one in self.concepts if one.source == source)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each concept, those of features first."""
        named = set(self.named)
        columns = ["concept", "feature", "difference", "low", "high", "p", "q", "significant"]
        columns += ["rate_first", "rate_second", "n", "n_missing", "fidelity_f1", "source", "holds"]
        rows = [
            {
                "concept": one.concept,
                "feature": one.feature,
                "difference": one.difference.value,
                "low": one.difference.low,
                "high": one.difference.high,
                "p": one.difference.p,
                "q": one.q,
                "significant": one.significant,
                "rate_first": one.rate_first,
                "rate_second": one.rate_second,
                "n": one.difference.n,
                "n_missing": one.n_missing,
                "fidelity_f1": one.fidelity_f1,
                "source": one.source,
                "holds": one.holds,
                "named": place in named,
            }
            for place, one in enumerate(self.concepts)
        ]
        return pd.DataFrame(rows, columns=[*columns, "named"])

    def summary(self) -> str:
        """Return the result in a few sentences."""
        return " ".join(self.sentences())

    def sentences(self) -> list[str]:
        """Return the result, a sentence each."""
        rate, tested = self.verification_rate, self.of(FROM_FEATURE)
        held = sum(one.holds for one in tested)
        said = [
            f"On {self.n_confirm:,} held-out documents {held} of {len(tested)} differences named "
            f"after features hold ({_share(rate)}, as if concepts were independent)."
            if tested
            else f"No feature's difference was named, to be tested on the {self.n_confirm:,} "
            "held-out documents."
        ]
        if self.baseline_rate is not None:
            own = self.of(FROM_MODEL)
            said.append(
                f"Of {len(own)} that the language model proposed by itself "
                f"{sum(one.holds for one in own)} hold ({_share(self.baseline_rate)}, likewise)."
            )
        lacking = ", which the other of the pair lacks" if self.paired else ""
        covers = [
            f"Of the held-out documents of {quoted(name)} {_share(cover)}, have a named concept "
            f"that is shown to be more frequent there{lacking}."
            for cover, name in zip((self.coverage, self.coverage_second), self.names, strict=True)
            if np.isfinite(cover.value)
        ]
        if covers:
            covers.append(
                "The same documents showed which concepts these are, so that the shares covered "
                "are likelier too high than too low."
            )
        said += covers
        if self.n_missing:
            said.append(
                f"{self.n_missing:,} verdicts are missing and were left out ({self.why_missing})."
            )
        return [*said, *(f"{note[:1].upper()}{note[1:]}." for note in self.notes)]

    def to_json(self) -> dict[str, Json]:
        """Return everything a report needs as plain values."""
        return {
            "kind": "verification",
            "names": list(self.names),
            "concepts": rows_of(self.to_frame()),
            "coverage": plain(self.coverage),
            "coverage_second": plain(self.coverage_second),
            "verification_rate": plain(self.verification_rate),
            "baseline_rate": plain(self.baseline_rate),
            "baseline_coverage": plain(self.baseline_coverage),
            "n_discover": self.n_discover,
            "n_confirm": self.n_confirm,
            "n_missing": self.n_missing,
            "why_missing": self.why_missing,
            "method": self.method,
            "notes": list(self.notes),
            "summary": self.summary(),
        }

    def _repr_html_(self) -> str:
        return as_html("Verified differences", self.sentences(), self.to_frame())

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw each concept's difference with its interval, in percentage points.

        Markers are filled where it is significant.
        """
        from interp_embed.plots import forest

        frame = self.to_frame()
        frame = frame[np.isfinite(frame["difference"])]
        axes: Axes = forest(
            100.0 * frame["difference"].to_numpy(),
            100.0 * frame["low"].to_numpy(),
            100.0 * frame["high"].to_numpy(),
            labels=frame["concept"].tolist(),
            filled=frame["significant"].to_numpy(),
            xlabel=f"rate in {self.names[0]} less rate in {self.names[1]}, in percentage points",
            ax=ax,
        )
        return axes


def _share(rate: Estimate) -> str:
    if not np.isfinite(rate.value):
        return "of none"
    return f"{rate.value:.0%}, 95 % interval {rate.low:.0%} to {rate.high:.0%}"
