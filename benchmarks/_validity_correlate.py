"""Pairs of features as the library lists them: planted ones, and values known exactly (X5, X6)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _validity_documents import firing_documents
from _validity_rows import Row, Sizes, number_row, share_row
from interp_embed.analysis import LinkLimits, Neighbours, correlate_features

_PLANTED = {(0, 1), (2, 3), (4, 5)}
_NOTHING_LINKED = Neighbours(limits=LinkLimits(activation_cosine=2.0, activation_jaccard=2.0))
_SHARED = {1_000: np.log(9e-6) / np.log(1e-3) - 1.0, 10_000: np.log(9e-8) / np.log(1e-4) - 1.0}


@dataclass(frozen=True)
class Listed:
    """What was listed of what was planted."""

    n_found: int
    n_false: int
    n_set_apart: int
    """Planted pairs that were listed as trivially linked."""


def listed_pairs(seed: int) -> Listed:
    """Search 1,124,250 pairs of features for three planted in ten documents of 1,000."""
    rng = np.random.default_rng([seed, 31])
    rates = 10 ** rng.uniform(-2.7, -0.5, 1_500)
    rates[:6] = 10**-2.7
    fires = rng.random((1_000, 1_500)) < rates
    for first, second in sorted(_PLANTED):
        rows = rng.choice(1_000, 10, replace=False)
        for feature in (first, second):
            fires[rows, feature] |= rng.random(10) < 0.9
    found = correlate_features(firing_documents(fires))
    pairs, apart = (
        set(zip(frame["first"].tolist(), frame["second"].tolist(), strict=True))
        for frame in (found.to_frame(), found.linked_frame())
    )
    return Listed(len(pairs & _PLANTED), len(pairs - _PLANTED), len(apart & _PLANTED))


def correlation_rows(sizes: Sizes) -> list[Row]:
    """Return X5: rare planted correlations among a million pairs, as they are listed."""
    n = sizes.pair_seeds
    found = sizes.map(listed_pairs, n)
    n_found = sum(one.n_found + one.n_set_apart for one in found)
    n_apart = sum(one.n_set_apart for one in found)
    how = f"1,000 documents, 1,500 features, pairs in 10 documents at 90 %, seeds 0 to {n - 1}"
    n_false = float(np.mean([one.n_false for one in found]))
    return [
        share_row(
            "X5",
            "Planted pairs that correlate_features lists, of 1,124,250",
            [True] * n_found + [False] * (3 * n - n_found),
            least=1.0,
            meaning="pairs that occur together in 1 % of the documents are found with the defaults"
            + (f"; {n_apart} of them are set apart as firing alike." if n_apart else "."),
            how=how,
        ),
        number_row(
            "X5",
            "Pairs that correlate_features lists and were not planted, a run",
            n_false,
            most=1.0,
            shown=f"{n_false:.2f}",
            meaning="keeping only the strongest pairs of each feature lets no coincidence through.",
            how=how,
        ),
    ]


def listed_npmi_rows(sizes: Sizes) -> list[Row]:
    """Return X6: NPMI of documents made so that its value is known, as it is listed."""
    del sizes
    errors = {
        "never together: -1": abs(_npmi_of(_two(1_000, 300, 300, 0)) + 1.0),
        "always together: 1": abs(_npmi_of(_two(1_000, 30, 30, 30)) - 1.0),
        "one shared document of 3 and 3: .682 of 1,000, .761 of 10,000": max(
            abs(_npmi_of(_two(n, 3, 3, 1)) - value) for n, value in _SHARED.items()
        ),
    }
    rng = np.random.default_rng(32)
    drawn = [abs(_npmi_of(rng.random((40_000, 2)) < 0.3)) for _ in range(10)]
    independent = number_row(
        "X6",
        "NPMI as listed, independent, drawn: largest of ten",
        max(drawn),
        most=0.02,
        shown=f"{max(drawn):.4f}",
        meaning="features that have nothing to do with each other are near 0.",
        how="10 pairs, 40,000 documents, rates .3, seed 32",
    )
    return [
        independent,
        *(
            number_row(
                "X6",
                f"NPMI as listed, {claim}: error",
                error,
                most=1e-12,
                shown=f"{error:.1e}",
                meaning="what is shown is the formula's value, from documents to the table.",
                how="two features over 1,000 and 10,000 documents",
            )
            for claim, error in errors.items()
        ),
    ]


def _two(n: int, first: int, second: int, both: int) -> NDArray[np.bool_]:
    fires = np.zeros((n, 2), np.bool_)
    fires[:first, 0] = True
    fires[first - both : first - both + second, 1] = True
    return fires


def _npmi_of(fires: NDArray[np.bool_]) -> float:
    """Return the NPMI of two features as any pair, however uncertain, is listed."""
    documents = firing_documents(fires)
    found = correlate_features(
        documents, min_support=1, min_pairs=1, max_q=1.0, near=_NOTHING_LINKED
    ).to_frame()
    return float(found["npmi"][0])
