import numpy as np
import pytest
from scipy.sparse import csr_array

from interp_embed.errors import InputError
from interp_embed.stats import column_likeness


def test_the_example():
    found = column_likeness(
        csr_array([[1.0, 2.0], [0.0, 2.0]]), np.array([0]), np.array([1]), peak=np.array([3, 4, 9])
    )

    assert found.cosine == pytest.approx([2 / np.sqrt(8)])
    assert found.n_near.tolist() == [1]


def test_cosines_are_those_of_dense_columns_whatever_the_order_of_pairs():
    rng = np.random.default_rng(0)
    dense = rng.random((50, 9)) * (rng.random((50, 9)) < 0.4)
    dense[:, 8] = 0
    first, second = rng.integers(0, 9, (2, 40))

    found = column_likeness(csr_array(dense), first, second)

    lengths = np.linalg.norm(dense, axis=0)
    scale = lengths[first] * lengths[second]
    dots = (dense[:, first] * dense[:, second]).sum(axis=0)
    expected = np.divide(dots, scale, out=np.zeros(40), where=scale > 0)
    assert found.cosine == pytest.approx(expected, abs=1e-6)
    assert found.n_near.sum() == 0


def test_peaks_that_are_not_known_are_near_nothing():
    found = column_likeness(
        csr_array([[1.0, 2.0], [1.0, 2.0]]),
        np.array([0]),
        np.array([1]),
        peak=np.array([-1, -1, 2, 3]),
    )

    assert found.n_near.tolist() == [1]


def test_arrays_that_do_not_fit_are_refused():
    matrix = csr_array([[1.0, 2.0]])
    with pytest.raises(InputError, match=r"peak has shape \(1,\), but there are 2 entries"):
        column_likeness(matrix, np.array([0]), np.array([1]), peak=np.array([1]))
    with pytest.raises(InputError, match="names a column outside the 2"):
        column_likeness(matrix, np.array([0]), np.array([2]))
