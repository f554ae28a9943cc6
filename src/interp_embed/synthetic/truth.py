"""Draws which document has which concept, who wrote it and when, and the outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from interp_embed.synthetic._checks import stream
from interp_embed.synthetic.domains import Domain
from interp_embed.synthetic.plan import (
    CorpusPlan,
    Effect,
    base_prevalence,
    concept_loadings,
    correlation_factor,
    prevalence_table,
)

DEFAULT_EFFECT = {"numeric": 0.5, "stars": 0.8, "binary": 1.0, "count": 0.4, "multiclass": 1.2}
"""Size of the default effects, by kind of outcome."""
N_DEFAULT_EFFECTS = 10


@dataclass(frozen=True, slots=True)
class Rows:
    """What is drawn for each document before a word is written."""

    truth: NDArray[np.bool_]
    """Which concepts a document has, shape (n_documents, n_concepts)."""
    duplicate_of: NDArray[np.int64]
    """Row that a document copies, or -1, shape (n_documents,)."""
    is_exact: NDArray[np.bool_]
    """Whether a copy is exact, shape (n_documents,); False for originals."""
    author: NDArray[np.int64] | None
    group: NDArray[np.int64] | None
    """0 for group A, 1 for group B."""
    period: NDArray[np.int64] | None
    confounder: NDArray[np.float64] | None


def draw_rows(
    n_documents: int,
    plan: CorpusPlan,
    concepts: Sequence[str],
    seed: int,
    group: NDArray[np.int64] | None = None,
) -> Rows:
    """Draw the truth of a corpus.

    Args:
        n_documents: Number of documents, >= 1.
        plan: A checked plan.
        concepts: Names of the domain's concepts.
        seed: Seed; each part of the draw has a stream of its own.
        group: Group of each document, 0 or 1; None draws it, if the plan has groups.
    """
    if plan.group_differences and group is None:
        group = stream(seed, "group").integers(0, 2, n_documents)
    period = stream(seed, "period").integers(0, plan.n_periods, n_documents) if plan.trend else None
    confounder = stream(seed, "confounder").standard_normal(n_documents)
    author = _draw_authors(n_documents, plan, seed)
    table = prevalence_table(plan, concepts)
    zero = np.zeros(n_documents, dtype=np.int64)
    prevalence = table[
        group if plan.group_differences and group is not None else zero,
        period if period is not None else zero,
    ]  # (n_documents, n_concepts)
    propensity = _draw_propensities(confounder, author, plan, concepts, seed)
    truth = propensity + ndtri(prevalence) > 0
    origin, is_exact = _draw_duplicates(n_documents, plan, seed)
    source = np.where(origin >= 0, origin, np.arange(n_documents))
    return Rows(
        truth=truth[source],
        duplicate_of=origin,
        is_exact=is_exact,
        author=author,
        group=group[source] if group is not None else None,
        period=period[source] if period is not None else None,
        confounder=confounder[source] if plan.confounder is not None else None,
    )


def draw_effects(plan: CorpusPlan, domain: Domain, seed: int) -> Mapping[str, Effect]:
    """Return the plan's effects, or the default ones if an outcome is asked without effects.

    The default takes ten concepts, in turn one that speaks for the thing and one against it, with
    effects of the same sign (``multiclass``: each draws towards one class, in turn).
    """
    if plan.effects or plan.outcome is None:
        return dict(plan.effects)
    random = stream(seed, "effects")
    sides = [
        random.permutation([c.name for c in domain.concepts if c.valence == sign])
        for sign in (1, -1)
    ]
    size = DEFAULT_EFFECT[plan.outcome]
    effects: dict[str, Effect] = {}
    for number in range(N_DEFAULT_EFFECTS):
        name = str(sides[number % 2][number // 2])
        if plan.outcome == "multiclass":
            target = number % plan.n_classes
            effects[name] = tuple(size * (c == target) for c in range(plan.n_classes))
        else:
            effects[name] = size if number % 2 == 0 else -size
    return effects


def draw_outcome(
    rows: Rows,
    plan: CorpusPlan,
    concepts: Sequence[str],
    effects: Mapping[str, Effect],
    seed: int,
) -> NDArray[np.float64] | NDArray[np.int64] | None:
    """Return the outcome of each document, shape (n_documents,), or None if none is planned.

    Numeric outcomes are float64; stars, classes, counts and 0/1 are int64.
    """
    if plan.outcome is None:
        return None
    random = stream(seed, "outcome")
    n_documents = len(rows.truth)
    added = _additions(rows, plan, seed)
    if plan.outcome == "multiclass":
        weights = effect_matrix(effects, concepts, plan.n_classes)
        logits = rows.truth @ weights  # (n_documents, n_classes)
        logits[:, -1] += added
        chosen: NDArray[np.int64] = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
        return chosen
    weights = effect_matrix(effects, concepts, 1)[:, 0]
    value = rows.truth @ weights + added + _intercept(plan, concepts, weights)
    if plan.outcome == "binary":
        chance: NDArray[np.float64] = expit(value)
        return (random.random(n_documents) < chance).astype(np.int64)
    if plan.outcome == "count":
        return random.poisson(np.exp(np.minimum(value, 20.0))).astype(np.int64)
    numeric: NDArray[np.float64] = value + plan.noise * random.standard_normal(n_documents)
    if plan.outcome == "stars":
        return np.clip(np.rint(numeric), 1, 5).astype(np.int64)
    return numeric


def effect_matrix(
    effects: Mapping[str, Effect], concepts: Sequence[str], n_columns: int
) -> NDArray[np.float64]:
    """Return effects as an array, shape (n_concepts, n_columns); concepts without one have 0."""
    matrix = np.zeros((len(concepts), n_columns))
    for name, effect in effects.items():
        matrix[concepts.index(name)] = effect
    return matrix


def _intercept(plan: CorpusPlan, concepts: Sequence[str], weights: NDArray[np.float64]) -> float:
    if plan.intercept is not None:
        return plan.intercept
    if plan.outcome == "binary":
        return -float(base_prevalence(plan, concepts) @ weights)
    return float(np.log(3.0)) if plan.outcome == "count" else 3.0


def _additions(rows: Rows, plan: CorpusPlan, seed: int) -> NDArray[np.float64]:
    """Return what confounder and author add to the outcome, shape (n_documents,)."""
    added = np.zeros(len(rows.truth))
    if rows.confounder is not None and plan.confounder is not None:
        added += plan.confounder.outcome * rows.confounder
    if rows.author is not None and plan.n_authors is not None:
        own = stream(seed, "author outcome").standard_normal(plan.n_authors)
        added += plan.author_outcome * own[rows.author]
    return added


def _draw_authors(n_documents: int, plan: CorpusPlan, seed: int) -> NDArray[np.int64] | None:
    """Return the author of each document: a few write much, most write little."""
    if plan.n_authors is None:
        return None
    random = stream(seed, "author")
    share = random.gamma(2.0, size=plan.n_authors)
    bounds = np.cumsum(share) / share.sum()
    drawn = np.searchsorted(bounds, random.random(n_documents), side="right")
    return np.minimum(drawn, plan.n_authors - 1).astype(np.int64)


def _draw_propensities(
    confounder: NDArray[np.float64],
    author: NDArray[np.int64] | None,
    plan: CorpusPlan,
    concepts: Sequence[str],
    seed: int,
) -> NDArray[np.float64]:
    """Return standard normal propensities, shape (n_documents, n_concepts): a Gaussian copula."""
    factor = correlation_factor(plan, concepts)
    shape = (len(confounder), len(concepts))
    own = stream(seed, "propensity").standard_normal(shape) @ factor.T
    loading = concept_loadings(plan, concepts)
    leaning = 0.0 if author is None else plan.author_concepts
    rest = np.sqrt(1 - loading**2 - leaning**2)
    propensity: NDArray[np.float64] = rest * own + confounder[:, None] * loading
    if author is not None and plan.n_authors is not None:
        size = (plan.n_authors, len(concepts))
        propensity += leaning * stream(seed, "author concepts").standard_normal(size)[author]
    return propensity


def _draw_duplicates(
    n_documents: int, plan: CorpusPlan, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return which row each document copies (-1: none), and whether the copy is exact."""
    origin = np.full(n_documents, -1, dtype=np.int64)
    is_exact = np.zeros(n_documents, dtype=np.bool_)
    random = stream(seed, "duplicates")
    n_exact = round(plan.exact_duplicates * n_documents)
    n_copies = min(n_exact + round(plan.near_duplicates * n_documents), n_documents - 1)
    if n_copies == 0:
        return origin, is_exact
    copies = 1 + random.permutation(n_documents - 1)[:n_copies]
    is_exact[copies[:n_exact]] = True
    is_copy = np.zeros(n_documents, dtype=np.bool_)
    is_copy[copies] = True
    originals = np.flatnonzero(~is_copy)
    for row in np.flatnonzero(is_copy):
        earlier = originals[: np.searchsorted(originals, row)]
        origin[row] = earlier[random.integers(len(earlier))]
    return origin, is_exact
