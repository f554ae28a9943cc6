import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import chi2

from interp_embed.errors import InputError
from interp_embed.stats import associate_pairs, npmi, partner_pairs, top_pairs
from interp_embed.stats._firing import Firing
from interp_embed.stats._fisher import fisher_p
from interp_embed.stats._pair_kernels import _evidence
from interp_embed.stats.top_pairs import _SLACK


def draw(seed, n=300, n_features=60):
    """Features of many densities, 3-4 and 5-6 together, 7-8 apart, 0 everywhere, 1 nowhere."""
    rng = np.random.default_rng(seed)
    fires = rng.random((n, n_features)) < rng.uniform(0.02, 0.5, n_features)
    fires[:, 4] = fires[:, 3] ^ (rng.random(n) < 0.02)
    fires[:, 6] = fires[:, 5]
    fires[:, 8] = (rng.random(n) < 0.4) & ~fires[:, 7]
    fires[:, 0], fires[:, 1] = True, False
    return csr_array(fires.astype(np.float32))


def pairs_of(found):
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


def test_with_room_for_all_the_same_pairs_are_found_as_by_testing_all():
    activations = draw(0)
    every = associate_pairs(activations)

    found = top_pairs(activations, top=60)

    assert set(pairs_of(found)) == set(pairs_of(every))
    assert found.n_tests == every.n_tests
    counts = dict(zip(pairs_of(every), every.n_both.tolist(), strict=True))
    assert [counts[pair] for pair in pairs_of(found)] == found.n_both.tolist()
    p = dict(zip(pairs_of(every), every.p, strict=True))
    assert [p[pair] for pair in pairs_of(found)] == found.p.tolist()
    q = dict(zip(pairs_of(every), every.q, strict=True))
    assert (found.q >= [q[pair] for pair in pairs_of(found)]).all()


def test_at_most_so_many_pairs_stay_for_each_feature_the_highest_npmi_first():
    activations = draw(1, n=500)
    dense = activations.toarray()

    found = top_pairs(activations, top=2, max_q=1.0, negative=False)

    n_fires = dense.sum(axis=0).astype(int)
    tested = [f for f in range(60) if 5 <= n_fires[f] < 500]
    both = (dense.T @ dense).astype(int)
    expected = set()
    for one in tested:
        ranked = []
        for two in (f for f in tested if f != one and both[one, f] >= 5):
            value = float(npmi(both[one, two], n_fires[one], n_fires[two], n=500))
            if value > 0:
                ranked.append((value, two))
        expected |= {tuple(sorted((one, two))) for _, two in sorted(ranked)[-2:]}
    assert set(pairs_of(found)) == expected
    values = npmi(found.n_both, found.n_first, found.n_second, n=500)
    assert (np.diff(values) <= 0).all()


def test_pairs_never_together_are_kept_at_minus_one():
    found = top_pairs(draw(2))

    at = pairs_of(found).index((7, 8))
    assert found.n_both[at] == 0
    assert npmi(0, found.n_first[at], found.n_second[at], n=300) == -1.0
    assert (7, 8) not in pairs_of(top_pairs(draw(2), negative=False))


def test_another_matrix_gives_the_same_pairs_as_one_made_of_both():
    left, right = draw(3), draw(4, n_features=25)
    right = csr_array(np.column_stack([right.toarray(), left.toarray()[:, 9]]))
    every = associate_pairs(left, other=right)

    found = top_pairs(left, other=right, top=60)

    assert set(pairs_of(found)) == set(pairs_of(every))
    assert (9, 25) in pairs_of(found)
    assert found.n_tests == every.n_tests


def test_pairs_of_one_feature_are_those_of_the_search():
    activations = draw(5)
    together = activations.toarray()
    every = associate_pairs(activations, max_q=1.0)

    found = partner_pairs(activations, 3, max_q=1.0, min_pairs=1)

    counts = dict(zip(pairs_of(every), every.n_both.tolist(), strict=True))
    assert len(pairs_of(found)) > 40
    for partner, n_both in zip(found.second.tolist(), found.n_both.tolist(), strict=True):
        assert n_both == counts[min(3, partner), max(3, partner)]
        assert n_both == int((together[:, 3] * together[:, partner]).sum())
    assert found.second[0] == 4
    with pytest.raises(InputError, match="feature 60 is out of range: there are 60 features"):
        partner_pairs(activations, 60)


def test_no_table_with_a_small_exact_p_is_missed_by_the_quick_statistic():
    rng = np.random.default_rng(6)
    n = 2_000
    a = np.exp(rng.uniform(np.log(5), np.log(n - 1), 60_000)).astype(np.int64)
    b = np.exp(rng.uniform(np.log(5), np.log(n - 1), 60_000)).astype(np.int64)
    spread = np.sqrt(a / n * b * (1 - a / n) * (1 - b / n)) + 1
    both = np.rint(a * b / n + rng.normal(0, 5, a.size) * spread).astype(np.int64)
    both = np.clip(both, np.maximum(0, a + b - n), np.minimum(a, b))
    p = fisher_p(both, a, b, np.full(a.size, n))
    terms = np.arange(n + 1) * np.log(np.maximum(np.arange(n + 1), 1))
    statistic = [_evidence(*table, terms) for table in zip(both, a, b, strict=True)]

    for largest in (0.05, 1e-3, 1e-6):
        least = chi2.isf(largest, 1) / _SLACK
        assert min(s for s, one in zip(statistic, p, strict=True) if one <= largest) >= least


def test_more_features_than_16_bits_number():
    activations = csr_array(np.tile(draw(7).toarray(), (1, 1200)))

    firing = Firing.of(activations, name="a", min_support=5)

    assert firing.features.dtype == np.uint32
    assert Firing.of(draw(7), name="a", min_support=5).features.dtype == np.uint16
    rows = np.repeat(np.arange(300), np.diff(firing.row_start))
    assert (activations.toarray()[rows, firing.kept[firing.features]] > 0).all()


def test_settings_out_of_range_are_refused():
    for name in ("min_support", "min_pairs", "top"):
        with pytest.raises(InputError, match=f"{name} must be at least 1, got 0"):
            top_pairs(draw(8), **{name: 0})
    for max_q in (0.0, 1.1, float("nan")):
        with pytest.raises(InputError, match="max_q must lie above 0 and at most at 1"):
            top_pairs(draw(8), max_q=max_q)
    with pytest.raises(InputError, match="activations have 300 documents and other has 299"):
        top_pairs(draw(8), other=draw(8)[1:])
    damaged = draw(8)
    damaged.indices[3] = 99
    with pytest.raises(InputError, match="names columns outside its 60"):
        top_pairs(damaged)
