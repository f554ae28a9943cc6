import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.linear_model import Lasso

from interp_embed.errors import InputError
from interp_embed.hypotheses.select import METHODS, select_features


def planted(n_documents=400, n_features=60, *, n_planted=5, n_active=6, seed=0):
    """Activations, and a target that is the sum of a few features and noise."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((n_documents, n_features))
    for row in dense:
        row[rng.choice(n_features, n_active, replace=False)] = rng.gamma(2, 1, n_active)
    features = rng.choice(n_features, n_planted, replace=False)
    target = dense[:, features].sum(axis=1) + 0.5 * rng.standard_normal(n_documents)
    return sparse.csr_matrix(dense), target, set(features.tolist())


ACTIVATIONS, TARGET, PLANTED = planted()


@pytest.mark.parametrize("method", METHODS)
def test_planted_features_are_selected_and_nothing_is_mutated(method):
    before = ACTIVATIONS.copy()

    selection = select_features(ACTIVATIONS, TARGET, n=5, method=method)

    assert set(selection.features.tolist()) == PLANTED
    assert (selection.scores > 0).all()
    assert (np.diff(np.abs(selection.scores)) <= 0).all()
    assert (selection.method, selection.n_live) == (method, 60)
    assert (before != ACTIVATIONS).nnz == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 17, 60])
def test_exactly_n_features_are_returned_each_once(method, n):
    selection = select_features(ACTIVATIONS, TARGET, n=n, method=method)

    assert len(set(selection.features.tolist())) == n
    assert len(selection.scores) == n
    assert np.isfinite(selection.scores).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_flipped_target_flips_the_signs(method):
    plain = select_features(ACTIVATIONS, TARGET, n=5, method=method)
    flipped = select_features(ACTIVATIONS, -TARGET, n=5, method=method)

    assert (flipped.features == plain.features).all()
    assert flipped.scores == pytest.approx(-plain.scores)


def test_correlation_is_pearsons():
    expected = [stats.pearsonr(column, TARGET)[0] for column in ACTIVATIONS.toarray().T]

    selection = select_features(ACTIVATIONS, TARGET, n=60, method="correlation")

    assert selection.scores == pytest.approx(np.array(expected)[selection.features])


def test_separation_by_hand():
    # Feature 0: (4 + 6) / 2 - (1 + 3) / 2 = 3; feature 1: 1 - (4 + 6 + 3) / 3.
    activations = sparse.csr_matrix([[1.0, 0], [2, 0], [0, 5], [0, 0]])

    selection = select_features(activations, [4, 6, 1, 3], n=2, method="separation")

    assert selection.features.tolist() == [1, 0]
    assert selection.scores == pytest.approx([1 - 13 / 3, 3])


def test_lasso_selects_like_a_dense_lasso_on_standardised_columns():
    selection = select_features(ACTIVATIONS, TARGET, n=5, method="lasso")

    dense = ACTIVATIONS.toarray()
    scaled = (dense - dense.mean(axis=0)) / dense.std(axis=0)
    goal = (TARGET - TARGET.mean()) / TARGET.std()
    coefficients = next(
        coefficients
        for alpha in np.geomspace(1, 1e-3, 200)
        if np.count_nonzero(coefficients := Lasso(alpha=alpha).fit(scaled, goal).coef_) >= 5
    )
    assert set(selection.features.tolist()) == set(np.flatnonzero(coefficients))


def test_silent_and_constant_features_are_never_selected():
    dense = ACTIVATIONS.toarray()
    dense[:, 0] = 0
    dense[:, 1] = 2.0  # on every document
    activations = sparse.csr_matrix(dense)

    for method in METHODS:
        selection = select_features(activations, TARGET, n=58, method=method)
        assert not {0, 1} & set(selection.features.tolist())
        assert selection.n_live == 58


def test_a_function_ranks_by_its_scores_and_names_the_method():
    def by_index(activations, target):
        return -np.arange(activations.shape[1])

    selection = select_features(ACTIVATIONS, TARGET, n=3, method=by_index)

    assert selection.features.tolist() == [59, 58, 57]
    assert selection.scores.tolist() == [-59, -58, -57]
    assert selection.method == "by_index"


def test_of_equal_scores_the_lower_feature_comes_first():
    selection = select_features(ACTIVATIONS, TARGET, n=4, method=lambda a, t: np.ones(60))

    assert selection.features.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("method", METHODS)
def test_selection_never_makes_a_dense_copy(method):
    # 2,000 x 2,000,000 dense would be 16 GB.
    rng = np.random.default_rng(0)
    feature = rng.integers(0, 2_000_000, 2_000 * 4)
    document = np.repeat(np.arange(2_000), 4)
    wide = sparse.csr_matrix((np.ones(8_000), (document, feature)), shape=(2_000, 2_000_000))
    marker = sparse.csr_matrix((np.arange(2_000) % 2)[:, None] * 1.0)
    activations = sparse.hstack([wide, marker], format="csr")

    selection = select_features(activations, np.arange(2_000) % 2, n=1, method=method)

    assert selection.features.tolist() == [2_000_000]


def changed(position, value):
    target = TARGET.copy()
    target[position] = value
    return target


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.full(400, 2.5), r"the target is 2\.5 on every document"),
        (changed(7, np.nan), "finite"),
        (changed(7, np.inf), "finite"),
        (TARGET[:399], "399"),
        (["a"] * 400, "target"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused(method, target, message):
    with pytest.raises(InputError, match=message):
        select_features(ACTIVATIONS, target, n=3, method=method)


@pytest.mark.parametrize("n", [0, 61, -1])
def test_more_features_than_are_live_are_refused(n):
    with pytest.raises(InputError, match=f"{n} features were asked for, but 60 of 60 can be"):
        select_features(ACTIVATIONS, TARGET, n=n)


@pytest.mark.parametrize("method", METHODS)
def test_dense_and_negative_activations_are_refused(method):
    with pytest.raises(InputError, match="CSR"):
        select_features(ACTIVATIONS.toarray(), TARGET, n=3, method=method)
    with pytest.raises(InputError, match=">= 0"):
        select_features(-ACTIVATIONS, TARGET, n=3, method=method)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("entropy", "selection method 'entropy' is unknown; use one of lasso, correlation"),
        (lambda a, t: np.ones(3), r"must return 60 finite scores, .* returned shape \(3,\)"),
        (lambda a, t: np.full(60, np.nan), "with 60 not finite"),
    ],
)
def test_methods_that_cannot_be_used_are_refused(method, message):
    with pytest.raises(InputError, match=message):
        select_features(ACTIVATIONS, TARGET, n=3, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_of_several_columns_the_one_that_a_feature_goes_with_most_counts(method):
    rng = np.random.default_rng(3)
    features = sorted(set(range(60)) - PLANTED)[:2]
    second = ACTIVATIONS[:, features].toarray().sum(axis=1) + 0.5 * rng.standard_normal(400)
    columns = np.column_stack([TARGET / TARGET.std(), -second / second.std()])

    selection = select_features(ACTIVATIONS, columns, n=7, method=method)

    assert set(selection.features.tolist()) == PLANTED | set(features)
    signs = dict(zip(selection.features.tolist(), np.sign(selection.scores), strict=True))
    assert all(signs[feature] == (-1 if feature in features else 1) for feature in signs)


@pytest.mark.parametrize("method", METHODS)
def test_one_column_of_a_matrix_is_as_a_vector(method):
    one = select_features(ACTIVATIONS, TARGET, n=9, method=method)
    same = select_features(ACTIVATIONS, TARGET[:, None], n=9, method=method)

    assert one.features.tolist() == same.features.tolist()


def test_a_constant_column_is_refused():
    with pytest.raises(InputError, match="the target is 0 on every document"):
        select_features(ACTIVATIONS, np.column_stack([TARGET, np.zeros(400)]), n=3)
