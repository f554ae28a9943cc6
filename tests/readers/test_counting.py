import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.readers.counting import leave_out_sinks


def keep(norms, counted=None, lengths=None, ratio=10.0):
    norms = np.array(norms, dtype=np.float32)
    flags = np.ones(len(norms), bool) if counted is None else np.array(counted)
    return leave_out_sinks(norms, flags, lengths or [len(norms)], max_ratio=ratio).tolist()


def test_tokens_far_longer_than_the_median_do_not_count():
    assert keep([1, 2, 90, 2]) == [True, True, False, True]


def test_of_two_tokens_the_sink_is_left_out_and_of_one_none():
    assert keep([500, 1]) == [False, True]
    assert keep([500]) == [True]


def test_the_median_is_that_of_the_piece_alone():
    # Beside a piece of large norms, the 50 is usual; in its own piece it is a sink.
    assert keep([1, 1, 50, 100, 100], lengths=[3, 2]) == [True, True, False, True, True]


def test_tokens_that_do_not_count_take_no_part_in_the_median():
    assert keep([900, 900, 900, 1, 50], [False, False, False, True, True])[3:] == [True, False]


def test_no_ratio_counts_sinks():
    assert keep([1, 2, 90, 2], ratio=None) == [True] * 4


def test_norms_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="float16 overflows"):
        keep([1, np.nan])
