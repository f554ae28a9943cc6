from collections import Counter

import numpy as np
import pytest

from interp_embed.interpret.agreement import (
    agreement_warning,
    choose_check_pairs,
    measure_agreement,
)

NAN = np.nan


def test_pairs_are_even_over_concepts_and_verdicts():
    verdicts = np.zeros((100, 2), np.float32)
    verdicts[:10, 0] = verdicts[:60, 1] = 1

    pairs = choose_check_pairs(verdicts, n=40, seed=0)

    assert Counter((c, verdicts[r, c]) for r, c in pairs) == dict.fromkeys(
        [(0, 0), (0, 1), (1, 0), (1, 1)], 10
    )
    assert pairs == choose_check_pairs(verdicts, n=40, seed=0)
    assert pairs != choose_check_pairs(verdicts, n=40, seed=1)


def test_rare_verdicts_are_made_up_for_and_missing_ones_not_asked():
    verdicts = np.array([[1, 0], [0, 0], [0, NAN], [0, 0]], np.float32)

    pairs = choose_check_pairs(verdicts, n=6, seed=0)

    assert (0, 0) in pairs
    assert len(pairs) == 6
    assert sorted(choose_check_pairs(verdicts, n=99, seed=0)) == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0), (3, 1),
    ]  # fmt: skip
    assert choose_check_pairs(np.empty((0, 2), np.float32), n=5, seed=0) == []


def test_pairs_known_from_before_come_first():
    verdicts = np.zeros((50, 1), np.float32)
    known = [(7, 0), (8, 0), (9, 0)]

    assert set(choose_check_pairs(verdicts, n=3, seed=0, known=known)) == set(known)


def test_the_numbers_by_hand():
    first = {(0, 0): True, (1, 0): True, (0, 1): False, (1, 1): False, (2, 1): True}
    again = {(0, 0): True, (1, 0): False, (0, 1): False, (1, 1): False}

    found = measure_agreement(["a", "b"], first, again, {(0, 0): False, (1, 1): False})

    # same 3 of 4; by chance 1/2 * 1/4 + 1/2 * 3/4 = 1/2
    assert (found.n, found.n_missing, found.agreement) == (4, 1, 0.75)
    assert found.kappa == pytest.approx((0.75 - 0.5) / 0.5)
    assert (found.retest, found.n_retest) == (0.5, 2)
    assert found.per_concept["a"].to_no == 1
    assert found.per_concept["b"].agreement == 1


def test_what_cannot_be_estimated_is_nan():
    same = measure_agreement(["a"], {(0, 0): True}, {(0, 0): True}, {})
    none = measure_agreement(["a"], {(0, 0): True}, {}, {})

    assert (same.agreement, same.n) == (1, 1)
    assert np.isnan([same.kappa, same.retest, none.agreement, none.kappa]).all()
    assert (none.n, none.n_missing) == (0, 1)
    assert agreement_warning(same, 10) is agreement_warning(none, 10) is None
