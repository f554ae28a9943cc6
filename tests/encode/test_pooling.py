import itertools

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from interp_embed.encode import pool_tokens
from interp_embed.encode.pooling import failed_documents, join_documents


def test_pools_the_tokens_of_each_document():
    tokens = csr_matrix(np.array([[0, 2, 0], [1, 3, 0], [0, 3, 0], [5, 0, 0]], np.float32))

    pooled = pool_tokens(np.array([0, 3, 3, 4]), np.array([1, 2, 5, 7]), tokens)

    assert pooled.start.tolist() == [0, 2, 2, 3]
    assert pooled.feature.tolist() == [0, 1, 0]
    assert pooled.maximum.tolist() == [1, 3, 5]
    assert pooled.total.tolist() == [1, 8, 5]
    assert pooled.count.tolist() == [1, 3, 1]
    assert pooled.peak.tolist() == [2, 2, 7]  # the first token with the maximum
    assert pooled.n_counted.tolist() == [3, 0, 1]


def test_agrees_with_dense_pooling_on_random_tokens():
    rng = np.random.default_rng(0)
    tokens = csr_matrix(random_array((200, 50), density=0.1, rng=rng, dtype=np.float32))
    bounds = np.array([0, 40, 41, 41, 120, 200])

    pooled = pool_tokens(bounds, np.concatenate([np.arange(n) for n in np.diff(bounds)]), tokens)

    dense = tokens.toarray()
    for i, (begin, end) in enumerate(itertools.pairwise(bounds)):
        row = np.zeros((4, 50))
        entries = slice(pooled.start[i], pooled.start[i + 1])
        for at, values in enumerate((pooled.maximum, pooled.total, pooled.count, pooled.peak)):
            row[at, pooled.feature[entries]] = values[entries]
        part = dense[begin:end] if end > begin else np.zeros((1, 50))
        np.testing.assert_allclose(row[0], part.max(axis=0))
        np.testing.assert_allclose(row[1], part.sum(axis=0), rtol=1e-6)
        np.testing.assert_allclose(row[2], (part > 0).sum(axis=0))
        np.testing.assert_allclose(row[3], part.argmax(axis=0))


def test_stored_zeros_are_no_activations():
    tokens = csr_matrix((np.array([0.0, 2.0], np.float32), [0, 1], [0, 2]), shape=(1, 3))

    pooled = pool_tokens(np.array([0, 1]), np.array([0]), tokens)

    assert pooled.feature.tolist() == [1]


def test_documents_are_joined_in_the_order_asked_for():
    tokens = csr_matrix(np.array([[1, 0], [0, 2]], np.float32))
    pooled = pool_tokens(np.array([0, 1, 2]), np.array([0, 0]), tokens)
    failed = failed_documents(["text is missing"])

    joined = join_documents([pooled, failed], np.array([2, 1, 0]))

    assert joined.errors == ("text is missing", None, None)
    assert joined.start.tolist() == [0, 0, 1, 2]
    assert joined.feature.tolist() == [1, 0]


def test_bounds_that_do_not_fit_the_tokens_are_refused():
    with pytest.raises(ValueError, match="must rise from 0 to the 2 tokens"):
        pool_tokens(np.array([0, 3]), np.array([0, 0]), csr_matrix((2, 2), dtype=np.float32))
