"""What will be tested, and how: settled before the confirm documents are opened."""

from dataclasses import dataclass
from typing import Literal

from interp_embed.errors import InputError
from interp_embed.records import TargetKind
from interp_embed.stats.models import Family

Correction = Literal["bh", "bonferroni", "holm", "by"]
Model = Literal["auto", "linear", "logit", "poisson", "ordered", "multinomial"]

_MODELS: dict[TargetKind, tuple[Family, ...]] = {
    "numeric": ("linear",),
    "binary": ("linear", "logit"),
    "count": ("poisson", "linear"),
    "ordinal": ("ordered", "linear"),
    "multiclass": ("multinomial",),
    "multilabel": ("linear", "logit"),
    "preference": ("logit", "linear"),
}
"""Models of a kind of target, the default first. A binary target is by default modelled as a
difference in probability: it needs no correction where a concept decides it, and reads plainly."""


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How hypotheses are tested on confirm documents."""

    kind: TargetKind
    classes: tuple[str, ...] = ()
    """Of a target with several; empty otherwise."""
    level: float = 0.05
    """Significance level, in (0, 1)."""
    correction: Correction = "bh"
    """Over everything tested: Benjamini-Hochberg, Bonferroni, Holm or Benjamini-Yekutieli."""
    clustered: bool = False
    """Whether errors are cluster-robust by group."""
    model: Model = "auto"
    """Of the joint regression; ``auto``: by the kind of target."""
    covariates: tuple[str, ...] = ()
    """Names of the corpus's covariates."""
    strata: tuple[str, ...] = ()
    """Names of its strata, by number; empty where there are none."""
    control_length: bool = True
    """Whether the logarithm of a document's length is a covariate of the joint regression."""

    def __post_init__(self) -> None:
        """Check that the values go together.

        Raises:
            InputError: They do not.
        """
        if not 0 < self.level < 1:
            raise InputError(f"level must lie between 0 and 1, but got {self.level}")
        if self.correction not in ("bh", "bonferroni", "holm", "by"):
            raise InputError(
                "correction must be one of 'bh', 'bonferroni', 'holm', 'by', "
                f"but got {self.correction!r}"
            )
        allowed = _MODELS[self.kind]
        if self.model != "auto" and self.model not in allowed:
            raise InputError(
                f"model {self.model!r} does not suit a {self.kind} target; "
                f"use 'auto' or {', '.join(map(repr, allowed))}"
            )

    @property
    def family(self) -> Family:
        """The model, ``auto`` resolved."""
        return _MODELS[self.kind][0] if self.model == "auto" else self.model
