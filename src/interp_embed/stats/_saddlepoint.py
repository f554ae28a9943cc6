"""Tails of a sum over levels, when documents with a property are spread over them at random."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

_LOPSIDED = 0.1
"""Squared skewness and excess kurtosis of the sum, together, from which the normal distribution is
too sure: its p of .0001 then is several times too small."""
_INSIDE = 1e-3
"""Share of its range by which a sum is kept from the ends, where there is no saddlepoint."""
_ROUNDS, _HALVINGS = 100, 40
_CENTRE = 0.05
"""Standard deviations from the mean within which the normal distribution does."""


def is_lopsided(
    hits: NDArray[np.int64], sizes: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return for which columns the sum's tails are heavier than a normal distribution's.

    Args:
        hits: Documents with the property, at least one with and one without, shape (n_columns,).
        sizes: Documents of each level, shape (n_levels,).
        weights: What a document of each level adds to the sum, shape (n_levels,).
    """
    n, scaled = sizes.sum(), _standard(sizes, weights)
    rarer = np.minimum(hits, n - hits)
    skew = float(sizes @ scaled**3 / n)
    excess = max(float(sizes @ scaled**4 / n) - 3.0, 0.0)
    share = rarer / n
    return np.asarray(
        (skew**2 * (1.0 - 2.0 * share) ** 2 / (1.0 - share) + excess) / rarer > _LOPSIDED
    )


def saddlepoint_p(
    found: NDArray[np.int64], sizes: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return two-sided p of sums of weights, the number of documents with the property given.

    Args:
        found: Documents of each level with the property, in all at least one and one without,
            shape (n_levels, n_columns).
        sizes: Documents of each level, shape (n_levels,).
        weights: What a document of each level adds to the sum, shape (n_levels,).

    Source: Robinson 1982, JRSS B 44, 91-101 (saddlepoints for permutation tests); the tail as in
    Skovgaard 1987, J. Appl. Prob. 24, 875-887, in the form of Barndorff-Nielsen 1986, Biometrika
    73, 307-322. Counts are taken for continuous, so that what was found counts about half, and p
    is too small where all sums are at one end of their range but for a few.
    """
    w, n = _standard(sizes, weights)[:, None], sizes[:, None].astype(np.float64)
    hits, total = found.sum(axis=0).astype(np.float64), float(sizes.sum())
    value = (w * found).sum(axis=0)
    z = value / np.sqrt(hits * (total - hits) / (total - 1.0))
    low, high = -_largest(hits, n, -w), _largest(hits, n, w)
    room = _INSIDE * (high - low)
    value = np.clip(value, low + room, high - room)
    start, tilt = _solve(hits, value, n, w)
    plain = logit(hits / total)
    gain = _objective(plain, np.zeros_like(plain), hits, value, n, w)
    gain = gain - _objective(start, tilt, hits, value, n, w)
    root = np.sign(tilt) * np.sqrt(2.0 * np.maximum(gain, 0.0))
    spread = _moments(expit(start + tilt * w), n, w)
    curve = np.sqrt(spread.determinant / (hits * (1.0 - hits / total)))
    far = (np.abs(root) > _CENTRE) & (tilt * curve / np.where(root == 0.0, 1.0, root) > 0.0)
    ratio = np.divide(tilt * curve, root, out=np.ones_like(root), where=far)
    moved = root + np.divide(np.log(ratio), root, out=np.zeros_like(root), where=far)
    return np.asarray(2.0 * stats.norm.sf(np.abs(np.where(far, moved, z))))


@dataclass(frozen=True, slots=True)
class _Moments:
    """Variances of hits and of their sum of weights, where each document is hit by chance."""

    hits: NDArray[np.float64]
    both: NDArray[np.float64]
    """Covariance."""
    value: NDArray[np.float64]
    determinant: NDArray[np.float64]


def _moments(rate: NDArray[np.float64], n: NDArray[np.float64], w: NDArray[np.float64]) -> _Moments:
    spread = n * rate * (1.0 - rate)
    hits, both, value = (np.sum(spread * w**power, axis=0) for power in (0, 1, 2))
    return _Moments(hits, both, value, np.maximum(hits * value - both**2, 1e-300))


def _standard(sizes: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weights with mean 0 and variance 1 over documents."""
    centred = weights - float(sizes @ weights) / float(sizes.sum())
    return np.asarray(centred / np.sqrt(float(sizes @ centred**2) / float(sizes.sum())))


def _largest(
    hits: NDArray[np.float64], n: NDArray[np.float64], w: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the largest sum there can be: the levels of the largest weights are filled first."""
    order = np.argsort(-w[:, 0], kind="stable")
    filled = np.minimum(np.cumsum(n[order], axis=0), hits)
    taken = np.diff(filled, axis=0, prepend=0.0)
    return np.asarray((taken * w[order]).sum(axis=0))


def _objective(
    start: NDArray[np.float64],
    tilt: NDArray[np.float64],
    hits: NDArray[np.float64],
    value: NDArray[np.float64],
    n: NDArray[np.float64],
    w: NDArray[np.float64],
) -> NDArray[np.float64]:
    generated = (n * np.logaddexp(0.0, start + tilt * w)).sum(axis=0)
    return np.asarray(generated - start * hits - tilt * value)


def _solve(
    hits: NDArray[np.float64],
    value: NDArray[np.float64],
    n: NDArray[np.float64],
    w: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return level and tilt of the log odds that give the hits and the sum: Newton, damped."""
    start = logit(hits / n.sum())
    tilt = np.zeros_like(start)
    best = _objective(start, tilt, hits, value, n, w)
    for _ in range(_ROUNDS):
        rate = expit(start + tilt * w)
        spread = _moments(rate, n, w)
        gaps = (n * rate).sum(axis=0) - hits, (n * rate * w).sum(axis=0) - value
        steps = (
            (spread.value * gaps[0] - spread.both * gaps[1]) / spread.determinant,
            (spread.hits * gaps[1] - spread.both * gaps[0]) / spread.determinant,
        )
        if (gaps[0] * steps[0] + gaps[1] * steps[1]).max(initial=0.0) < 1e-12:
            break
        size = np.ones_like(start)
        for _ in range(_HALVINGS):
            tried = start - size * steps[0], tilt - size * steps[1]
            reached = _objective(*tried, hits, value, n, w)
            worse = reached > best
            if not worse.any():
                break
            size = np.where(worse, size / 2.0, size)
        kept = ~worse
        start, tilt = np.where(kept, tried[0], start), np.where(kept, tried[1], tilt)
        best = np.where(kept, reached, best)
    return start, tilt
