"""Rankings are measured as by hand, ties included, and fused."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from interp_embed.errors import InputError
from interp_embed.stats import (
    average_precision,
    descending_ranks,
    precision_at,
    ranking_quality,
    reciprocal_rank_fusion,
)


def by_hand(order, relevant):
    """AP of documents in a given order, by its definition."""
    found, total = 0, 0.0
    for place, document in enumerate(order, 1):
        if relevant[document]:
            found += 1
            total += found / place
    return total / sum(relevant)


def test_average_precision_is_the_mean_precision_at_relevant_documents():
    assert average_precision([3, 2, 1], [1, 0, 1]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([1, 2, 3], [1, 0, 0]) == pytest.approx(1 / 3)
    assert average_precision([9, 8], [1, 1]) == 1.0


def test_without_ties_it_is_what_scikit_learn_says():
    rng = np.random.default_rng(0)
    scores, relevant = rng.random(200), rng.random(200) < 0.1

    assert average_precision(scores, relevant) == pytest.approx(
        average_precision_score(relevant, scores)
    )


def test_ties_count_as_the_mean_over_all_their_orders():
    scores, relevant = np.array([2, 1, 1, 1, 0, 0]), [0, 1, 0, 1, 1, 0]
    values, tops = [], []
    for order in permutations(range(6)):
        if all(scores[a] >= scores[b] for a, b in pairwise(order)):
            values.append(by_hand(order, relevant))
            tops.append(sum(relevant[document] for document in order[:3]) / 3)

    assert average_precision(scores, relevant) == pytest.approx(np.mean(values))
    assert precision_at(scores, relevant, 3) == pytest.approx(np.mean(tops))


def test_documents_that_are_not_ranked_come_last_together():
    scores, relevant = [1.0, -np.inf, -np.inf], [0, 1, 0]

    assert average_precision(scores, relevant) == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_precision_takes_what_there_is():
    assert precision_at([3, 2, 1], [1, 1, 0], 1) == 1.0
    assert precision_at([3, 2, 1], [1, 1, 0], 50) == pytest.approx(2 / 3)


def test_queries_without_a_relevant_document_are_left_out_and_counted():
    found = ranking_quality([[2, 1], [2, 1], [1, 2]], [[1, 0], [0, 0], [1, 0]], ks=(1,))

    assert np.isnan(average_precision([2, 1], [0, 0]))
    assert np.isnan(found.average_precision[1])
    assert (found.n_queries, found.n_without) == (2, 1)
    assert found.mean_average_precision.value == pytest.approx(0.75)
    assert found.mean_precision[1].value == pytest.approx(0.5)


def test_the_mean_has_an_interval_over_queries_and_the_same_one_again():
    rng = np.random.default_rng(1)
    scores, relevant = rng.random((40, 100)), rng.random((40, 100)) < 0.2
    first, second = ranking_quality(scores, relevant), ranking_quality(scores, relevant)

    interval = first.mean_average_precision
    assert interval.low < interval.value < interval.high
    assert interval == second.mean_average_precision
    assert ranking_quality(scores[:1], relevant[:1]).mean_average_precision.note


def test_ranks_share_the_mean_of_ties():
    assert descending_ranks([5, 7, 5, -np.inf]).tolist() == [2.5, 1, 2.5, np.inf]
    assert descending_ranks([]).shape == (0,)


def test_only_the_first_are_ranked_where_that_is_asked():
    assert descending_ranks([1, 4, 3, 2], depth=2).tolist() == [np.inf, 1, 2, np.inf]
    assert descending_ranks([1, 4, 3, 3], depth=2).tolist() == [np.inf, 1, np.inf, np.inf]


def test_rankings_are_fused_by_reciprocal_rank():
    fused = reciprocal_rank_fusion([[1, 2, np.inf], [2, np.inf, np.inf]], k=60)

    np.testing.assert_allclose(fused, [1 / 61 + 1 / 62, 1 / 62, 0])
    weighted = reciprocal_rank_fusion([[1, 2], [2, 1]], weights=[1, 3])
    assert weighted[1] > weighted[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average_precision([np.nan, 1], [1, 0]), "1 of 2 scores are NaN"),
        (lambda: average_precision([1, 2], [1]), "2 scores, but relevant"),
        (lambda: average_precision([1, 2], [1, 2]), "True and False"),
        (lambda: average_precision([[1, 2]], [[1, 0]]), "one axis"),
        (lambda: precision_at([1, 2], [1, 0], 0), "k must be at least 1"),
        (lambda: ranking_quality([[1]], []), "scores of 1 queries"),
        (lambda: ranking_quality([[1]], [[0]]), "none of 1 queries"),
        (lambda: descending_ranks([1], depth=0), "depth must be at least 1"),
        (lambda: reciprocal_rank_fusion([]), "no rankings"),
        (lambda: reciprocal_rank_fusion([[0.5]]), "ranks >= 1"),
        (lambda: reciprocal_rank_fusion([[1], [1, 2]]), "of the same documents"),
        (lambda: reciprocal_rank_fusion([[np.nan]]), "ranks >= 1"),
        (lambda: reciprocal_rank_fusion([[1]], k=-1), "k must be at least 0"),
        (lambda: reciprocal_rank_fusion([[1]], weights=[-1]), "weights must be 1 numbers"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
