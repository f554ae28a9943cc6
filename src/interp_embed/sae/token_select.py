"""Tokens to active features, on the host tile by tile or on the device that holds the weights."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from interp_embed.sae import token_kernels
from interp_embed.sae.rules import Gated, GroupMax, JumpRelu, Relu, Rule, TopK

# A tile of pre-activations on the host: tokens x a block of features, 16 MB, reused. With half of
# either the matrix product takes 5 to 10 % longer.
TILE_TOKENS = 512
TILE_FEATURES = 8192
# Candidates for a TopK held beyond 2 k, before all but the best are dropped.
_CANDIDATES = 64
# Pre-activations held at once on an accelerator.
DEVICE_TILE_BYTES = 2**30


@dataclass(frozen=True, slots=True, eq=False)
class ActiveFeatures:
    """Active features of some tokens, token by token, features increasing."""

    count: NDArray[np.int64]
    """Active features of each token, shape (n_tokens,)."""
    feature: NDArray[np.int32]
    value: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """What the selection needs of an SAE, all on one device."""

    weight: torch.Tensor
    """Shape (n_features, d_in), in the dtype of the matrix product."""
    bias: torch.Tensor
    """Float32, shape (n_features,)."""
    rule: Rule

    @property
    def cut(self) -> torch.Tensor:
        """What a pre-activation must exceed (Relu, JumpRelu), shape (n_features,)."""
        if isinstance(self.rule, JumpRelu):
            return self.rule.threshold.clamp_min(0).expand_as(self.bias).contiguous()
        return torch.zeros_like(self.bias)


# Buffers of the last call in this thread: fresh memory would cost a page fault every 4 kB. Of
# ``feature`` and ``value`` only what is written takes memory.
_kept = threading.local()


@dataclass(frozen=True, slots=True, eq=False)
class HostTiles:
    """Buffers that the tiles of ``encode`` calls share, one set a thread."""

    encoder: Encoder
    product: torch.Tensor
    """In the dtype of the weights, flat."""
    pre: torch.Tensor
    """Float32, flat; the same memory as ``product`` where that is float32."""
    feature: NDArray[np.int32]
    value: NDArray[np.float32]

    @classmethod
    def of(cls, encoder: Encoder) -> "HostTiles":
        """Return buffers for tiles of an encoder."""
        size = TILE_TOKENS * min(TILE_FEATURES, len(encoder.weight))
        if isinstance(encoder.rule, TopK | GroupMax):
            size = max(size, TILE_TOKENS * encoder.rule.k)
        dtype = encoder.weight.dtype
        key = (size, dtype)
        if getattr(_kept, "key", None) != key:
            product = torch.empty(size, dtype=dtype)
            pre = product if dtype == torch.float32 else torch.empty(size)
            _kept.buffers = (product, pre, np.empty(size, np.int32), np.empty(size, np.float32))
            _kept.key = key
        return cls(encoder, *_kept.buffers)

    def blocks(self, hidden: torch.Tensor) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first feature of each block, and pre-activations without their bias."""
        weight = self.encoder.weight
        for first in range(0, len(weight), TILE_FEATURES):
            block = weight[first : first + TILE_FEATURES]
            shape = (len(hidden), len(block))
            product = self.product[: shape[0] * shape[1]].view(shape)
            torch.mm(hidden, block.T, out=product)
            pre = self.pre[: shape[0] * shape[1]].view(shape)
            if pre.dtype != product.dtype:
                pre.copy_(product)
            yield first, pre.numpy()

    def taken(self, count: NDArray[np.int64], end: int) -> ActiveFeatures:
        """Return a copy of the first ``end`` entries written to the buffers."""
        return ActiveFeatures(count, self.feature[:end].copy(), self.value[:end].copy())


def select_on_host(tiles: HostTiles, hidden: torch.Tensor) -> ActiveFeatures:
    """Return the active features of at most ``TILE_TOKENS`` tokens in the memory of the host."""
    if isinstance(tiles.encoder.rule, TopK | GroupMax):
        return _select_best(tiles, tiles.encoder.rule, hidden)
    parts = []
    rule, bias, cut = tiles.encoder.rule, tiles.encoder.bias.numpy(), tiles.encoder.cut.numpy()
    for first, pre in tiles.blocks(hidden):
        here = slice(first, first + pre.shape[1])
        count = np.empty(len(pre), np.int64)
        written = (count, tiles.feature, tiles.value)
        if isinstance(rule, Gated):
            gate, scale = rule.gate_bias.numpy()[here], rule.scale.numpy()[here]
            end = token_kernels.select_gated(pre, bias[here], gate, scale, first, *written)
        else:
            end = token_kernels.select_above(pre, bias[here], cut[here], first, *written)
        parts.append(tiles.taken(count, end))
    return _join_blocks(parts)


def _select_best(tiles: HostTiles, rule: TopK | GroupMax, hidden: torch.Tensor) -> ActiveFeatures:
    bias, k, n_tokens = tiles.encoder.bias.numpy(), rule.k, len(hidden)
    room = 2 * k + _CANDIDATES if isinstance(rule, TopK) else k
    held = np.full(n_tokens, 0 if isinstance(rule, TopK) else k)
    floor = np.zeros(n_tokens, np.float32)
    best = (np.zeros((n_tokens, room), np.int32), np.zeros((n_tokens, room), np.float32))
    for first, pre in tiles.blocks(hidden):
        here = bias[first : first + pre.shape[1]]
        if isinstance(rule, TopK):
            token_kernels.update_top_k(pre, here, first, k, held, floor, *best)
        else:
            token_kernels.update_group_max(pre, here, first, len(bias) // k, *best)
    count = np.empty(n_tokens, np.int64)
    end = token_kernels.write_best(k, held, *best, count, tiles.feature, tiles.value)
    return tiles.taken(count, end)


def _join_blocks(parts: list[ActiveFeatures]) -> ActiveFeatures:
    """Return blocks of features, side by side, as one."""
    if len(parts) == 1:
        return parts[0]
    count = np.sum([part.count for part in parts], axis=0)
    cursor = np.cumsum(count) - count
    feature = np.empty(count.sum(), np.int32)
    value = np.empty(count.sum(), np.float32)
    for part in parts:
        token_kernels.place_rows(part.count, part.feature, part.value, cursor, feature, value)
    return ActiveFeatures(count, feature, value)


def select_on_device(encoder: Encoder, hidden: torch.Tensor) -> ActiveFeatures:
    """Return the active features of tokens; only those leave the device."""
    pre = torch.mm(hidden, encoder.weight.T).float()  # (n_tokens, n_features)
    rule = encoder.rule
    if isinstance(rule, Gated):
        value = pre * rule.scale + encoder.bias
        return _gather(value, (pre + rule.gate_bias > 0) & (value > 0))
    pre += encoder.bias
    if isinstance(rule, Relu | JumpRelu):
        return _gather(pre, pre > encoder.cut)
    if isinstance(rule, TopK):
        value, feature = pre.topk(rule.k, dim=1, sorted=False)
        feature, order = feature.sort(dim=1)
        value = value.gather(1, order)
    else:
        size = pre.shape[1] // rule.k
        value, within = pre.view(len(pre), rule.k, size).max(dim=2)
        feature = within + size * torch.arange(rule.k, device=pre.device)
    active = value > 0
    return _to_host(active.sum(dim=1), feature[active], value[active])


def _gather(value: torch.Tensor, active: torch.Tensor) -> ActiveFeatures:
    row, feature = active.nonzero(as_tuple=True)  # by row, then by feature
    return _to_host(active.sum(dim=1), feature, value[row, feature])


def _to_host(count: torch.Tensor, feature: torch.Tensor, value: torch.Tensor) -> ActiveFeatures:
    return ActiveFeatures(
        count.cpu().numpy(), feature.to(torch.int32).cpu().numpy(), value.cpu().numpy()
    )
