"""Why discovery and test read different documents."""

import numpy as np
from scipy import stats
from scipy.sparse import csr_matrix

from interp_embed.hypotheses import select_features

N, N_FEATURES, N_CHOSEN, RUNS = 1_000, 256, 20, 12


def significant(activations, target, features):
    columns = activations[:, features].toarray()
    p = [stats.pearsonr(column, target).pvalue for column in columns.T]
    return int((np.array(p) < 0.05).sum())


def test_testing_where_one_searched_finds_half_of_nothing_and_fresh_documents_a_twentieth():
    same = fresh = 0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        fires = csr_matrix((rng.random((2 * N, N_FEATURES)) < 0.1).astype(float))
        noise = rng.standard_normal(2 * N)
        chosen = select_features(fires[:N], noise[:N], n=N_CHOSEN, method="correlation").features
        same += significant(fires[:N], noise[:N], chosen)
        fresh += significant(fires[N:], noise[N:], chosen)

    assert same / (RUNS * N_CHOSEN) > 0.4
    assert fresh / (RUNS * N_CHOSEN) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / (RUNS * N_CHOSEN))
