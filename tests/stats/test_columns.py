import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse, stats

from interp_embed.errors import InputError
from interp_embed.stats import column_correlation, column_density, column_separation

NAN = float("nan")


def naive_separation(dense, target, n_top=None):
    result = []
    for values in dense.T:
        firing = np.flatnonzero(values > 0)
        silent = np.flatnonzero(values == 0)
        if not firing.size or not silent.size:
            result.append(NAN)
            continue
        strongest = sorted(firing, key=lambda row: (-values[row], row))[:n_top]
        result.append(target[strongest].mean() - target[silent].mean())
    return np.array(result)


@st.composite
def activations_with_target(draw):
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 6)))
    # Few distinct values, so that there are ties and zeros.
    dense = draw(arrays.arrays(np.float64, shape, elements=st.sampled_from([0, 0, 0.5, 1, 3])))
    target = draw(arrays.arrays(np.float64, shape[0], elements=st.integers(-5, 5)))
    return dense, target


def test_density_by_hand():
    assert column_density(sparse.csr_array([[0.0, 2.0], [1.0, 3.0]])).tolist() == [0.5, 1.0]


def test_correlation_by_hand():
    activations = sparse.csr_array([[0.0, 2, 1, 0], [1, 1, 1, 0], [2, 0, 1, 0]])

    np.testing.assert_allclose(column_correlation(activations, [1, 2, 3]), [1.0, -1.0, NAN, NAN])


def test_separation_by_hand():
    activations = sparse.csr_matrix([[0.0, 1, 0], [1, 1, 0], [2, 1, 0]])

    np.testing.assert_allclose(column_separation(activations, [1, 2, 6]), [3.0, NAN, NAN])
    np.testing.assert_allclose(column_separation(activations, [1, 2, 6], n_top=1), [5.0, NAN, NAN])


def test_correlation_agrees_with_scipy():
    rng = np.random.default_rng(0)
    activations = sparse.random(300, 40, density=0.1, format="csr", rng=rng)
    target = rng.normal(size=300)

    expected = [stats.pearsonr(column, target).statistic for column in activations.toarray().T]

    np.testing.assert_allclose(column_correlation(activations, target), expected, rtol=1e-10)


def test_correlation_survives_a_small_spread_about_a_large_mean():
    rng = np.random.default_rng(0)
    dense = 1e4 + 1e-3 * rng.random((50, 1))
    target = rng.normal(size=50)

    expected = stats.pearsonr(dense[:, 0], target).statistic

    assert column_correlation(sparse.csr_array(dense), target)[0] == pytest.approx(
        expected, rel=1e-5
    )


@settings(deadline=None, max_examples=50)
@given(activations_with_target(), st.none() | st.integers(1, 13))
def test_separation_agrees_with_a_loop(data, n_top):
    dense, target = data

    result = column_separation(sparse.csr_array(dense), target, n_top=n_top)

    np.testing.assert_allclose(result, naive_separation(dense, target, n_top), atol=1e-12)


def test_separation_over_the_top_agrees_with_a_loop_on_uneven_features():
    rng = np.random.default_rng(0)
    dense = np.round(rng.random((500, 60)), 2) * (rng.random((500, 60)) < rng.random(60) ** 3)
    target = rng.normal(size=500)

    for dtype in (np.float32, np.float64):
        result = column_separation(sparse.csr_array(dense.astype(dtype)), target, n_top=20)
        np.testing.assert_allclose(result, naive_separation(dense, target, 20), atol=1e-12)


@settings(deadline=None)
@given(activations_with_target())
def test_stored_zeros_and_split_entries_change_nothing(data):
    dense, target = data
    rows, columns = np.indices(dense.shape).reshape(2, -1)
    halves = np.concatenate([dense.ravel() / 2] * 2)  # every entry twice, zeros stored
    messy = sparse.csr_array(
        sparse.coo_array((halves, (np.tile(rows, 2), np.tile(columns, 2))), shape=dense.shape)
    )
    stored_zeros = sparse.csr_array(
        (dense.ravel(), columns, np.arange(0, dense.size + 1, dense.shape[1])), shape=dense.shape
    )
    clean = sparse.csr_array(dense)

    for other in (messy, stored_zeros):
        np.testing.assert_array_equal(column_density(other), column_density(clean))
        np.testing.assert_allclose(
            column_correlation(other, target), column_correlation(clean, target), atol=1e-12
        )
        np.testing.assert_allclose(
            column_separation(other, target, n_top=2), column_separation(clean, target, n_top=2)
        )


def test_a_constant_target_correlates_with_nothing():
    activations = sparse.csr_array([[0.0], [1.0], [2.0]])

    assert np.isnan(column_correlation(activations, [0.1, 0.1, 0.1])).all()


def test_the_matrix_is_not_changed():
    matrix = sparse.csr_array(
        (np.array([2.0, 0.0, 1.0]), np.array([1, 0, 0]), np.array([0, 2, 3])), shape=(2, 2)
    )

    column_separation(matrix, [1, 2], n_top=1)

    assert matrix.data.tolist() == [2.0, 0.0, 1.0]
    assert matrix.indices.tolist() == [1, 0, 0]


def test_bad_input_is_refused():
    good = sparse.csr_array([[0.0, 1.0], [1.0, 0.0]])
    for bad in (-1.0, NAN, np.inf):
        with pytest.raises(InputError, match="activations must be >= 0"):
            column_density(sparse.csr_array([[0.0, bad], [1.0, 0.0]]))
    for other in (good.toarray(), good.tocsc()):
        with pytest.raises(InputError, match="must be a scipy CSR matrix"):
            column_density(other)
    with pytest.raises(InputError, match="no documents"):
        column_density(sparse.csr_array((0, 3)))
    with pytest.raises(InputError, match="one value for each of 2 rows"):
        column_correlation(good, [1.0])
    with pytest.raises(InputError, match="1 of 2 values of target are NaN"):
        column_separation(good, [1.0, NAN])
    with pytest.raises(InputError, match="n_top must be at least 1"):
        column_separation(good, [1.0, 2.0], n_top=0)


def test_a_matrix_without_features_gives_no_numbers():
    empty = sparse.csr_array((3, 0))

    assert column_density(empty).shape == (0,)
    assert column_correlation(empty, [1, 2, 3]).shape == (0,)
    assert column_separation(empty, [1, 2, 3], n_top=1).shape == (0,)
