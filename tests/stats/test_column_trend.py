import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import hypergeom

from interp_embed.errors import InputError
from interp_embed.stats import (
    clustered_trends,
    column_shapes,
    column_trends,
    jonckheere_terpstra,
    trend_shape,
)


def draw(rates, n_level, *, seed=0):
    """Return documents x columns of 0/1, and their levels."""
    levels = np.repeat(np.arange(len(rates)), n_level)
    rng = np.random.default_rng(seed)
    return (rng.random((levels.size, np.shape(rates)[1])) < np.array(rates)[levels]), levels


def by_level(fires, levels):
    return np.stack([fires[levels == level].sum(axis=0) for level in np.unique(levels)])


def test_one_of_two_then_two_of_two_by_hand():
    found = column_trends([[1], [2]], [2, 2])

    assert found.share == pytest.approx([0.75])
    assert (found.n, found.n_levels) == (4, 2)


def test_many_columns_at_once_equal_one_at_a_time():
    rng = np.random.default_rng(1)
    fires, _ = draw(rng.random((5, 20)), 9)
    levels = rng.integers(0, 5, len(fires)) * 10.0
    sizes = np.unique(levels, return_counts=True)[1]

    found = column_trends(by_level(fires, levels), sizes)

    for column in range(20):
        one = jonckheere_terpstra(fires[:, column].astype(float), levels)
        assert (found.share[column], found.tau[column], found.p[column]) == pytest.approx(
            (one.share, one.tau, one.p)
        )


@pytest.mark.parametrize("sizes", [[5_000, 100, 80], [20, 2_000, 20], [2_000, 50]])
def test_few_hits_beside_one_large_level_do_not_seem_certain(sizes):
    # By the normal distribution 4e-3 of 30 hits at random have p <= .0001, and more of 10.
    rng = np.random.default_rng(2)
    for n_hits in (1, 10, 30, 100):
        hits = rng.multivariate_hypergeometric(sizes, n_hits, 100_000).T

        found = column_trends(hits, sizes)

        assert "saddlepoint" in found.method
        for p in (0.05, 1e-2, 1e-3):
            assert (found.p <= p).mean() <= 2 * p
        assert (found.p <= 1e-4).mean() <= 4e-4


def test_of_two_levels_the_tail_is_of_the_size_of_the_hypergeometric_ones():
    counts = np.arange(3, 9)

    found = column_trends(np.stack([10 - counts, counts]), [2_000, 50])

    tail = hypergeom(2_050, 10, 50)
    exact = 2 * (tail.sf(counts) + tail.pmf(counts) / 2)
    # Of eight hits where .24 are expected the normal distribution says 1e-57.
    assert np.log10(found.p) == pytest.approx(np.log10(exact), abs=0.5)
    assert exact[-1] > 1e-12


def test_columns_that_never_or_always_hold_have_no_trend():
    found = column_trends([[0, 2], [0, 3]], [2, 3])

    assert np.isnan(found.p).all()
    assert np.isnan(found.tau).all()


def test_the_clustered_test_agrees_with_permuting_whole_groups():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), 6)
    levels = groups // 8
    own = np.clip(
        rng.beta(2, 5, (40, 6)) + 0.04 * np.arange(6) * (np.arange(40) // 8)[:, None], 0, 1
    )
    fires = rng.random((240, 6)) < own[groups]

    found = clustered_trends(csr_array(fires.astype(float)), levels, groups=groups)

    for column in range(6):
        exact = jonckheere_terpstra(
            fires[:, column].astype(float), levels, groups=groups, n_permutations=4_999
        )
        assert found.tau[column] == pytest.approx(exact.tau)
        assert np.sqrt(found.p[column]) == pytest.approx(np.sqrt(exact.p), abs=0.08)


@pytest.mark.parametrize("n_groups", [10, 40])
def test_few_groups_of_one_level_each_keep_the_level(n_groups):
    rng = np.random.default_rng(9)
    groups = np.repeat(np.arange(n_groups), 12)
    own = rng.beta(1, 3, (n_groups, 2_000))
    fires = csr_array((rng.random((groups.size, 2_000)) < own[groups]).astype(float))

    found = clustered_trends(fires, groups, groups=groups)

    assert 0.02 < (found.p <= 0.05).mean() < 0.07


def test_groups_at_several_levels_keep_the_level():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(25), 12)
    levels = (groups + np.tile(np.arange(12), 25) // 4) // 3
    own = rng.beta(1, 3, (25, 2_000))
    fires = csr_array((rng.random((300, 2_000)) < own[groups]).astype(float))

    found = clustered_trends(fires, levels, groups=groups)
    naive = column_trends(by_level(fires.toarray(), levels), np.bincount(levels))

    assert 0.01 < (found.p <= 0.05).mean() < 0.065
    assert (naive.p <= 0.05).mean() > 0.15


def test_shapes_equal_those_of_one_column_at_a_time():
    fires, levels = draw(
        [[0.1, 0.1, 0.3], [0.2, 0.5, 0.3], [0.3, 0.1, 0.3], [0.4, 0.1, 0.3]], 150, seed=5
    )

    found = column_shapes(csr_array(fires.astype(float)), levels, n_resamples=1_999)

    for column in range(3):
        one = trend_shape(fires[:, column].astype(float), levels, n_resamples=1_999)
        assert found.p_departure[column] == pytest.approx(one.p_departure, abs=0.04)
        assert found.share[column] == pytest.approx(one.share)
    assert found.p_departure[1] < 0.01
    assert found.rising[0]


def test_shapes_with_groups_equal_those_of_one_column_at_a_time():
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(60), 5)
    levels = groups // 15
    rates = np.array([[0.2, 0.2], [0.3, 0.6], [0.4, 0.6], [0.5, 0.2]])
    fires = rng.random((300, 2)) < rates[levels]

    found = column_shapes(csr_array(fires.astype(float)), levels, groups=groups, n_resamples=1_999)

    for column in range(2):
        one = trend_shape(fires[:, column].astype(float), levels, groups=groups, n_resamples=1_999)
        assert found.p_departure[column] == pytest.approx(one.p_departure, abs=0.04)


def test_a_level_of_one_document_or_group_leaves_the_shape_open():
    fires = csr_array(np.array([[1.0], [0.0], [1.0]]))

    assert np.isnan(column_shapes(fires, [0, 0, 1]).p_departure).all()
    pairs = csr_array(np.array([[1.0], [0.0], [1.0], [0.0]]))
    assert np.isnan(column_shapes(pairs, [0, 0, 1, 1], groups=[0, 1, 2, 2]).p_departure).all()


@pytest.mark.parametrize(
    ("hits", "sizes", "message"),
    [([[3]], [2], "above"), ([[1], [1]], [2], "as many sizes"), ([[-1]], [2], "counts")],
)
def test_counts_that_cannot_be_are_refused(hits, sizes, message):
    with pytest.raises(InputError, match=message):
        column_trends(hits, sizes)
