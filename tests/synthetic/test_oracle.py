import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.synthetic import OracleAnnotator, plant_corpus

TRUTH = np.random.default_rng(0).random((20_000, 3)) < 0.4
NAMES = ("sea", "bread", "static")
ALL = range(len(TRUTH))


def test_without_errors_the_oracle_tells_the_truth():
    corpus = plant_corpus(100)

    annotations = OracleAnnotator(corpus).annotate(range(100), corpus.concepts)

    assert (annotations.verdicts == corpus.truth).all()
    assert annotations.reasons == {}


def test_questions_may_use_the_description():
    corpus = plant_corpus(100)

    annotations = OracleAnnotator(corpus).annotate([5, 7], ["complains that it was too loud"])

    assert annotations.concepts == ("complains that it was too loud",)
    assert annotations.verdicts[:, 0].tolist() == corpus.has("noisy")[[5, 7]].tolist()


def test_error_rates_are_met():
    oracle = OracleAnnotator(TRUTH, NAMES, sensitivity=0.8, specificity=0.95, missing=0.1)

    verdicts = oracle.annotate(ALL, NAMES).verdicts

    assert np.nanmean(verdicts[TRUTH]) == pytest.approx(0.8, abs=0.01)
    assert np.nanmean(verdicts[~TRUTH]) == pytest.approx(0.05, abs=0.01)
    assert np.isnan(verdicts).mean() == pytest.approx(0.1, abs=0.01)


def test_error_rates_may_differ_by_concept():
    oracle = OracleAnnotator(TRUTH, NAMES, sensitivity={"sea": 0.5})

    verdicts = oracle.annotate(ALL, NAMES).verdicts

    assert verdicts[TRUTH[:, 0], 0].mean() == pytest.approx(0.5, abs=0.03)
    assert (verdicts[:, 1:] == TRUTH[:, 1:]).all()


def test_answers_do_not_depend_on_order_or_batches():
    oracle = OracleAnnotator(TRUTH, NAMES, sensitivity=0.7, specificity=0.7, missing=0.2)

    whole = oracle.annotate(ALL, NAMES).verdicts
    turned = oracle.annotate([9, 3, 3], ["static", "sea"]).verdicts

    assert np.array_equal(turned, whole[[9, 3, 3]][:, [2, 0]], equal_nan=True)


def test_another_seed_errs_elsewhere():
    first, other = (
        OracleAnnotator(TRUTH, NAMES, sensitivity=0.7, seed=seed).annotate(ALL, NAMES).verdicts
        for seed in (0, 1)
    )

    assert (first != other).any()


def test_errors_of_two_concepts_are_independent():
    verdicts = OracleAnnotator(TRUTH, NAMES, specificity=0.5).annotate(ALL, NAMES).verdicts
    neither = ~TRUTH[:, 0] & ~TRUTH[:, 1]

    correlation = np.corrcoef(verdicts[neither, 0], verdicts[neither, 1])[0, 1]

    assert abs(correlation) < 0.05


def test_missing_answers_are_nan_with_a_reason():
    oracle = OracleAnnotator(TRUTH, NAMES, missing=1.0)

    annotations = oracle.annotate([0, 1], ["sea"])

    assert np.isnan(annotations.verdicts).all()
    assert set(annotations.reasons) == {(0, 0), (1, 0)}
    assert "no answer" in annotations.reasons[0, 0]


def test_the_oracle_keeps_a_copy_of_the_truth():
    truth = TRUTH[:10].copy()
    oracle = OracleAnnotator(truth, NAMES)
    truth[:] = ~truth

    assert (oracle.annotate(range(10), NAMES).verdicts == TRUTH[:10]).all()


def test_questions_it_cannot_answer_are_refused():
    oracle = OracleAnnotator(TRUTH, NAMES)

    with pytest.raises(InputError, match="knows nothing about 'bred'; did you mean 'bread'"):
        oracle.annotate([0], ["bred"])
    with pytest.raises(InputError, match="document 20000 is out of range"):
        oracle.annotate([20_000], ["sea"])
    with pytest.raises(InputError, match="document -1 is out of range"):
        oracle.annotate([-1], ["sea"])
    with pytest.raises(InputError, match="list of row numbers"):
        oracle.annotate([0.5], ["sea"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sensitivity": 1.1}, "sensitivity must be from 0 to 1"),
        ({"missing": {"see": 0.1}}, "missing: unknown concept 'see'; did you mean 'sea'"),
        ({"concepts": ("sea", "bread")}, "for these 2 concepts"),
        ({"concepts": ("sea", "sea", "static")}, "'sea' names two concepts"),
        ({"concepts": None}, "concepts is missing"),
        ({"descriptions": ("a", "b")}, "3 concepts have 2 descriptions"),
    ],
)
def test_an_oracle_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        OracleAnnotator(TRUTH, **{"concepts": NAMES, **arguments})
