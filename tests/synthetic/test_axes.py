import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.synthetic import plant_axes


def test_every_combination_of_values_occurs_equally_often():
    planted = plant_axes(96, seed=1)

    rows = np.stack([planted.truth[axis] for axis in planted.values], axis=1)
    assert {axis: len(names) for axis, names in planted.values.items()} == {
        "topic": 4,
        "sentiment": 2,
        "tense": 3,
        "style": 2,
    }
    assert np.unique(rows, axis=0, return_counts=True)[1].tolist() == [2] * 48


def test_words_carry_the_axes():
    planted = plant_axes(480, seed=2)
    future = planted.truth["tense"] == planted.values["tense"].index("future")
    informal = planted.truth["style"] == planted.values["style"].index("informal")

    says_will = np.array(["will " in text or "gonna" in text for text in planted.texts])
    exclaims = np.array(["!" in text for text in planted.texts])

    assert (says_will == future).all()
    assert (exclaims == informal).all()
    assert len(set(planted.texts)) > 470


def test_features_fire_with_their_value_and_seldom_without():
    planted = plant_axes(960, missed=0.2, false=0.05, seed=3)
    fires = planted.activations.toarray() > 0

    rates = [
        (
            fires[planted.truth[axis] == planted.value_of[f], f].mean(),
            fires[planted.truth[axis] != planted.value_of[f], f].mean(),
        )
        for axis in planted.values
        for f in planted.features_of(axis)
    ]

    assert planted.activations.shape == (960, 133)
    assert np.abs(np.mean(rates, axis=0) - [0.8, 0.05]).max() < 0.01
    assert planted.features_of("").size == 100


def test_the_same_seed_gives_the_same_documents():
    first, second, other = plant_axes(60, seed=4), plant_axes(60, seed=4), plant_axes(60, seed=5)

    assert first.texts == second.texts != other.texts
    assert first.activations.data.tobytes() == second.activations.data.tobytes()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "n must be a whole number of at least 1"),
        ({"n_features_a_value": 5}, "n_features_a_value must be from 1 to 4, got 5"),
        ({"n_nuisance": 101}, "n_nuisance must be from 0 to 100"),
        ({"missed": 1.5}, "missed must be from 0 to 1"),
        ({"false": -0.1}, "false must be from 0 to 1"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        plant_axes(**{"n": 10} | wrong)
