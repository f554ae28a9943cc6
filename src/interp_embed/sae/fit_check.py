"""Does an SAE fit the hidden states it is given? Variance explained and L0, against what it says.

One check at the start catches a wrong layer, a wrong model, a wrong scale or a missing BOS, which
otherwise give plausible-looking activations.
"""

from dataclasses import dataclass

import numpy as np
import torch

from interp_embed.errors import InputError
from interp_embed.sae.pretrained import Declared, PretrainedSAE
from interp_embed.sae.rules import GroupMax, TopK

# Published SAEs explain 0.6 to 0.99 of the variance. Another kind of text costs a few hundredths to
# about a tenth; a base model's SAE on its instruct model was seen from 0.8 down to -1008. So less
# than nothing is surely wrong, and less than 0.3, or 0.25 below what is declared, probably.
POOR_VARIANCE = 0.3
VARIANCE_DROP = 0.25
# The active features a token vary by tens of percent from one kind of text to another, by a factor
# of three only when thresholds meet hidden states of another scale or place.
L0_FACTOR = 3.0
_FEW_TOKENS = 256

_CAUSES = (
    "likely causes: another layer or site, another model (base instead of instruct, another "
    "size or version), a missing BOS token, hidden states that are scaled or normed, or BOS and "
    "template tokens among those checked"
)


@dataclass(frozen=True, slots=True)
class SAEFit:
    """How an SAE does on a sample of hidden states."""

    variance_explained: float | None
    """1 - |x - reconstruction|^2 / |x - mean|^2; at most 1; None without a decoder."""
    l0: float
    """Mean number of active features a token."""
    declared: Declared
    n_tokens: int
    warnings: tuple[str, ...]
    """What does not fit, in words; empty where all is well."""


def check_fit(sae: PretrainedSAE, hidden: torch.Tensor) -> SAEFit:
    """Return how well an SAE fits a sample of hidden states, with warnings where it does not.

    Args:
        sae: The SAE.
        hidden: Hidden states of content tokens (no BOS, no template), shape (n_tokens, d_in);
            a few thousand are plenty.

    Raises:
        InputError: There are fewer than two tokens, or they do not fit the SAE or are all equal.
    """
    activations = sae.encode(hidden)
    if len(hidden) < 2:
        raise InputError(f"the fit is checked on 2 tokens or more, but got {len(hidden)}")
    l0 = activations.nnz / len(hidden)
    variance = None if sae.decoder is None else _variance_explained(sae, hidden)
    warnings = (
        *_variance_warnings(variance, sae.declared),
        *_l0_warnings(l0, sae),
        *_sample_warnings(len(hidden)),
    )
    return SAEFit(variance, l0, sae.declared, len(hidden), warnings)


def _variance_explained(sae: PretrainedSAE, hidden: torch.Tensor) -> float:
    states = sae.centered(hidden).cpu().double()
    spread = float((states - states.mean(dim=0)).square().sum())
    if spread == 0:
        raise InputError(
            f"the {len(hidden)} hidden states are all equal; check the fit on tokens that differ"
        )
    return 1 - float((states - sae.reconstruct(hidden).cpu()).square().sum()) / spread


def _variance_warnings(variance: float | None, declared: Declared) -> tuple[str, ...]:
    if variance is None:
        return ()
    if not np.isfinite(variance) or variance < 0:
        return (
            f"the SAE explains {variance:.2f} of the variance of these hidden states, which is "
            f"worse than their mean does: its activations mean nothing here; {_CAUSES}",
        )
    says = declared.variance_explained
    if says is not None and variance < says - VARIANCE_DROP:
        return (
            f"the SAE explains {variance:.2f} of the variance of these hidden states, but "
            f"{says:.2f} is declared; {_CAUSES}",
        )
    if variance < POOR_VARIANCE:
        return (
            f"the SAE explains only {variance:.2f} of the variance of these hidden states, where "
            f"published SAEs explain 0.6 or more; {_CAUSES}",
        )
    return ()


def _l0_warnings(l0: float, sae: PretrainedSAE) -> tuple[str, ...]:
    if l0 == 0:
        return (f"no feature fires on any of these tokens; {_CAUSES}",)
    says = sae.declared.l0
    if isinstance(sae.rule, TopK | GroupMax):
        says = sae.rule.k  # at most k fire, so only far fewer is a sign
    if says and not says / L0_FACTOR <= l0 <= says * L0_FACTOR:
        return (f"{l0:.1f} features fire on a token, but {says:g} are declared; {_CAUSES}",)
    return ()


def _sample_warnings(n_tokens: int) -> tuple[str, ...]:
    if n_tokens >= _FEW_TOKENS:
        return ()
    return (f"checked on {n_tokens} tokens only, which is too few to rely on; give thousands",)
