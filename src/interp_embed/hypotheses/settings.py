"""Settings of a study, checked when they are made."""

from dataclasses import dataclass
from numbers import Integral
from typing import Literal, get_args

from interp_embed.errors import InputError
from interp_embed.hypotheses.features import FeatureSettings
from interp_embed.hypotheses.plan import Correction, Model
from interp_embed.hypotheses.select import METHODS, ScoreFunction, SelectionMethod
from interp_embed.sae import TrainingSettings

_FEATURES = (32, 64, 128, 256, 512)
_DOCUMENTS_PER_FEATURE = 3
_MANY = _FEATURES[-1] * _DOCUMENTS_PER_FEATURE
_FIRST_PREFIX = 32
"""Features of the first Matryoshka prefix: coarse concepts before fine ones."""


@dataclass(frozen=True, slots=True)
class StudySettings:
    """How a study is run; every value is written to ``run.json``."""

    n: int = 20
    """Hypotheses wanted."""
    features: int | None = None
    """Features of the SAE; None: a power of two from 32 to 512, at most a third of the
    discover documents."""
    active: int = 16
    """Active features a document, on average."""
    rule: Literal["topk", "batch_topk"] = "batch_topk"
    """How they are chosen: k a document, or k on average over documents. Documents hold
    different numbers of concepts, and the latter recovers planted ones better."""
    target_weight: float = 0.4
    """How far features are aimed at the target (``FeatureSettings``); 0: not at all."""
    granularities: int = 3
    """SAEs of halved size beside the largest, it included; all are pooled."""
    repeats: int = 2
    """Times each is trained, from seeds of its own: more features to choose from, and each with
    its stability."""
    select: SelectionMethod | ScoreFunction = "correlation"
    """How features are screened."""
    confirm_share: float = 0.4
    """Share of the documents that is kept sealed for the test, in (0, 1)."""
    tune_share: float = 0.0
    """Share of the documents on which labels are chosen and nothing else is done, in [0, 1); 0:
    they are chosen on the discover documents."""
    level: float = 0.05
    """Significance level, in (0, 1)."""
    correction: Correction = "bh"
    """Over the hypotheses tested: Benjamini-Hochberg, Bonferroni, Holm or Benjamini-Yekutieli."""
    model: Model = "auto"
    """Of the joint regression; ``auto``: by the kind of target."""
    control_length: bool = True
    """Whether the logarithm of a document's length is held fixed in screening and testing."""
    without_signal: Literal["go_on", "stop"] = "go_on"
    """What happens, before anything is labelled, where the embeddings do not predict the
    target."""
    max_epochs: int | None = None
    """Cap on the SAE's training; None: the trainer's own."""
    seed: int = 0
    threads: int = 1
    """Threads of the SAE's matrix products."""

    def __post_init__(self) -> None:
        """Check what can be checked without the data.

        Raises:
            InputError: A value is out of range.
        """
        n: object = self.n  # a caller may hand over anything
        if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
            raise InputError(f"n must be a whole number of at least 1, but got {self.n!r}")
        for name in ("confirm_share", "level"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} must lie between 0 and 1, but got {getattr(self, name)}")
        if not 0 <= self.tune_share < 1 - self.confirm_share:
            raise InputError(
                "tune_share must be at least 0 and leave documents to discover on beside "
                f"confirm_share={self.confirm_share}, but got {self.tune_share}"
            )
        _check_one_of("correction", self.correction, get_args(Correction))
        _check_one_of("model", self.model, get_args(Model))
        _check_one_of("without_signal", self.without_signal, ("go_on", "stop"))
        if isinstance(self.select, str) and self.select not in METHODS:
            raise InputError(f"select must be one of {', '.join(METHODS)}, but got {self.select!r}")
        self.learning(n_documents=_MANY if self.features is None else self.features)

    def learning(self, *, n_documents: int) -> FeatureSettings:
        """Return how features are learned from a number of discover documents.

        Raises:
            InputError: A setting of the SAEs is out of range, or ``n`` exceeds the features.
        """
        one = self.rule != "batch_topk"  # others cannot be pooled
        return FeatureSettings(
            self._training(n_documents),
            granularities=1 if one else self.granularities,
            repeats=1 if one else self.repeats,
            target_weight=self.target_weight,
        )

    def _training(self, n_documents: int) -> TrainingSettings:
        allowed = [size for size in _FEATURES if size * _DOCUMENTS_PER_FEATURE <= n_documents]
        default = max(allowed, default=_FEATURES[0])
        features = default if self.features is None else self.features
        settings = TrainingSettings(
            n_features=features,
            k=self.active,
            prefixes=(_FIRST_PREFIX, features) if features > _FIRST_PREFIX else (features,),
            rule=self.rule,
            max_epochs=self.max_epochs,
            seed=self.seed,
            threads=self.threads,
        )
        if self.n > features:
            raise InputError(
                f"{self.n} hypotheses were asked for, but each comes from a feature of its own and "
                f"the SAE has {features}; ask for at most {features}, or set features"
            )
        return settings


def _check_one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, but got {value!r}")
