"""Documents that can be sorted in four ways, and a planted matrix of features that tell them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.synthetic._checks import check_count, check_range, stream
from interp_embed.synthetic.axis_words import (
    ADJECTIVES,
    BE,
    CLOSERS,
    DETAIL_VERBS,
    DETAILS,
    LABELS,
    NUISANCE,
    OBJECTS,
    OPENERS,
    SUBJECTS,
    TENSES,
    TIMES,
    VERBS,
    WILL,
)

_MAX_A_VALUE = 4


@dataclass(frozen=True, slots=True, eq=False)
class PlantedAxes:
    """Short texts with a value on each of four axes, and features that respond to the values."""

    texts: tuple[str, ...]
    truth: Mapping[str, NDArray[np.int64]]
    """Place of each document's value among ``values``, shape (n_documents,), by axis."""
    values: Mapping[str, tuple[str, ...]]
    """By axis, such as ``past``, ``present``, ``future`` of ``tense``."""
    activations: csr_matrix
    """Planted, >= 0, shape (n_documents, n_features)."""
    labels: tuple[str, ...]
    """What each feature responds to, in words."""
    axis_of: tuple[str, ...]
    """Axis of each feature; empty for those that respond to none."""
    value_of: NDArray[np.int64]
    """Place of each feature's value on its axis, -1 for none, shape (n_features,)."""

    def features_of(self, axis: str) -> NDArray[np.int64]:
        """Return the features that respond to values of an axis."""
        return np.flatnonzero([of == axis for of in self.axis_of])


def plant_axes(
    n: int = 960,
    *,
    n_features_a_value: int = 3,
    n_nuisance: int = 100,
    missed: float = 0.25,
    false: float = 0.03,
    seed: int = 0,
) -> PlantedAxes:
    """Return texts that differ in topic, sentiment, tense and style, independently.

    Every one of the 4 x 2 x 3 x 2 combinations occurs equally often, or once more than others.

    Args:
        n: Number of documents, >= 1.
        n_features_a_value: Features that respond to each value, from 1 to 4.
        n_nuisance: Features that respond to none, from 0 to 100; they fire in 1 to 30 % of the
            documents, at random.
        missed: Chance that a feature is silent on a document that has its value, in [0, 1].
        false: Chance that it fires on a document that has not, in [0, 1].
        seed: Seed of everything that is drawn, >= 0.

    Raises:
        InputError: A number is out of range.
    """
    check_count(n, least=1, what="n")
    check_count(n_features_a_value, least=1, what="n_features_a_value")
    check_range(n_features_a_value, 1, _MAX_A_VALUE, what="n_features_a_value")
    check_count(n_nuisance, least=0, what="n_nuisance")
    check_range(n_nuisance, 0, len(NUISANCE), what="n_nuisance")
    check_range(missed, 0, 1, what="missed")
    check_range(false, 0, 1, what="false")
    check_count(seed, least=0, what="seed")
    values = {axis: tuple(by_value) for axis, by_value in LABELS.items()}
    truth = _draw_values(n, values, seed)
    named = {
        axis: [names[place] for place in truth[axis].tolist()] for axis, names in values.items()
    }
    rows = zip(*(named[axis] for axis in ("topic", "sentiment", "tense", "style")), strict=True)
    texts = tuple(_write(row, stream(seed, "axes text", i)) for i, row in enumerate(rows))
    return _with_features(texts, truth, values, n_features_a_value, n_nuisance, missed, false, seed)


def _draw_values(
    n: int, values: Mapping[str, tuple[str, ...]], seed: int
) -> dict[str, NDArray[np.int64]]:
    sizes = [len(names) for names in values.values()]
    order = stream(seed, "axes values").permutation(n) % int(np.prod(sizes))
    places = np.unravel_index(order, sizes)
    return {axis: place.astype(np.int64) for axis, place in zip(values, places, strict=True)}


def _with_features(
    texts: tuple[str, ...],
    truth: Mapping[str, NDArray[np.int64]],
    values: Mapping[str, tuple[str, ...]],
    n_features_a_value: int,
    n_nuisance: int,
    missed: float,
    false: float,
    seed: int,
) -> PlantedAxes:
    labels: list[str] = []
    axis_of: list[str] = []
    value_of: list[int] = []
    chances: list[NDArray[np.float64]] = []
    for axis, names in values.items():
        for place, name in enumerate(names):
            chance = np.where(truth[axis] == place, 1.0 - missed, false)
            for label in LABELS[axis][name][:n_features_a_value]:
                labels.append(label)
                axis_of.append(axis)
                value_of.append(place)
                chances.append(chance)
    random = stream(seed, "axes nuisance")
    for label in NUISANCE[:n_nuisance]:
        labels.append(label)
        axis_of.append("")
        value_of.append(-1)
        chances.append(np.full(len(texts), random.uniform(0.01, 0.30)))
    chance = np.stack(chances, axis=1)  # (n_documents, n_features)
    random = stream(seed, "axes activations")
    fires = random.random(chance.shape) < chance
    strength = random.lognormal(0.0, 0.5, chance.shape).astype(np.float32)
    return PlantedAxes(
        texts=texts,
        truth=truth,
        values=values,
        activations=csr_matrix(np.where(fires, strength, np.float32(0))),
        labels=tuple(labels),
        axis_of=tuple(axis_of),
        value_of=np.array(value_of, np.int64),
    )


def _write(row: tuple[str, ...], random: np.random.Generator) -> str:
    """Return three sentences of a topic, sentiment, tense and style."""
    topic, sentiment, tense, style = row
    when = TENSES.index(tense)

    def pick(choices: tuple[str, ...]) -> str:
        return choices[int(random.integers(len(choices)))]

    def verb(forms: tuple[tuple[str, str, str], ...]) -> str:
        found = forms[int(random.integers(len(forms)))][when]
        return f"{WILL[style]} {found}" if tense == "future" else found

    sentences = [
        f"{pick(SUBJECTS[topic])} {verb(VERBS[sentiment])} {pick(OBJECTS)} {pick(TIMES[tense])}",
        f"{pick(SUBJECTS[topic])} {BE[style][when]} {pick(ADJECTIVES[sentiment, style])}",
        f"it all {verb(DETAIL_VERBS)} {pick(DETAILS[topic])}",
    ]
    written = []
    for place in random.permutation(len(sentences)).tolist():
        opener = pick(OPENERS[style]) if random.random() < 0.7 else ""
        text = f"{opener}{sentences[place]}{pick(CLOSERS[style])}"
        written.append(text[0].upper() + text[1:])
    return " ".join(written)
