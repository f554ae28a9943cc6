"""What turns pre-activations into activations: the sparsity rule of a pretrained SAE.

With pre = encoder x + bias, all rules keep only positive values.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from interp_embed.records import Json


@dataclass(frozen=True, slots=True)
class Relu:
    """All positive pre-activations."""


@dataclass(frozen=True, slots=True, eq=False)
class JumpRelu:
    """All pre-activations strictly above a threshold.

    Also what BatchTopK and Matryoshka BatchTopK do at inference: a choice over the batch would
    make the activations of a token depend on its neighbours.

    Source: Rajamanoharan et al. 2024, arXiv 2407.14435; Bussmann et al. 2024, arXiv 2412.06410.
    """

    threshold: torch.Tensor
    """Float32, shape () or (n_features,)."""


@dataclass(frozen=True, slots=True)
class TopK:
    """The k largest pre-activations of a token; fewer where fewer are positive.

    Source: Gao et al. 2024, arXiv 2406.04093.
    """

    k: int


@dataclass(frozen=True, slots=True)
class GroupMax:
    """The largest pre-activation of each of k runs of n_features / k neighbours, if positive."""

    k: int


@dataclass(frozen=True, slots=True, eq=False)
class Gated:
    """Active where encoder x + gate_bias > 0, with the value relu(scale * encoder x + bias).

    Source: Rajamanoharan et al. 2024, arXiv 2404.16014. One matrix product serves both paths.
    """

    gate_bias: torch.Tensor
    """Float32, shape (n_features,)."""
    scale: torch.Tensor
    """Of the magnitude path, exp(r_mag) in the paper: float32, shape (n_features,)."""


Rule = Relu | JumpRelu | TopK | GroupMax | Gated

Normalization = Literal["none", "constant_norm", "layer_norm"]
"""What is done to each token before the encoder: nothing; scaled to length sqrt(d_in); or its mean
removed and divided by its unbiased standard deviation + 1e-5."""


def describe_rule(rule: Rule) -> dict[str, Json]:
    """Return the rule in words and numbers that identify it beside the weights."""
    if isinstance(rule, TopK | GroupMax):
        return {"name": type(rule).__name__, "k": rule.k}
    if isinstance(rule, JumpRelu) and rule.threshold.ndim == 0:
        return {"name": "JumpRelu", "threshold": float(rule.threshold)}
    return {"name": type(rule).__name__}


def normalize(hidden: torch.Tensor, kind: Normalization) -> torch.Tensor:
    """Return hidden states, float32 of shape (n_tokens, d_in), as the encoder expects them."""
    if kind == "constant_norm":
        length = torch.linalg.vector_norm(hidden, dim=1, keepdim=True).clamp_min(
            torch.finfo(torch.float32).tiny
        )
        factor: torch.Tensor = math.sqrt(hidden.shape[1]) / length
        return hidden * factor
    if kind == "layer_norm":
        centered = hidden - hidden.mean(dim=1, keepdim=True)
        return centered / (centered.std(dim=1, keepdim=True) + 1e-5)
    return hidden


def restore(
    reconstruction: torch.Tensor, hidden: torch.Tensor, kind: Normalization
) -> torch.Tensor:
    """Undo ``normalize`` on a reconstruction of ``hidden``; both of shape (n_tokens, d_in)."""
    if kind == "constant_norm":
        factor: torch.Tensor = torch.linalg.vector_norm(hidden, dim=1, keepdim=True) / math.sqrt(
            hidden.shape[1]
        )
        return reconstruction * factor
    if kind == "layer_norm":
        spread = hidden.std(dim=1, keepdim=True)
        return reconstruction * spread + hidden.mean(dim=1, keepdim=True)
    return reconstruction
