import numpy as np
import pytest
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.stats import bootstrap_interval, by_rows, permutation_test


def mean_of(values):
    return lambda counts: counts @ values / counts.sum(axis=1)


def test_permutation_p_by_hand():
    # Two of four values, 7 is the largest sum of the six: 2 x 1/6.
    found = permutation_test(lambda targets: targets[:, 2:].sum(axis=1), [1, 2, 3, 4])

    assert found.value == 7.0
    assert found.p == pytest.approx(1 / 3, abs=0.02)
    assert found.null_mean == pytest.approx(5.0, abs=0.05)
    assert "24 different arrangements" in found.note


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_permutation_agrees_with_scipys_of_all_arrangements(alternative):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=7), rng.normal(size=7) + 0.5

    found = permutation_test(
        lambda targets: (targets - targets.mean()) @ (x - x.mean()), y, alternative=alternative
    )

    exact = stats.permutation_test(
        (y,),
        lambda t: (t - y.mean()) @ (x - x.mean()),
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative=alternative,
    )
    assert found.p == pytest.approx(exact.pvalue, abs=0.02)


def test_permutation_within_strata_keeps_each_stratum_its_values():
    strata = np.array([0, 1, 0, 1, 2, 0])
    target = np.array([1.0, 10.0, 2.0, 20.0, 100.0, 3.0])
    seen = []

    def statistic(targets):
        seen.append(targets)
        return targets @ np.arange(6.0)

    permutation_test(statistic, target, strata=strata, n_permutations=500)

    permuted = np.concatenate(seen[1:])
    for stratum in range(3):
        inside = np.sort(permuted[:, strata == stratum], axis=1)
        assert (inside == np.sort(target[strata == stratum])).all()
    assert len(np.unique(permuted, axis=0)) == 12  # 3! x 2! x 1!
    shares = np.unique(permuted[:, 0], return_counts=True)[1] / 500
    np.testing.assert_allclose(shares, 1 / 3, atol=0.07)


def test_permutation_of_groups_moves_them_whole():
    groups = ["a", "b", "a", "c", "b"]
    seen = []

    def statistic(targets):
        seen.append(targets)
        return targets[:, 0]

    permutation_test(statistic, [1, 2, 1, 3, 2], groups=groups, n_permutations=100)

    permuted = np.concatenate(seen)
    assert (permuted[:, 0] == permuted[:, 2]).all()
    assert (permuted[:, 1] == permuted[:, 4]).all()
    assert len(np.unique(permuted, axis=0)) == 6


def test_permutation_rejects_a_null_as_often_as_it_says():
    rng = np.random.default_rng(1)
    n_rejected = 0
    for run in range(500):
        x, y = rng.random(20) < 0.3, rng.exponential(size=20)
        found = permutation_test(lambda t, x=x: t @ x, y, n_permutations=199, seed=run)
        n_rejected += found.p <= 0.05
    assert n_rejected / 500 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 500)


def test_permutation_of_a_constant_target_is_not_tested():
    found = permutation_test(lambda targets: targets.sum(axis=1), [2.0, 2.0, 2.0])

    assert np.isnan(found.p)
    assert "nothing was tested" in found.note


def test_permutation_refuses_statistics_it_cannot_judge():
    with pytest.raises(InputError, match="NaN or infinite for 9 of 9 permutations"):
        permutation_test(lambda t: t[:, 0] * np.nan, [1, 2, 3], n_permutations=9)
    with pytest.raises(InputError, match="one number for each of 1 samples"):
        permutation_test(lambda t: t.sum(), [1, 2, 3])
    with pytest.raises(InputError, match="target differs within 1 of 2 groups"):
        permutation_test(lambda t: t[:, 0], [1, 2, 3], groups=[0, 0, 1])
    with pytest.raises(InputError, match="alternative must be"):
        permutation_test(lambda t: t[:, 0], [1, 2, 3], alternative="up")


def test_percentile_interval_by_hand():
    # Of two rows the mean of two draws is 0, 1 or 2 with probability 1/4, 1/2, 1/4.
    found = bootstrap_interval(mean_of(np.array([0.0, 2.0])), 2, method="percentile", level=0.6)

    assert (found.value, found.low, found.high) == (1.0, 0.0, 2.0)
    assert found.error == pytest.approx(np.sqrt(0.5), abs=0.03)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_bootstrap_agrees_with_scipy(method):
    rng = np.random.default_rng(2)
    y, z = rng.exponential(size=30), rng.exponential(size=20)
    sets = np.repeat([0, 1], [30, 20])

    def difference(counts):
        return mean_of(y)(counts[:, :30]) - mean_of(z)(counts[:, 30:])

    one = bootstrap_interval(mean_of(y), 30, method=method, n_resamples=20_000)
    two = bootstrap_interval(difference, 50, method=method, strata=sets, n_resamples=20_000)

    name = {"bca": "BCa", "percentile": "percentile"}[method]
    settings = {"method": name, "n_resamples": 20_000, "rng": 0, "vectorized": True}
    first = stats.bootstrap((y,), np.mean, **settings).confidence_interval
    second = stats.bootstrap(
        (y, z), lambda a, b, axis: a.mean(axis) - b.mean(axis), **settings
    ).confidence_interval
    assert (one.low, one.high) == pytest.approx((first.low, first.high), abs=0.02)
    assert (two.low, two.high) == pytest.approx((second.low, second.high), abs=0.03)


def test_counts_and_row_numbers_give_the_same():
    y = np.random.default_rng(3).normal(size=25)

    one = bootstrap_interval(mean_of(y), 25, n_resamples=300)
    two = bootstrap_interval(by_rows(lambda rows: y[rows].mean()), 25, n_resamples=300)

    assert (one.low, one.high) == pytest.approx((two.low, two.high))


def test_groups_are_drawn_whole_and_their_interval_covers():
    # 40 authors of 1 to 9 documents each; the author explains half of the spread.
    rng = np.random.default_rng(4)
    covered = {"groups": 0, "rows": 0}
    for run in range(150):
        sizes = rng.integers(1, 10, 40)
        groups = np.repeat(np.arange(40), sizes)
        y = rng.normal(size=40)[groups] + rng.normal(size=groups.size)
        for name, labels in (("groups", groups), ("rows", None)):
            found = bootstrap_interval(mean_of(y), y.size, groups=labels, n_resamples=400, seed=run)
            covered[name] += found.low <= 0.0 <= found.high

    assert 0.88 <= covered["groups"] / 150 <= 0.98
    assert covered["rows"] / 150 <= 0.85


@pytest.mark.parametrize(
    ("statistic", "reason"),
    [
        (lambda counts: np.ones(len(counts)), "every sample gives the same value"),
        (lambda counts: np.where(counts[:, 0] > 0, 1.0, np.nan), "has no value in"),
        (lambda counts: counts.max(axis=1), "all samples lie on one side"),
        (lambda counts: np.full(len(counts), np.nan), "of the data is not a number"),
    ],
)
def test_a_bootstrap_that_fails_says_why_and_gives_no_interval(statistic, reason):
    found = bootstrap_interval(statistic, 12, n_resamples=500)

    assert np.isnan([found.low, found.high, found.error]).all()
    assert reason in found.note


def test_bootstrap_caveats():
    y = np.arange(12.0)
    few = bootstrap_interval(mean_of(y), 12, groups=np.repeat([0, 1, 2, 3], 3), n_resamples=200)
    single = bootstrap_interval(
        mean_of(y), 12, strata=[0] * 11 + [1], n_resamples=200, method="percentile"
    )

    assert "4 groups are few" in few.note
    assert "1 strata have a single unit" in single.note
    with pytest.raises(InputError, match="12 rows in 1 group"):
        bootstrap_interval(mean_of(y), 12, groups=[0] * 12)
    with pytest.raises(InputError, match="n_resamples must be at least 100"):
        bootstrap_interval(mean_of(y), 12, n_resamples=50)


def test_the_same_seed_gives_the_same_numbers():
    y = np.random.default_rng(5).normal(size=40)

    one, two, other = (
        bootstrap_interval(mean_of(y), 40, n_resamples=200, seed=seed) for seed in (1, 1, 2)
    )

    assert one == two
    assert one.low != other.low
