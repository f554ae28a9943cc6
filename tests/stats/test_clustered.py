import numpy as np
import pytest
from scipy.sparse import csr_array

from interp_embed.errors import InputError
from interp_embed.stats import clustered_sums, compare_clustered


def test_two_groups_that_disagree_by_hand():
    fires = csr_array([[1.0], [1.0], [0.0], [0.0]])

    found = clustered_sums(fires, [0.25] * 4, groups=["a", "a", "b", "b"])

    assert found.value == pytest.approx([0.5])
    assert found.variance == pytest.approx([0.25])  # 2/1 x (0.25^2 + 0.25^2)
    assert (found.df[0], found.n_groups) == (1.0, 2)


def test_groups_of_one_document_give_the_usual_variance_of_a_mean():
    values = (np.random.default_rng(0).random((200, 3)) < 0.3).astype(float)

    found = clustered_sums(csr_array(values), np.full(200, 1 / 200), groups=np.arange(200))

    assert found.value == pytest.approx(values.mean(axis=0))
    assert found.variance == pytest.approx(values.var(axis=0, ddof=1) / 200)
    assert found.df == pytest.approx(199)


def test_cells_are_compared_with_their_own_mean():
    # In each cell the documents are alike, so groups add no doubt though the cells differ.
    fires = csr_array([[1.0], [1.0], [0.0], [0.0]])

    found = clustered_sums(fires, [0.5, 0.5, -0.5, -0.5], groups=[0, 1, 2, 3], cells=[0, 0, 1, 1])

    assert found.value == pytest.approx([1.0])
    assert found.variance == pytest.approx([0.0])


def test_groups_of_very_unequal_size_count_as_few():
    groups = np.array([0] * 90 + [1] * 5 + [2] * 5)
    alike = csr_array((groups == 0).astype(float)[:, None])

    found = clustered_sums(alike, np.full(100, 0.01), groups=groups)

    assert found.df[0] < 1.5


def test_groups_within_which_documents_differ_as_much_as_between_count_by_their_documents():
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(30), [200] * 2 + [20] * 28)
    values = csr_array((rng.random((960, 50)) < 0.3).astype(float))

    found = clustered_sums(values, np.full(960, 1 / 960), groups=groups)

    assert np.median(found.df) > 9


@pytest.mark.parametrize("n_groups", [8, 60])
def test_documents_of_one_author_are_not_independent_evidence(n_groups):
    rng = np.random.default_rng(2)
    n_columns, size = 3_000, 20
    groups = np.repeat(np.arange(n_groups), size)
    own = rng.beta(1.0, 4.0, (n_groups, n_columns))
    fires = csr_array((rng.random((groups.size, n_columns)) < own[groups]).astype(float))
    half = groups < n_groups // 2
    sides = [
        clustered_sums(fires[side], np.full(side.sum(), sign / side.sum()), groups=groups[side])
        for side, sign in ((half, 1.0), (~half, -1.0))
    ]
    pooled = np.asarray(fires.mean(axis=0)).ravel()

    tested = compare_clustered(*sides, least=pooled * (1 - pooled) * 4 / groups.size)

    assert 0.02 < (tested.p <= 0.05).mean() < 0.065
    assert 0.93 < ((tested.low <= 0) & (tested.high >= 0)).mean() < 0.98


def test_certainty_is_never_above_that_of_independent_documents():
    # Ten documents of ten authors, all on one side: every author of a side agrees with himself.
    first = clustered_sums(csr_array(np.ones((4, 1))), np.full(4, 0.25), groups=[0, 0, 1, 1])

    found = compare_clustered(first, least=[0.04])

    assert found.p[0] == pytest.approx(2 * 0.0628, abs=0.001)  # t = 5 with one degree of freedom


def test_one_group_is_refused():
    with pytest.raises(InputError, match="4 documents are in 1 group"):
        clustered_sums(csr_array(np.ones((4, 1))), np.ones(4), groups=[0] * 4)
