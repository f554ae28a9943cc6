"""Settings of the trainer, checked when they are made."""

from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Literal

from interp_embed.errors import InputError

_STEPS = 1_000
"""Steps a training takes by default; where more would still help, the report says so."""
_RATE, _RATE_FEATURES = 0.006, 1_024
"""At 8,192 features 0.006 makes the error jump for many epochs; a third of it does not."""
_OPTIONAL = ("max_epochs", "patience", "batch_size")
_LEAST = {"n_features": 1, "k": 1, "threads": 1, "seed": 0} | dict.fromkeys(_OPTIONAL, 1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long a training may take, in numbers."""

    batch_size: int
    epochs: int
    """Cap on passes over the data."""
    patience: int
    """Epochs without improvement before it stops."""
    n_steps: int
    """Steps until the cap, over which the learning rate falls to 0."""
    learning_rate: float
    """The rate of the first step."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Size, sparsity, schedule and seed of a training."""

    n_features: int
    """Features of the SAE (M in HypotheSAEs); at most as many as training documents."""
    k: int
    """Active features a document: exactly at most (topk), or on average (batch_topk)."""
    prefixes: tuple[int, ...] = ()
    """Matryoshka prefix lengths, increasing; n_features is appended where it is missing."""
    rule: Literal["topk", "batch_topk"] = "topk"
    """How active features are chosen."""
    max_epochs: int | None = None
    """Cap on passes over the data; None: as many as make about 1,000 steps, at least 20."""
    patience: int | None = None
    """Epochs without improvement on the validation documents before it stops; None: a quarter of
    ``max_epochs``, at least 5 (the error is noisy until the rate has fallen)."""
    batch_size: int | None = None
    """Documents a step; None: a sixteenth of the documents, from 32 to 512. Any rest is used."""
    learning_rate: float | None = None
    """Adam's rate at the start, falling to 0 over ``max_epochs``; the data are scaled to 1. None:
    0.006 up to 1,024 features, then falling with the square root of their number."""
    seed: int = 0
    threads: int = 1
    """Threads of the matrix product. More pay from about 1,000 features on an idle machine."""

    def __post_init__(self) -> None:
        """Check what can be checked without the data.

        Raises:
            InputError: A value is out of range.
        """
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                object.__setattr__(self, name, _whole(name, value, least=least))
        prefixes = tuple(_whole("each prefix", prefix, least=1) for prefix in self.prefixes)
        object.__setattr__(self, "prefixes", prefixes)
        if self.k > self.n_features:
            raise InputError(
                f"k={self.k} features cannot be active of n_features={self.n_features}; "
                "use a k of at most n_features, usually 4 to 32"
            )
        if self.rule not in ("topk", "batch_topk"):
            raise InputError(f"rule must be 'topk' or 'batch_topk', but got {self.rule!r}")
        if self.learning_rate is not None:
            rate = _positive("learning_rate", self.learning_rate)
            object.__setattr__(self, "learning_rate", rate)
        if any(a >= b for a, b in pairwise(self.prefixes)):
            raise InputError(f"prefixes must be increasing, but got {list(self.prefixes)}")
        if self.prefixes and self.prefixes[-1] > self.n_features:
            raise InputError(
                f"the last prefix, {self.prefixes[-1]}, is longer than n_features={self.n_features}"
            )

    @property
    def all_prefixes(self) -> tuple[int, ...]:
        """The prefixes, ending in n_features."""
        if self.prefixes and self.prefixes[-1] == self.n_features:
            return self.prefixes
        return (*self.prefixes, self.n_features)

    def schedule(self, *, n_documents: int) -> "Schedule":
        """Return batch size, cap and patience for a number of training documents.

        Raises:
            InputError: There are fewer documents than features.
        """
        if n_documents < self.n_features:
            raise InputError(
                f"{self.n_features} features cannot be learned from {n_documents} documents; "
                f"use at most {n_documents} features, or give more documents"
            )
        batch = self.batch_size or min(512, max(32, n_documents // 16))
        steps = -(-n_documents // batch)
        epochs = self.max_epochs or max(20, -(-_STEPS // steps))
        return Schedule(
            batch_size=batch,
            epochs=epochs,
            patience=self.patience or max(5, epochs // 4),
            n_steps=steps * epochs,
            learning_rate=self.learning_rate
            or _RATE * min(1.0, (_RATE_FEATURES / self.n_features) ** 0.5),
        )


def _whole(name: str, value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, but got {value!r}")
    return int(value)


def _positive(name: str, value: object) -> float:
    number = float(value) if isinstance(value, Real) else 0.0
    if not 0 < number < float("inf"):
        raise InputError(f"{name} must be positive and finite, but got {value!r}")
    return number
