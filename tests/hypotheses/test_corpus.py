import numpy as np
import pytest

from interp_embed.errors import InputError, SealedRowsError
from interp_embed.hypotheses import Corpus, SealedSplit, check_separate
from interp_embed.stats import SplitRows


@pytest.fixture
def corpus(make_corpus):
    return make_corpus([f"document {i}" for i in range(6)], np.arange(6.0), first_row=10)


@pytest.fixture
def sealed(corpus):
    return SealedSplit(corpus, SplitRows(np.array([0, 2, 4]), np.array([1, 3, 5])))


def test_parts_stay_aligned(corpus):
    taken = corpus.take(np.array([4, 1]))

    assert taken.documents == ("document 4", "document 1")
    assert (taken.target.tolist(), taken.rows.tolist()) == ([4.0, 1.0], [14, 11])
    np.testing.assert_array_equal(taken.embeddings, corpus.embeddings[[4, 1]])


def test_parts_of_different_lengths_are_refused(corpus):
    with pytest.raises(InputError, match="one length, but got documents 6, target 5"):
        Corpus(corpus.documents, corpus.target[:5], corpus.embeddings, corpus.rows, corpus.groups)


def test_discover_documents_can_be_read_as_often_as_needed(sealed):
    assert sealed.discover.documents == sealed.discover.documents
    assert sealed.discover.rows.tolist() == [10, 12, 14]
    assert sealed.n_confirm == 3


def test_confirm_documents_open_once_for_what_was_fixed(sealed):
    sealed.fix("plan")
    sealed.fix("plan")

    assert sealed.open("plan").rows.tolist() == [11, 13, 15]


def test_nothing_opens_before_the_hypotheses_are_fixed(sealed):
    with pytest.raises(SealedRowsError, match="sealed until the hypotheses are fixed"):
        sealed.open("plan")
    with pytest.raises(SealedRowsError, match="sealed until"):
        sealed.open("")


def test_another_plan_opens_nothing(sealed):
    sealed.fix("plan")

    with pytest.raises(SealedRowsError, match="only for the hypotheses that were fixed"):
        sealed.open("another")
    assert len(sealed.open("plan")) == 3  # a refusal does not use up the one look


def test_a_second_look_is_refused(sealed):
    sealed.fix("plan")
    sealed.open("plan")

    with pytest.raises(SealedRowsError, match="a second look"):
        sealed.open("plan")


def test_other_hypotheses_cannot_be_fixed_later(sealed):
    sealed.fix("plan")

    with pytest.raises(SealedRowsError, match="differ from those fixed before"):
        sealed.fix("another")


def test_shared_rows_and_shared_groups_are_refused(make_corpus):
    one = make_corpus("abc", [0, 1, 2])
    with pytest.raises(SealedRowsError, match="1 documents were used .* such as row 2"):
        check_separate(one, make_corpus("cd", [2, 3], first_row=2))
    with pytest.raises(SealedRowsError, match="1 groups .* on both sides"):
        check_separate(one, make_corpus("cd", [2, 3], first_row=5, groups=[2, 7]))
    check_separate(one, make_corpus("cd", [2, 3], first_row=5))


def test_tune_documents_are_a_third_part(corpus):
    sealed = SealedSplit(corpus, SplitRows(np.array([0, 2]), np.array([1, 3])), np.array([4, 5]))

    assert sealed.tune.rows.tolist() == [14, 15]
    assert sealed.discover.rows.tolist() == [10, 12]


def test_without_tune_documents_there_are_none(sealed):
    assert sealed.tune is None


@pytest.mark.parametrize("tune", [[2, 5], [5, 1]])
def test_a_document_in_two_parts_is_refused(corpus, tune):
    with pytest.raises(SealedRowsError, match="1 documents were used"):
        SealedSplit(corpus, SplitRows(np.array([0, 2]), np.array([1, 3])), np.array(tune))


def test_a_group_in_two_of_three_parts_is_refused(make_corpus):
    corpus = make_corpus("abcd", range(4), groups=[0, 1, 2, 2])

    with pytest.raises(SealedRowsError, match="1 groups .* on both sides"):
        SealedSplit(corpus, SplitRows(np.array([0, 2]), np.array([1])), np.array([3]))
