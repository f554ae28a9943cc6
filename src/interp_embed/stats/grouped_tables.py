"""Fisher's exact test of tables whose documents are in groups that are alike."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from interp_embed.stats._fisher import fisher_p
from interp_embed.stats.design_effects import DesignEffects, PairTables

_TABLES = 250_000
"""Tables at a time, about 100 MB."""

Floats = NDArray[np.float64]


def grouped_p(tables: PairTables, effects: DesignEffects, n: int) -> Floats:
    """Return two-sided p of Fisher's exact test of tables divided by their design effects.

    What is left of a document after the division is interpolated on the scale of log p, margins
    are rounded so that p is larger, and the quantile is taken for one of Student's t. With every
    document its own group this is Fisher's test itself.

    Args:
        tables: The pairs.
        effects: Of these pairs.
        n: Documents.

    Source: Rao and Scott 1992, Biometrics 48, 577-585 (counts divided by their design effect).
    """
    p = np.empty(tables.both.size)
    for start in range(0, p.size, _TABLES):
        places = np.arange(start, min(start + _TABLES, p.size))
        part, effect = tables.take(places), effects.effect[places]
        exact = _divided_p(part, effect, n)
        z = stats.norm.isf(exact / 2.0)
        df = effects.df[places]
        known = np.isinf(df)
        p[places] = np.where(known, exact, 2.0 * stats.t.sf(z, np.where(known, 1.0, df)))
    return np.clip(p, np.finfo(np.float64).tiny, 1.0)


def _divided_p(part: PairTables, effect: Floats, n: int) -> Floats:
    """Return p of tables divided by the effects, between those of whole counts around them."""
    both, a, b = part.both / effect, part.n_first / effect, part.n_second / effect
    positive = part.both * float(n) > part.n_first * part.n_second.astype(np.float64)
    # More in the margins makes fewer together likely, and more together unlikely.
    first, second = (np.where(positive, np.ceil(side), np.floor(side)) for side in (a, b))
    low = np.floor(both)
    high = np.minimum(np.ceil(both), np.minimum(first, second))
    low = np.minimum(low, high)
    total = np.where(positive, np.floor(n / effect), np.ceil(n / effect))
    total = np.maximum(total, first + second - low)
    whole = [side.astype(np.int64) for side in (first, second, total)]
    least, most = (fisher_p(side.astype(np.int64), *whole) for side in (low, high))
    share = np.clip(both - low, 0.0, 1.0)
    between = np.exp((1.0 - share) * np.log(least) + share * np.log(most))
    return np.where(share > 0.0, between, least)
