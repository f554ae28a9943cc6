import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.sae import TrainingSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 17}, "k=17 features cannot be active of n_features=16"),
        ({"k": 0}, "k must be a whole number of at least 1, but got 0"),
        ({"n_features": -4}, "n_features must be .* got -4"),
        ({"n_features": 16.0}, "n_features must be a whole number .* got 16.0"),
        ({"n_features": True}, "n_features must be a whole number .* got True"),
        ({"seed": -1}, "seed must be a whole number of at least 0, but got -1"),
        ({"threads": 0}, "threads must be .* got 0"),
        ({"max_epochs": 0}, "max_epochs must be .* got 0"),
        ({"patience": 0}, "patience must be .* got 0"),
        ({"batch_size": 2.5}, "batch_size must be .* got 2.5"),
        ({"learning_rate": 0}, "learning_rate must be positive and finite, but got 0"),
        ({"learning_rate": float("nan")}, "learning_rate .* got nan"),
        ({"learning_rate": float("inf")}, "learning_rate .* got inf"),
        ({"learning_rate": "fast"}, "learning_rate .* got 'fast'"),
        ({"rule": "relu"}, "rule must be 'topk' or 'batch_topk', but got 'relu'"),
        ({"prefixes": (8, 4)}, r"prefixes must be increasing, but got \[8, 4\]"),
        ({"prefixes": (0, 4)}, "each prefix must be a whole number of at least 1, but got 0"),
        ({"prefixes": (1.5,)}, "each prefix must be .* got 1.5"),
        ({"prefixes": (4, 17)}, "the last prefix, 17, is longer than n_features=16"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        TrainingSettings(**{"n_features": 16, "k": 4} | changes)


def test_numpy_numbers_and_lists_are_taken_as_plain_ones():
    plain = TrainingSettings(16, 4, (8,), learning_rate=0.5)

    other = TrainingSettings(np.int64(16), np.int32(4), [8], learning_rate=np.float32(0.5))

    assert other == plain
    assert type(other.n_features) is int


def test_the_last_prefix_is_all_features():
    assert TrainingSettings(16, 4).all_prefixes == (16,)
    assert TrainingSettings(16, 4, (4, 8)).all_prefixes == (4, 8, 16)
    assert TrainingSettings(16, 4, (4, 16)).all_prefixes == (4, 16)


def test_the_default_schedule_by_hand():
    # 20,000 documents: batches of 512, 40 steps an epoch, 25 epochs make 1,000 steps.
    schedule = TrainingSettings(256, 8).schedule(n_documents=20_000)

    assert (schedule.batch_size, schedule.epochs, schedule.patience) == (512, 25, 6)
    assert schedule.n_steps == 1_000
    assert schedule.learning_rate == 0.006


def test_the_default_rate_falls_with_the_root_of_the_features_beyond_1024():
    rates = [
        TrainingSettings(n, 8).schedule(n_documents=20_000).learning_rate
        for n in (64, 1_024, 4_096, 16_384)
    ]

    assert rates == pytest.approx([0.006, 0.006, 0.003, 0.0015])
    assert TrainingSettings(4_096, 8, learning_rate=0.1).schedule(
        n_documents=5_000
    ).learning_rate == pytest.approx(0.1)


def test_fewer_documents_than_features_are_refused():
    with pytest.raises(InputError, match="256 features cannot be learned from 100 documents"):
        TrainingSettings(256, 8).schedule(n_documents=100)
