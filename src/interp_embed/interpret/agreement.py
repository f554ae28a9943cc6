"""Whether verdicts asked for in groups are those asked for one by one: measured on a sample."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from interp_embed.records import Agreement, ConceptAgreement

Pair = tuple[int, int]
"""Positions of a text and of a concept."""

_LEAST_AGREEMENT = 0.95
_LEAST_KAPPA = 0.7


def choose_check_pairs(
    verdicts: NDArray[np.float32], *, n: int, seed: int, known: Collection[Pair] = ()
) -> list[Pair]:
    """Return n pairs to ask again, as even as can be over concepts and, in each, over yes and no.

    Args:
        verdicts: Shape (n_texts, n_concepts): 1, 0 or NaN; NaN is not asked again.
        n: How many; all where there are fewer.
        seed: Of the draw.
        known: Pairs asked again before, which are taken first: they cost nothing.
    """
    order = np.random.default_rng(seed).permutation(verdicts.size)
    rows, columns = np.unravel_index(order, verdicts.shape)
    strata: dict[tuple[int, float], list[Pair]] = defaultdict(list)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        verdict = float(verdicts[row, column])
        if not np.isnan(verdict):
            strata[column, verdict].append((row, column))
    before = frozenset(known)
    queues = [sorted(strata[key], key=lambda pair: pair not in before) for key in sorted(strata)]
    chosen: list[Pair] = []
    depth = 0
    while len(chosen) < n and any(depth < len(queue) for queue in queues):
        chosen += [queue[depth] for queue in queues if depth < len(queue)]
        depth += 1
    return chosen[:n]


def measure_agreement(
    concepts: Sequence[str],
    first: Mapping[Pair, bool],
    again: Mapping[Pair, bool],
    retest: Mapping[Pair, bool],
) -> Agreement:
    """Return how far verdicts agree.

    Args:
        concepts: In words; pairs hold their positions.
        first: The verdicts checked.
        again: The same pairs asked alone; without those whose answer is missing.
        retest: Some of them asked alone once more.

    Source: Cohen 1960, Educ. Psychol. Meas. 20, 37-46, for kappa.
    """
    pairs = [pair for pair in first if pair in again]
    one = np.array([first[pair] for pair in pairs], np.bool_)
    other = np.array([again[pair] for pair in pairs], np.bool_)
    column = np.array([pair[1] for pair in pairs], np.int64)
    twice = [retest[pair] == again[pair] for pair in retest if pair in again]
    return Agreement(
        n=len(pairs),
        agreement=_mean(one == other),
        kappa=_kappa(one, other),
        retest=_mean(np.array(twice, np.bool_)),
        n_retest=len(twice),
        per_concept={
            concepts[c]: _concept_agreement(one[column == c], other[column == c])
            for c in np.unique(column).tolist()
        },
        n_missing=len(first) - len(pairs),
    )


def agreement_warning(agreement: Agreement, concepts_per_call: int) -> str | None:
    """Return what to say where asking many at once changes the verdicts; None where it does not."""
    fine = agreement.agreement >= _LEAST_AGREEMENT and not agreement.kappa < _LEAST_KAPPA
    if fine or agreement.n == 0:
        return None
    fewer = (
        f"concepts_per_call={concepts_per_call // 2}" if concepts_per_call > 3 else 'mode="single"'
    )
    noise = (
        f"; asked alone twice, it agrees with itself on {agreement.retest:.0%} of "
        f"{agreement.n_retest}"
        if agreement.n_retest
        else ""
    )
    return (
        f"asked {concepts_per_call} concepts at once, the model agrees with itself asked for one "
        f"on {agreement.agreement:.0%} of {agreement.n} pairs (kappa {agreement.kappa:.2f})"
        f"{noise}. Use {fewer} for verdicts that depend less on what else is asked"
    )


def _concept_agreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> ConceptAgreement:
    return ConceptAgreement(
        n=len(one),
        agreement=_mean(one == other),
        to_yes=int((~one & other).sum()),
        to_no=int((one & ~other).sum()),
    )


def _mean(same: NDArray[np.bool_]) -> float:
    return float(same.mean()) if same.size else float("nan")


def _kappa(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    if not one.size:
        return float("nan")
    p, q = one.mean(), other.mean()
    chance = p * q + (1 - p) * (1 - q)
    return float((np.mean(one == other) - chance) / (1 - chance)) if chance < 1 else float("nan")
