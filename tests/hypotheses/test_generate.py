from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.hypotheses import Corpus, generate_candidates
from interp_embed.interpret import KeywordAnnotator


@pytest.fixture(scope="module")
def discover(planted):
    n = len(planted.texts)
    return Corpus(
        tuple(planted.texts),
        np.asarray(planted.target),
        planted.embeddings,
        np.arange(n),
        np.arange(n),
    )


@pytest.fixture(scope="module")
def oracle(planted):
    """Activations of an SAE that found each planted concept."""
    return csr_matrix(planted.truth.astype(float))


def words(candidates):
    return " ".join(candidate.label.text for candidate in candidates.candidates)


def test_the_concepts_that_move_the_target_are_chosen(discover, oracle):
    found = generate_candidates(discover, oracle, n=4)

    assert {candidate.label.feature for candidate in found.candidates} == {0, 1, 2, 3}
    assert all(word in words(found) for word in ("umbrella", "poodle", "terrier", "violin"))
    assert (found.n_screened, found.n_labelled) == (8, 8)
    for candidate in found.candidates:
        assert candidate.examples.top
        assert all(example.activation == 0 for example in candidate.examples.contrast)


@pytest.mark.parametrize("select", ["lasso", "correlation", "separation"])
def test_every_selection_method_leads_to_hypotheses(discover, oracle, select):
    assert "umbrella" in words(generate_candidates(discover, oracle, n=4, select=select))


def test_no_two_candidates_say_nearly_the_same(discover, oracle):
    doubled = csr_matrix(np.hstack([oracle.toarray()] * 3))

    found = generate_candidates(discover, doubled, n=8)

    texts = [candidate.label.text for candidate in found.candidates]
    verdicts = KeywordAnnotator().annotate(discover.documents, texts).verdicts
    correlation = np.corrcoef(verdicts.T) - np.eye(len(texts))
    assert np.abs(correlation).max() < 0.8
    assert found.n_same_concept >= 16 - 8


def test_fewer_live_features_than_wanted_give_fewer_candidates(discover, oracle):
    found = generate_candidates(discover, oracle, n=50)

    assert 1 <= len(found.candidates) <= 8
    assert found.n_screened == 8


def test_without_a_live_feature_there_is_nothing_to_say(discover):
    with pytest.raises(InputError, match="none of 3 features fires on some of the 400 discover"):
        generate_candidates(discover, csr_matrix((400, 3)), n=2)


def test_features_no_word_tells_apart_are_refused_with_a_way_out(discover):
    shuffled = replace(discover, documents=tuple("same words here" for _ in discover.documents))
    fires = csr_matrix(np.random.default_rng(0).random((400, 4)) < 0.3, dtype=float)

    with pytest.raises(InputError, match="none of 4 .* could be labelled .* by words"):
        generate_candidates(shuffled, fires, n=2)


def test_the_plan_tells_other_hypotheses_apart(discover, oracle):
    one, again = (generate_candidates(discover, oracle, n=4) for _ in range(2))

    assert one.plan == again.plan
    assert one.plan != replace(one, candidates=one.candidates[::-1]).plan
    assert one.plan != replace(one, candidates=one.candidates[:3]).plan
