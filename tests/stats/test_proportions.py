import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from interp_embed.errors import InputError
from interp_embed.stats import (
    clopper_pearson_interval,
    paired_rate_differences,
    rate_differences,
)
from interp_embed.stats._fisher import fisher_p


def test_clopper_pearson_by_hand():
    # For 0 of n the upper end u solves (1 - u)^n = 0.025.
    interval = clopper_pearson_interval(0, 10)

    assert interval.low == 0.0
    assert interval.high == pytest.approx(1 - 0.025**0.1)
    assert np.isnan(clopper_pearson_interval(0, 0).low)
    with pytest.raises(InputError, match="successes must lie between 0 and n"):
        clopper_pearson_interval(3, 2)


@pytest.mark.parametrize(("successes", "n"), [(8, 10), (10, 10), (1, 500), (250, 500)])
def test_clopper_pearson_agrees_with_scipy(successes, n):
    interval = clopper_pearson_interval(successes, n, level=0.9)

    expected = stats.binomtest(successes, n).proportion_ci(0.9, method="exact")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_newcombes_own_example():
    # Newcombe 1998, Stat. Med. 17, 873-890, table II (a), method 10.
    found = rate_differences(56, 48, n_first=70, n_second=80)

    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert found.test == "score"
    assert found.n == 150


def test_rate_differences_agree_with_scipy_and_statsmodels():
    rng = np.random.default_rng(0)
    n_first, n_second = rng.integers(2, 90, (2, 200))
    first, second = rng.binomial(n_first, 0.3), rng.binomial(n_second, 0.5)

    found = rate_differences(first, second, n_first=n_first, n_second=n_second, level=0.9)

    for i in range(200):
        table = [
            [first[i], n_first[i] - first[i]],
            [second[i], n_second[i] - second[i]],
        ]
        if found.test[i] == "fisher":
            assert found.p[i] == pytest.approx(stats.fisher_exact(table).pvalue)
        else:
            assert found.p[i] == pytest.approx(stats.chi2_contingency(table, correction=False)[1])
            assert stats.contingency.expected_freq(table).min() >= 5
        bounds = confint_proportions_2indep(
            first[i], n_first[i], second[i], n_second[i], method="newcomb", alpha=0.1
        )
        assert (found.low[i], found.high[i]) == pytest.approx(bounds)
    assert set(found.test) == {"fisher", "score"}


def test_equal_extreme_rates_are_no_evidence_and_an_empty_side_is_unknown():
    found = rate_differences([0, 10, 3], [0, 20, 0], n_first=10, n_second=[20, 20, 0])

    assert found.p[:2].tolist() == [1.0, 1.0]
    assert found.low[0] < 0 < found.high[0]
    assert np.isnan([found.value[2], found.low[2], found.high[2], found.p[2]]).all()
    assert found.test[2] == ""


@pytest.mark.parametrize("test", ["score", "fisher"])
def test_the_test_can_be_chosen(test):
    assert rate_differences(9, 1, n_first=10, n_second=10, test=test).test == test


def test_impossible_counts_are_refused():
    with pytest.raises(InputError, match="first has counts above n_first: 1 of them"):
        rate_differences([1, 5], 0, n_first=3, n_second=3)
    with pytest.raises(InputError, match=r"whole numbers >= 0, got 0\.5"):
        rate_differences(0.5, 0, n_first=3, n_second=3)
    with pytest.raises(InputError, match="got nan"):
        paired_rate_differences(np.nan, 0, both=1, neither=1)
    with pytest.raises(InputError, match="shapes that do not fit"):
        rate_differences([1, 2], [1, 2, 3], n_first=5, n_second=5)
    with pytest.raises(InputError, match='test must be "auto"'):
        rate_differences(1, 1, n_first=5, n_second=5, test="wald")


def test_paired_difference_by_hand():
    # Newcombe 1998, Stat. Med. 17, 2635-2650, table III: 36, 12, 2, 0 with method 10.
    found = paired_rate_differences(12, 2, both=36, neither=0)

    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0569, 0.3404), abs=1e-4)
    assert found.p == pytest.approx(2 * (1 + 14 + 91) / 2**14)
    mid = paired_rate_differences(12, 2, both=36, neither=0, test="mid-p")
    assert mid.p == pytest.approx(2 * (1 + 14 + 91 / 2) / 2**14)


@pytest.mark.parametrize("interval", ["newcombe", "tango"])
def test_without_discordant_pairs_nothing_is_claimed(interval):
    found = paired_rate_differences([0, 0], [0, 0], both=[54, 0], neither=0, interval=interval)

    # 54 agreeing pairs: z^2 / (n + z^2) = 3.8415 / 57.8415
    assert (found.low[0], found.high[0]) == pytest.approx((-0.066414, 0.066414), abs=1e-6)
    assert found.p[0] == 1.0
    assert np.isnan([found.value[1], found.low[1], found.p[1]]).all()


def test_mcnemar_agrees_with_statsmodels():
    rng = np.random.default_rng(1)
    for both, first, second, neither in rng.integers(0, 30, (50, 4)).tolist():
        found = paired_rate_differences(first, second, both=both, neither=neither)

        expected = mcnemar([[both, first], [second, neither]], exact=True)
        assert found.p == pytest.approx(expected.pvalue)


def test_tango_inverts_the_score_of_the_restricted_likelihood():
    b, c, rest = 12, 2, 40
    n = b + c + rest

    def score(delta):
        def loss(q):
            with np.errstate(divide="ignore", invalid="ignore"):
                cells = np.log([q + delta, q, 1 - 2 * q - delta])
            return -(b * cells[0] + c * cells[1] + rest * cells[2])

        low, high = max(0, -delta), (1 - delta) / 2
        q = optimize.minimize_scalar(
            loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
        ).x
        return (b - c - n * delta) / np.sqrt(n * (2 * q + delta - delta**2))

    found = paired_rate_differences(b, c, both=rest, neither=0, interval="tango")

    assert score(float(found.low)) == pytest.approx(1.959964, abs=1e-4)
    assert score(float(found.high)) == pytest.approx(-1.959964, abs=1e-4)


@pytest.mark.parametrize("cells", [(0.3, 0.1, 0.05, 0.55), (0.05, 0.03, 0.01, 0.91)])
def test_paired_intervals_cover_and_the_exact_test_holds_its_level(cells):
    rng = np.random.default_rng(0)
    truth = cells[1] - cells[2]
    a, b, c, d = rng.multinomial(300, cells, 4000).T
    for interval in ("newcombe", "tango"):
        found = paired_rate_differences(b, c, both=a, neither=d, interval=interval)
        covered = np.mean((found.low <= truth) & (truth <= found.high))
        assert 0.94 <= covered <= 0.98
    a, b, c, d = rng.multinomial(300, (cells[0], 0.04, 0.04, 0.92 - cells[0]), 4000).T
    assert np.mean(paired_rate_differences(b, c, both=a, neither=d).p <= 0.05) <= 0.055


def test_unpaired_intervals_cover_and_auto_holds_its_level():
    rng = np.random.default_rng(0)
    for rates, n in [((0.1, 0.1), 100), ((0.02, 0.05), 500), ((0.5, 0.3), 60)]:
        first, second = (rng.binomial(n, rate, 4000) for rate in rates)
        found = rate_differences(first, second, n_first=n, n_second=n)
        truth = rates[0] - rates[1]
        assert 0.94 <= np.mean((found.low <= truth) & (truth <= found.high)) <= 0.98
        null = rate_differences(first, rng.binomial(n, rates[0], 4000), n_first=n, n_second=n)
        assert np.mean(null.p <= 0.05) <= 0.06


def test_fisher_agrees_with_scipy_in_small_and_large_tables():
    rng = np.random.default_rng(2)
    n = np.concatenate([rng.integers(1, 40, 200), rng.integers(500, 5000, 50)])
    first, second = rng.integers(0, n + 1), rng.integers(0, n + 1)
    low, high = np.maximum(first + second - n, 0), np.minimum(first, second)
    both = rng.integers(low, high + 1)

    p = fisher_p(both, first, second, n)

    for x, a, b, m, found in zip(both, first, second, n, p, strict=True):
        expected = stats.fisher_exact([[x, a - x], [b - x, m - a - b + x]]).pvalue
        assert found == pytest.approx(max(expected, 2.3e-308), rel=1e-8)
    assert fisher_p(*np.array([[3], [3], [3], [6]])).tolist() == pytest.approx([0.1])
