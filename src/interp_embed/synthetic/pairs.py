"""Planted pairs: two texts side by side, and which of them is preferred."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from interp_embed.errors import InputError
from interp_embed.synthetic._checks import check_count, stream
from interp_embed.synthetic.corpus import assemble_corpus
from interp_embed.synthetic.domains import load_domain
from interp_embed.synthetic.plan import CorpusPlan, Effect, check_plan
from interp_embed.synthetic.truth import draw_effects, draw_rows, effect_matrix


@dataclass(frozen=True, slots=True)
class PlantedPairs:
    """Pairs of documents, their truth, and a preference that follows the concepts' effects."""

    texts_a: tuple[str, ...]
    texts_b: tuple[str, ...]
    truth_a: NDArray[np.bool_]
    """Which concepts the first texts express, shape (n_pairs, n_concepts)."""
    truth_b: NDArray[np.bool_]
    preference: NDArray[np.int64]
    """1 where the first text is preferred, 0 where the second is, shape (n_pairs,)."""
    concepts: tuple[str, ...]
    descriptions: tuple[str, ...]
    effects: Mapping[str, Effect]
    """What having a concept adds to the log-odds that a text is preferred."""
    domain: str
    plan: CorpusPlan
    seed: int


def plant_pairs(
    n_pairs: int = 1000,
    *,
    domain: str = "reviews",
    plan: CorpusPlan | None = None,
    seed: int = 0,
) -> PlantedPairs:
    """Return pairs of texts with a preference that depends on which concepts differ.

    The log-odds that the first text is preferred are the effects of its concepts minus those of
    the second text's. Where the plan has ``group_differences``, the first texts are drawn as
    group A and the second as group B, as the answers of two models would be.

    Args:
        n_pairs: Number of pairs, >= 1.
        domain: What the texts are; see ``domain_names``.
        plan: The knobs; ``effects`` (log-odds; ten are drawn if empty) drive the preference, so
            ``outcome`` stays None or "binary".
        seed: Seed of everything that is drawn, >= 0.

    Raises:
        InputError: The domain or a concept is unknown, a knob cannot be met, or the plan asks
            for another outcome, duplicates, authors, a trend or a confounder.
    """
    check_count(n_pairs, least=1, what="n_pairs")
    check_count(seed, least=0, what="seed")
    material = load_domain(domain)
    plan = CorpusPlan() if plan is None else plan
    check_plan(plan, material.concept_names)
    _check_for_pairs(plan)
    effects = draw_effects(replace(plan, outcome="binary"), material, seed)
    bare = replace(plan, outcome=None, effects={})
    side = np.tile(np.array([0, 1], dtype=np.int64), n_pairs)
    rows = draw_rows(2 * n_pairs, bare, material.concept_names, seed, group=side)
    corpus = assemble_corpus(rows, material, bare, seed)
    first, second = corpus.truth[0::2], corpus.truth[1::2]
    weights = effect_matrix(effects, material.concept_names, 1)[:, 0]
    chance = expit(first @ weights - second @ weights)
    preferred = stream(seed, "preference").random(n_pairs) < chance
    return PlantedPairs(
        texts_a=corpus.texts[0::2],
        texts_b=corpus.texts[1::2],
        truth_a=first,
        truth_b=second,
        preference=preferred.astype(np.int64),
        concepts=corpus.concepts,
        descriptions=corpus.descriptions,
        effects=effects,
        domain=domain,
        plan=plan,
        seed=seed,
    )


def _check_for_pairs(plan: CorpusPlan) -> None:
    if plan.outcome not in (None, "binary"):
        raise InputError(
            f"pairs have a preference for an outcome; leave outcome None, got {plan.outcome!r}"
        )
    unused = {
        "exact_duplicates": plan.exact_duplicates > 0,
        "near_duplicates": plan.near_duplicates > 0,
        "n_authors": plan.n_authors is not None,
        "trend": bool(plan.trend),
        "confounder": plan.confounder is not None,
        "intercept": plan.intercept is not None,
    }
    for name, is_set in unused.items():
        if is_set:
            raise InputError(f"{name} does not apply to pairs; leave it at its default")
