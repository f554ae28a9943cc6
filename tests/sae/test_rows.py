import numpy as np
import pytest

from interp_embed.sae import TrainingSettings
from interp_embed.sae.rows import Rows, hold_out

MATRIX = np.random.default_rng(0).standard_normal((1_000, 6)).astype(np.float32) + 2


@pytest.mark.parametrize("positions", [None, np.array([3, 0, 999, 500])])
def test_rows_read_in_blocks_are_the_rows(positions, monkeypatch):
    monkeypatch.setattr("interp_embed.sae.rows._BLOCK_BYTES", 3 * 4 * 6)
    expected = MATRIX if positions is None else MATRIX[positions]

    rows = Rows(MATRIX, positions)

    assert len(rows) == len(expected)
    assert (np.concatenate(list(rows.blocks())) == expected).all()
    assert (rows.take(np.array([2, 0])) == expected[[2, 0]]).all()
    assert rows.mean() == pytest.approx(expected.mean(axis=0), rel=1e-5)
    center = np.ones(6, np.float32)
    assert rows.squared_distance(center) == pytest.approx(((expected - 1) ** 2).sum(), rel=1e-5)


def test_training_rows_are_not_copied_and_every_row_is_on_one_side():
    halves = hold_out(MATRIX, None, TrainingSettings(16, 4, seed=3))

    assert halves.train.matrix is MATRIX
    together = np.concatenate([*halves.train.blocks(), halves.validation.matrix])
    assert (len(halves.train), len(halves.validation)) == (900, 100)
    assert (np.sort(together, axis=0) == np.sort(MATRIX, axis=0)).all()


def test_the_seed_decides_what_is_held_out():
    first, again, other = (
        hold_out(MATRIX, None, TrainingSettings(16, 4, seed=seed)).train.positions
        for seed in (1, 1, 2)
    )

    assert (first == again).all()
    assert (first != other).any()
