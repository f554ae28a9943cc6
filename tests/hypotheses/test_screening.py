from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.hypotheses import screening_columns, select_features
from interp_embed.hypotheses.screening import less_other

N = 400
RNG = np.random.default_rng(5)


@pytest.fixture
def corpus(make_corpus):
    lengths = np.random.default_rng(1).integers(5, 50, N)
    return make_corpus(["x" * int(n) for n in lengths], RNG.standard_normal(N))


def lengths_of(corpus):
    return np.log1p([len(document) for document in corpus.documents])


def test_a_numeric_target_is_itself_where_nothing_is_held_fixed(corpus):
    columns = screening_columns(corpus, kind="numeric", control_length=False)

    np.testing.assert_array_equal(columns[:, 0], corpus.target)


def test_length_and_covariates_are_taken_out(corpus):
    price = RNG.standard_normal(N)
    target = 3 * lengths_of(corpus) - 2 * price + 0.1 * RNG.standard_normal(N)
    case = replace(corpus, target=target, covariates=price[:, None])

    (column,) = screening_columns(case, kind="numeric").T

    for fixed in (price, lengths_of(corpus)):
        assert abs(np.corrcoef(column, fixed)[0, 1]) < 1e-10
    assert column.std() == pytest.approx(0.1, rel=0.2)


def test_counts_are_logarithms_and_ranks_are_mid_ranks(make_corpus):
    case = make_corpus("abcd", [0, 3, 3, 7])

    counts = screening_columns(case, kind="count", control_length=False)
    ranks = screening_columns(case, kind="ordinal", control_length=False)

    np.testing.assert_allclose(counts[:, 0], np.log([1, 4, 4, 8]))
    assert ranks[:, 0].tolist() == [1, 2.5, 2.5, 4]


def test_several_classes_are_a_column_each(corpus):
    classes = np.eye(3)[np.arange(N) % 3]

    columns = screening_columns(replace(corpus, target=classes), kind="multiclass")

    assert columns.shape == (N, 3)
    np.testing.assert_allclose(columns.std(axis=0), 1)


def test_covariates_that_determine_the_target_are_refused(corpus):
    case = replace(corpus, covariates=2 * corpus.target[:, None] + 1)

    with pytest.raises(InputError, match="they determine it; leave out the covariate"):
        screening_columns(case, kind="numeric")


def stratified(corpus, *, effects, shares, seed):
    """A feature with an effect of its own in each stratum, among 60 that mean nothing."""
    rng = np.random.default_rng(seed)
    strata = rng.choice(len(shares), N, p=shares)
    fires = rng.random((N, 60)) < 0.3
    target = np.asarray(effects)[strata] * fires[:, 7] + 2.0 * strata + rng.standard_normal(N)
    return replace(corpus, target=target, strata=strata), csr_matrix(fires.astype(float))


@pytest.mark.parametrize("method", ["correlation", "separation", "lasso"])
@pytest.mark.parametrize(
    ("effects", "shares"),
    [([0.0, 2.2], [0.9, 0.1]), ([0.8, -0.8], [0.5, 0.5])],
    ids=["only in the stratum of 10 %", "opposite signs"],
)
def test_an_effect_that_differs_between_strata_is_found(corpus, effects, shares, method):
    found = missed = 0
    for seed in range(10):
        case, activations = stratified(corpus, effects=effects, shares=shares, seed=seed)
        pooled = screening_columns(replace(case, strata=None), kind="numeric")
        columns = screening_columns(case, kind="numeric")
        found += 7 in select_features(activations, columns, n=3, method=method).features
        missed += 7 not in select_features(activations, pooled, n=3, method=method).features

    assert found >= 9
    assert missed >= 5


def test_a_stratum_of_a_few_documents_has_no_column_of_its_own(corpus):
    strata = np.zeros(N, np.int64)
    strata[:10] = 1

    assert screening_columns(replace(corpus, strata=strata), kind="numeric").shape == (N, 3)


def test_a_class_that_a_stratum_lacks_has_no_column_there(corpus):
    classes = np.eye(3)[np.arange(N) % 3]
    strata = (np.arange(N) % 3 == 2).astype(np.int64)

    columns = screening_columns(
        replace(corpus, target=classes, strata=strata), kind="multiclass", control_length=False
    )

    assert np.isfinite(columns).all()
    assert (columns.std(axis=0) > 0).all()
    assert columns.shape[1] < 12


def test_the_other_text_of_a_pair_is_taken_off():
    values = np.array([5.0, 1, 3, 10])

    assert less_other(values, np.array([0, 1, 0, 1])).tolist() == [2, -9, -2, 9]
    assert less_other(values, None) is values
