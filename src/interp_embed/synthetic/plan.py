"""The knobs of a planted corpus, and the checks that they can be met together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.synthetic._checks import check_count, check_names, check_range

OutcomeKind = Literal["numeric", "binary", "count", "multiclass", "stars"]
Effect = float | Sequence[float]
"""Effect of a concept on the outcome: a number, or for ``multiclass`` one number a class."""

COLUMNS = ("author", "group", "period", "outcome")
"""Names of the metadata columns; a confounder takes another name."""


@dataclass(frozen=True, slots=True)
class Confounder:
    """A standard normal property of the documents that moves both concepts and outcome.

    It is handed out as a metadata column, so that a method can hold it fixed.
    """

    name: str = "confounder"
    """Name of the metadata column."""
    concepts: float | Mapping[str, float] = 0.5
    """Correlation with the propensity of each concept, in (-1, 1); a float holds for all."""
    outcome: float = 0.5
    """What one standard deviation of it adds to the outcome, on the scale of the effects."""


@dataclass(frozen=True, slots=True)
class CorpusPlan:
    """What to plant. Every field has a default; the defaults plant independent concepts only."""

    prevalence: float | Mapping[str, float] = 0.1
    """Share of documents with each concept, in [0, 1]; concepts left out of a mapping have 0.1."""
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Tetrachoric (latent normal) correlations of pairs of concepts, in (-1, 1); others are 0.

    They hold among documents equal in confounder and author, which add correlation of their own.
    """
    outcome: OutcomeKind | None = None
    """``numeric``, ``stars`` (numeric rounded to 1..5), ``binary``, ``count``, ``multiclass``."""
    n_classes: int = 3
    """Classes of a ``multiclass`` outcome, >= 2."""
    effects: Mapping[str, Effect] = field(default_factory=dict)
    """What a concept adds: to the value (numeric, stars), the log-odds (binary), the log of the
    rate (count), or the log-odds of each class (multiclass: ``n_classes`` numbers).

    Empty, ten concepts get effects of alternating sign; the corpus names them.
    """
    intercept: float | None = None
    """Outcome of a document without any concept, on the scale of the effects; by default 3 for
    numeric and stars, log 3 for count, and what balances the two answers for binary."""
    noise: float = 0.5
    """Standard deviation of the noise of a numeric outcome (and of stars before rounding)."""
    confounder: Confounder | None = None
    n_authors: int | None = None
    """Authors who share the documents unevenly; None makes every document a text of its own."""
    author_concepts: float = 0.4
    """Correlation of a concept's propensity with its author's own leaning, in [0, 1)."""
    author_outcome: float = 0.3
    """Standard deviation of the authors' own additions to the outcome."""
    exact_duplicates: float = 0.0
    """Share of documents whose text is equal to that of an earlier one, in [0, 0.9].

    A copy takes concepts, group, period and confounder from its original; its author and the
    noise of its outcome are its own.
    """
    near_duplicates: float = 0.0
    """Share of documents that are lightly edited copies, in [0, 0.9]; like the exact ones."""
    group_differences: Mapping[str, float] = field(default_factory=dict)
    """Prevalence in group B minus that in group A; not empty, it plants the two groups, with the
    plan's prevalence half-way between them."""
    trend: Mapping[str, float | Sequence[float]] = field(default_factory=dict)
    """Change of prevalence from one period to the next, the plan's prevalence being in the
    middle; or ``n_periods`` numbers added to it, for a trend that is not a line. Not empty, it
    plants the periods."""
    n_periods: int = 6
    """Ordered periods of a trend, >= 2, numbered from 0."""
    filler: float | None = None
    """Mean number of filler sentences a document; None takes the domain's."""
    style_noise: float = 1.0
    """Factor on all rates of the habits of style, in [0, 1]; 0 leaves plain, tidy sentences."""
    typo_rate: float = 0.006
    """Share of words with a typing error, in [0, 0.5]."""


def check_plan(plan: CorpusPlan, concepts: Sequence[str]) -> None:
    """Check all knobs of a plan against the concepts of its domain.

    Raises:
        InputError: A concept is unknown, a value is out of range, or the knobs contradict.
    """
    _check_concept_names(plan, concepts)
    check_range(plan.noise, 0, math.inf, what="noise")
    check_range(plan.author_outcome, 0, math.inf, what="author_outcome")
    check_range(plan.author_concepts, 0, 0.999, what="author_concepts")
    check_range(plan.style_noise, 0, 1, what="style_noise")
    check_range(plan.typo_rate, 0, 0.5, what="typo_rate")
    if plan.filler is not None:
        check_range(plan.filler, 0, 50, what="filler")
    check_range(plan.exact_duplicates, 0, 0.9, what="exact_duplicates")
    check_range(plan.near_duplicates, 0, 0.9, what="near_duplicates")
    total = plan.exact_duplicates + plan.near_duplicates
    check_range(total, 0, 0.9, what="exact_duplicates + near_duplicates")
    check_count(plan.n_classes, least=2, what="n_classes")
    check_count(plan.n_periods, least=2, what="n_periods")
    if plan.n_authors is not None:
        check_count(plan.n_authors, least=1, what="n_authors")
    _check_outcome(plan)
    _check_confounder(plan)
    prevalence_table(plan, concepts)
    correlation_factor(plan, concepts)


def base_prevalence(plan: CorpusPlan, concepts: Sequence[str]) -> NDArray[np.float64]:
    """Return the prevalence of each concept over groups and periods, shape (n_concepts,)."""
    if isinstance(plan.prevalence, Mapping):
        return np.array([plan.prevalence.get(name, 0.1) for name in concepts], dtype=np.float64)
    return np.full(len(concepts), plan.prevalence, dtype=np.float64)


def prevalence_table(plan: CorpusPlan, concepts: Sequence[str]) -> NDArray[np.float64]:
    """Return the prevalence by group, period and concept.

    Returns:
        Shares in [0, 1], shape (n_groups, n_periods, n_concepts); an axis that the plan does not
        use has length 1.

    Raises:
        InputError: A prevalence leaves [0, 1] in some group and period.
    """
    difference = np.array([plan.group_differences.get(name, 0.0) for name in concepts])
    side = np.array([-0.5, 0.5]) if plan.group_differences else np.zeros(1)
    base = base_prevalence(plan, concepts)
    table: NDArray[np.float64] = (
        base + side[:, None, None] * difference + _trend_offsets(plan, concepts)
    )  # (n_groups, n_periods, n_concepts)
    table = np.where(np.isclose(table, 0), 0, np.where(np.isclose(table, 1), 1, table))
    wrong = ~((table >= 0) & (table <= 1))
    if wrong.any():
        group, period, column = (int(axis[0]) for axis in np.nonzero(wrong))
        raise InputError(
            f"the prevalence of {concepts[column]!r} would be {table[group, period, column]:.3g} "
            f"(group {'AB'[group]}, period {period}), outside [0, 1]; "
            "change its prevalence, or make its group difference or trend smaller"
        )
    return table


def correlation_factor(plan: CorpusPlan, concepts: Sequence[str]) -> NDArray[np.float64]:
    """Return the lower Cholesky factor of the concepts' correlation matrix.

    Raises:
        InputError: A correlation is not in (-1, 1), is given twice with two values, or the
            matrix is not positive definite.
    """
    matrix = np.eye(len(concepts))
    for (first, second), value in plan.correlations.items():
        if first == second or not -1 < value < 1:
            raise InputError(
                f"correlations: {first!r} with {second!r} is {value!r}; "
                "give two different concepts and a value strictly between -1 and 1"
            )
        if plan.correlations.get((second, first), value) != value:
            raise InputError(f"correlations: {first!r} with {second!r} is given twice, differently")
        i, j = concepts.index(first), concepts.index(second)
        matrix[i, j] = matrix[j, i] = value
    try:
        factor: NDArray[np.float64] = np.linalg.cholesky(matrix).astype(np.float64)
    except np.linalg.LinAlgError as error:
        smallest = float(np.linalg.eigvalsh(matrix)[0])
        raise InputError(
            f"the correlation matrix is not positive definite (smallest eigenvalue {smallest:.3g}):"
            " no concepts can be correlated like this. Pairs left out count as 0: "
            "make the correlations smaller, or give the missing pairs too"
        ) from error
    return factor


def concept_loadings(plan: CorpusPlan, concepts: Sequence[str]) -> NDArray[np.float64]:
    """Return each propensity's correlation with the confounder, shape (n_concepts,)."""
    if plan.confounder is None:
        return np.zeros(len(concepts))
    strength = plan.confounder.concepts
    if isinstance(strength, Mapping):
        return np.array([strength.get(name, 0.0) for name in concepts], dtype=np.float64)
    return np.full(len(concepts), strength, dtype=np.float64)


def _trend_offsets(plan: CorpusPlan, concepts: Sequence[str]) -> NDArray[np.float64]:
    """Return what each period adds to each prevalence, shape (n_periods or 1, n_concepts)."""
    n_periods = plan.n_periods if plan.trend else 1
    offsets = np.zeros((n_periods, len(concepts)))
    line = np.arange(n_periods) - (n_periods - 1) / 2
    for name, change in plan.trend.items():
        values = np.asarray(change, dtype=np.float64)
        if values.ndim and values.shape != (n_periods,):
            raise InputError(
                f"trend: {name!r} has {values.size} numbers for {n_periods} periods; "
                "give one slope, or one number a period (n_periods)"
            )
        offsets[:, concepts.index(name)] = values if values.ndim else values * line
    return offsets


def _check_concept_names(plan: CorpusPlan, concepts: Sequence[str]) -> None:
    if isinstance(plan.prevalence, Mapping):
        check_names(plan.prevalence, concepts, where="prevalence")
    check_names(
        (name for pair in plan.correlations for name in pair), concepts, where="correlations"
    )
    check_names(plan.effects, concepts, where="effects")
    check_names(plan.group_differences, concepts, where="group_differences")
    check_names(plan.trend, concepts, where="trend")
    if plan.confounder is not None and isinstance(plan.confounder.concepts, Mapping):
        check_names(plan.confounder.concepts, concepts, where="confounder")
    for name, value in zip(concepts, base_prevalence(plan, concepts), strict=True):
        check_range(float(value), 0, 1, what=f"prevalence of {name!r}")


def _check_outcome(plan: CorpusPlan) -> None:
    if plan.outcome is not None and plan.outcome not in get_args(OutcomeKind):
        raise InputError(
            f"outcome must be one of {', '.join(get_args(OutcomeKind))} or None, "
            f"got {plan.outcome!r}"
        )
    for name, effect in plan.effects.items():
        values = np.atleast_1d(np.asarray(effect, dtype=np.float64))
        wanted = plan.n_classes if plan.outcome == "multiclass" else 1
        is_list = isinstance(effect, Sequence | np.ndarray)
        if is_list != (plan.outcome == "multiclass") or values.shape != (wanted,):
            raise InputError(
                f"effects: the effect of {name!r} must be "
                + (f"{wanted} numbers, one a class" if wanted > 1 else "one number")
                + f" for outcome {plan.outcome!r}, got {effect!r}"
            )
        if not np.isfinite(values).all():
            raise InputError(f"effects: the effect of {name!r} is not finite: {effect!r}")
    if plan.intercept is not None and plan.outcome == "multiclass":
        raise InputError("intercept does not apply to a multiclass outcome; leave it None")


def _check_confounder(plan: CorpusPlan) -> None:
    if plan.confounder is None:
        return
    if plan.confounder.name in COLUMNS or plan.confounder.name == "text":
        raise InputError(
            f"a confounder cannot be named {plan.confounder.name!r}: another column has that name"
        )
    strength = plan.confounder.concepts
    values = strength.values() if isinstance(strength, Mapping) else (strength,)
    author = plan.author_concepts if plan.n_authors is not None else 0.0
    for value in values:
        if not value**2 + author**2 < 1:
            raise InputError(
                f"confounder: a correlation of {value!r} with a concept leaves no room for chance"
                + (f" beside author_concepts={author!r}" if author else "")
                + "; the sum of their squares must be below 1"
            )
