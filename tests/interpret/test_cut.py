import numpy as np
import pytest

from interp_embed.interpret.cut import MIN_SIDE, find_cuts


def test_a_degree_that_tells_perfectly_is_cut_half_way():
    degrees = np.array([[1.0]] * 5 + [[2.0]] * 5)

    cuts = find_cuts(degrees, degrees[:, 0] > 1)

    assert cuts.threshold[0] == 1.5
    assert cuts.agreement[0] == pytest.approx(1)


def test_the_cut_is_the_best_of_all_that_could_be_made():
    rng = np.random.default_rng(0)
    fires = rng.random(60) < 0.3
    degrees = np.round(rng.normal(size=(60, 8)) + fires[:, None], 1)  # with ties

    cuts = find_cuts(degrees, fires)

    for column, (agreement, threshold) in enumerate(
        zip(cuts.agreement, cuts.threshold, strict=True)
    ):
        values = degrees[:, column]
        above = [values > t for t in np.unique(values)]
        possible = [a for a in above if MIN_SIDE <= a.sum() <= 60 - MIN_SIDE]
        best = max(np.corrcoef(a, fires)[0, 1] for a in possible)
        assert agreement == pytest.approx(best)
        assert np.corrcoef(values > threshold, fires)[0, 1] == pytest.approx(best)


def test_a_degree_that_hardly_varies_has_no_cut():
    constant = np.ones((50, 1))
    one_differs = np.r_[np.zeros(49), 1.0][:, None]

    for degrees in (constant, one_differs):
        cuts = find_cuts(degrees, np.arange(50) < 20)
        assert np.isnan(cuts.threshold[0])
        assert cuts.agreement[0] == -np.inf


def test_a_handful_of_documents_cannot_be_cut():
    cuts = find_cuts(np.arange(8.0)[:, None], np.arange(8) > 3)

    assert np.isnan(cuts.threshold).all()
