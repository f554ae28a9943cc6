import numpy as np
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.contingency_tables import StratifiedTable

from interp_embed.errors import InputError
from interp_embed.stats import stratified_rate_differences


def test_two_strata_by_hand():
    # Weights 40 x 40 / 80 = 20 and 10, differences .25 and .10.
    found = stratified_rate_differences(
        [[20], [4]], [[10], [2]], n_first=[40, 20], n_second=[40, 20]
    )

    assert found.value == pytest.approx([(20 * 0.25 + 10 * 0.1) / 30])
    assert found.n.tolist() == [120]
    assert found.low[0] < found.value[0] < found.high[0]


def test_the_test_is_statsmodels_cochran_mantel_haenszel():
    rng = np.random.default_rng(0)
    m, n = rng.integers(5, 40, 6), rng.integers(5, 40, 6)
    a, b = rng.binomial(m, 0.4), rng.binomial(n, 0.2)
    tables = [np.array([[x, p - x], [y, q - y]]) for x, p, y, q in zip(a, m, b, n, strict=True)]

    found = stratified_rate_differences(a[:, None], b[:, None], n_first=m, n_second=n)

    expected = StratifiedTable(tables).test_null_odds(correction=False).pvalue
    assert found.p == pytest.approx([expected])


def test_small_counts_are_tested_exactly_given_the_margins():
    # Both hits of each stratum are in its 2 first documents of 8: (1/28)^2, and nothing is rarer.
    found = stratified_rate_differences([[2], [2]], [[0], [0]], n_first=[2, 2], n_second=[6, 6])

    assert found.test.tolist() == ["exact"]
    assert found.p == pytest.approx([1 / 28**2])


def test_in_one_stratum_the_exact_test_is_fishers():
    hits = np.arange(8)
    found = stratified_rate_differences(hits[None], 7 - hits[None], n_first=[20], n_second=[300])

    expected = [fisher_exact([[a, 20 - a], [7 - a, 293 + a]]).pvalue for a in hits.tolist()]
    assert found.p == pytest.approx(expected)


def test_rare_properties_of_groups_of_unequal_size_do_not_seem_certain():
    # Ten hits in each stratum of 20 and 1,000 documents: of 20, .4 are expected in the first.
    rng = np.random.default_rng(2)
    first = rng.multivariate_hypergeometric([20, 1_000], 10, (2, 40_000))[..., 0]

    found = stratified_rate_differences(first, 10 - first, n_first=[20] * 2, n_second=[1_000] * 2)

    assert (found.p <= 0.05).mean() <= 0.05
    assert (found.p <= 1e-3).mean() <= 1e-3


def test_what_all_have_in_one_stratum_and_none_in_the_other_is_not_certain():
    found = stratified_rate_differences(
        [[10], [0]], [[10], [0]], n_first=[10, 10], n_second=[10, 10]
    )

    assert (found.value[0], found.p[0]) == (0.0, 1.0)
    assert found.low[0] < -0.1
    assert found.high[0] > 0.1


def test_what_length_explains_is_no_difference_within_strata_of_length():
    # Long documents have it at 60 %, short ones at 20 %, on both sides; the first is mostly long.
    found = stratified_rate_differences(
        [[20], [480]], [[160], [120]], n_first=[100, 800], n_second=[800, 200]
    )

    assert found.value == pytest.approx([0.0])
    assert found.p == pytest.approx([1.0])


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_intervals_cover_the_truth_and_the_test_holds_its_level(rate):
    rng = np.random.default_rng(1)
    base, n_columns = np.linspace(rate, 2 * rate, 10)[:, None], 4_000
    m, n = np.full(10, 12), np.full(10, 20)

    null = stratified_rate_differences(
        rng.binomial(12, np.broadcast_to(base, (10, n_columns))),
        rng.binomial(20, np.broadcast_to(base, (10, n_columns))),
        n_first=m,
        n_second=n,
    )
    other = stratified_rate_differences(
        rng.binomial(12, np.broadcast_to(base + 0.1, (10, n_columns))),
        rng.binomial(20, np.broadcast_to(base, (10, n_columns))),
        n_first=m,
        n_second=n,
    )

    assert 0.03 < (null.p <= 0.05).mean() < 0.065
    assert 0.935 < ((null.low <= 0) & (null.high >= 0)).mean() < 0.975
    assert 0.935 < ((other.low <= 0.1) & (other.high >= 0.1)).mean() < 0.975


def test_the_interval_of_rare_counts_holds_0_where_the_exact_test_is_open():
    # 7 of 100 against 1 of 100 in 5 strata: p = .06, and the usual interval leaves 0 out.
    found = stratified_rate_differences(
        [[2], [2], [1], [1], [1]], [[1], [0], [0], [0], [0]], n_first=[20] * 5, n_second=[20] * 5
    )

    assert found.test.tolist() == ["exact"]
    assert found.p[0] > 0.05
    assert found.low[0] <= 0.0 < found.value[0] < found.high[0]


def _rare(sizes_first, sizes_second, first, second, seed=0):
    """Return differences of 4,000 properties of these rates."""
    rng = np.random.default_rng(seed)
    m, n = np.array(sizes_first), np.array(sizes_second)
    return stratified_rate_differences(
        rng.binomial(m[:, None], first, (len(m), 4_000)),
        rng.binomial(n[:, None], second, (len(n), 4_000)),
        n_first=m,
        n_second=n,
    )


@pytest.mark.parametrize("first", [0.005, 0.025])
@pytest.mark.parametrize(
    ("sizes_first", "sizes_second"),
    [([50] * 5, [50] * 5), ([20] * 5, [400] * 5), ([3] * 40, [3] * 40), ([300, 100], [30, 10])],
)
def test_intervals_of_rare_counts_cover_the_truth_and_agree_with_the_exact_test(
    sizes_first, sizes_second, first
):
    found = _rare(sizes_first, sizes_second, first, 0.005)
    truth = first - 0.005

    covered = (found.low <= truth + 1e-12) & (found.high >= truth - 1e-12)
    holds_0 = (found.low <= 0.0) & (found.high >= 0.0)
    exact = found.test == "exact"
    assert exact.any()
    assert covered.mean() > 0.93
    assert not (exact & (found.p > 0.05) & ~holds_0).any()
    assert (exact & (found.p <= 0.05) & holds_0).mean() < 0.002


def test_strata_without_one_side_tell_nothing():
    counts = {"n_first": [10, 0], "n_second": [10, 50]}
    with_empty = stratified_rate_differences([[5], [0]], [[2], [40]], **counts)
    alone = stratified_rate_differences([[5]], [[2]], n_first=[10], n_second=[10])

    assert with_empty.value == alone.value
    assert with_empty.n.tolist() == [20]
    none = stratified_rate_differences([[0]], [[3]], n_first=[0], n_second=[5])
    assert np.isnan(none.value[0])
    assert np.isnan(none.p[0])


def test_a_property_nobody_has_does_not_differ_but_is_not_certain():
    found = stratified_rate_differences([[0]], [[0]], n_first=[20], n_second=[20])

    assert (found.value[0], found.p[0]) == (0.0, 1.0)
    assert found.low[0] < 0 < found.high[0]


@pytest.mark.parametrize(
    ("first", "n_first", "message"),
    [([[3]], [2], "first has counts above n_first: 1"), ([[1], [1]], [2], "as|shapes")],
)
def test_bad_counts_are_refused(first, n_first, message):
    with pytest.raises(InputError, match=message):
        stratified_rate_differences(first, [[1]], n_first=n_first, n_second=[2])
