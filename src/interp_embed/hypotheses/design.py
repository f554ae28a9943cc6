"""The columns of the joint model: what is held fixed first, then the concepts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.units import Units, complete_rows
from interp_embed.stats import demean_within


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Complete rows, covariates and concepts side by side.

    Covariates come first: a model prefers earlier columns where columns repeat each other, and a
    concept that a covariate determines is to go untested, not the covariate uncontrolled.
    """

    columns: NDArray[np.float64]
    """Shape (n, n_held + n_concepts)."""
    n_held: int
    names: tuple[str, ...]
    """Of the columns, in words."""
    covariates: tuple[str, ...]
    """What is held fixed, in words: strata as one."""
    groups: NDArray[np.int64] | None
    rows: NDArray[np.bool_]
    """Which units are here, shape (n_units,)."""
    absorbed: NDArray[np.int64] | None
    """Strata whose means are taken off columns and target, instead of columns for them."""
    fewer: tuple[int, ...]
    """Of each concept, rows (of pairs: pairs) with it or without it, whichever are fewer."""
    paired: bool = False
    """Whether rows are texts less the other text of their pair."""

    @property
    def concepts(self) -> range:
        """Places of the concepts among the columns."""
        return range(self.n_held, self.columns.shape[1])

    @property
    def n_groups(self) -> int:
        """Groups of rows, or rows where all are independent."""
        return len(self.columns) if self.groups is None else len(np.unique(self.groups))

    @property
    def exchangeable(self) -> bool:
        """Whether rows (of pairs: the two texts of each) may be exchanged in a permutation."""
        return self.groups is None or (self.paired and 2 * self.n_groups == len(self.columns))

    def outcome(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the target of these rows as the model needs it."""
        own = target[self.rows]
        return own if self.absorbed is None else demean_within(own, self.absorbed)


def build_design(
    units: Units,
    columns: Sequence[int],
    names: Sequence[str],
    plan: EvaluationPlan,
    *,
    linear: bool,
) -> Design:
    """Return the design of some concepts.

    Args:
        units: All rows.
        columns: The concepts.
        names: Of all concepts, in words.
        plan: Says which covariates there are.
        linear: Whether the model is linear: with groups the means of strata are then taken off,
            since a stratum inside one group cannot have a coefficient with an error of its own.
    """
    rows = complete_rows(units, columns)
    groups = None if units.groups is None else units.groups[rows]
    if groups is not None and len(np.unique(groups)) == len(groups):
        groups = None  # each row is a group of its own
    parts = [units.covariates[rows]]
    words, covariates = list(plan.covariates), list(plan.covariates)
    if plan.control_length:
        parts.insert(0, units.length[rows, None])
        words.insert(0, "length")
        covariates.insert(0, "length")
    absorbed = None
    if units.strata is not None and units.first is None:  # texts of a pair share their stratum
        covariates.append("stratum")
        strata = units.strata[rows]
        if linear and groups is not None:
            absorbed = strata
        else:
            present = np.unique(strata)[1:]
            parts.append((strata[:, None] == present).astype(np.float64))
            words += [f"stratum {plan.strata[number]}" for number in present]
    verdicts = units.verdicts[rows][:, list(columns)]
    parts.append(verdicts)
    present = (verdicts > 0.0).sum(axis=0)  # of pairs: in which one text alone has it
    design = np.column_stack(parts)
    if absorbed is not None and len(design):
        design = demean_within(design, absorbed)
    return Design(
        columns=design,
        n_held=len(words),
        names=(*words, *(names[column] for column in columns)),
        covariates=tuple(covariates),
        groups=groups,
        rows=rows,
        absorbed=absorbed,
        fewer=tuple(np.minimum(present, len(verdicts) - present).tolist()),
        paired=units.first is not None,
    )
