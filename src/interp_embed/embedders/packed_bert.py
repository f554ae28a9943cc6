"""BERT-type sentence encoders without padding: the tokens of many documents in one matrix.

All linear layers see one matrix (n_tokens, d_model); only attention looks at documents one by one,
or at those of one length together. No document is padded, so none depends on its neighbours.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from interp_embed.embedders.int8_linear import FUSED_OUTLIERS, Int8Linear, feed_forward
from interp_embed.embedders.row_kernels import add_and_norm

_TOKENS_PER_BATCH = 512
_DOWN_OUTLIERS = 64
_MEAN = "pooling_mode_mean_tokens"

_LINEAR_NAMES = ("qkv", "out", "up", "down")
_Linear = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: _Linear
    out: _Linear
    norm_1: tuple[Tensor, Tensor]
    up: _Linear
    down: _Linear
    norm_2: tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class PackedBert:
    """The weights of a BERT encoder with mean pooling, ready to run on packed tokens."""

    words: Tensor
    """Word embeddings plus those of token type 0, shape (n_words, d_model)."""
    positions: Tensor
    norm: tuple[Tensor, Tensor]
    layers: tuple[_Layer, ...]
    n_heads: int
    epsilon: float
    normalize: bool
    """Whether vectors are scaled to length 1."""
    is_int8: bool = False
    """Whether linear layers are in 8-bit integers, and GELU approximate to match."""

    @classmethod
    def from_folder(cls, folder: Path) -> Self | None:
        """Load a sentence-transformers folder; None if the model is not of this kind."""
        config = _read(folder / "config.json")
        modules = [module.get("type", "").rpartition(".")[2] for module in _list(folder)]
        if not _is_plain_bert(config) or modules[:2] != ["Transformer", "Pooling"]:
            return None
        pooling = _read(folder / "1_Pooling" / "config.json")
        modes = [
            key for key, on in pooling.items() if key.startswith("pooling_mode") and on is True
        ]
        weights_path = folder / "model.safetensors"
        if modes != [_MEAN] or modules[2:] not in ([], ["Normalize"]) or not weights_path.exists():
            return None
        weights = load_file(weights_path)
        prefix = "bert." if "bert.embeddings.word_embeddings.weight" in weights else ""
        return cls._from_weights(
            {name.removeprefix(prefix): value.float() for name, value in weights.items()},
            config,
            normalize=bool(modules[2:]),
        )

    @classmethod
    def _from_weights(
        cls, weights: dict[str, Tensor], config: dict[str, Any], *, normalize: bool
    ) -> Self:
        embeddings = "embeddings."
        return cls(
            words=weights[embeddings + "word_embeddings.weight"]
            + weights[embeddings + "token_type_embeddings.weight"][0],
            positions=weights[embeddings + "position_embeddings.weight"],
            norm=_pair(weights, embeddings + "LayerNorm"),
            layers=tuple(
                _layer(weights, f"encoder.layer.{index}.")
                for index in range(config["num_hidden_layers"])
            ),
            n_heads=config["num_attention_heads"],
            epsilon=config.get("layer_norm_eps", 1e-12),
            normalize=normalize,
        )

    @property
    def d_in(self) -> int:
        """Dimensions of a vector."""
        return self.words.shape[1]

    @property
    def max_positions(self) -> int:
        """The most tokens a document may have."""
        return len(self.positions)

    @torch.inference_mode()
    def run(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Return one vector per document, shape (n_documents, d_model).

        Args:
            ids: Token ids of each document, special ones included; put documents of one length
                next to each other.
        """
        hidden = self.hidden_states(ids)
        lengths = torch.tensor([len(document) for document in ids])
        pooled = torch.segment_reduce(hidden, "mean", lengths=lengths, axis=0)
        return functional.normalize(pooled) if self.normalize else pooled

    @torch.inference_mode()
    def hidden_states(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Return the last hidden state of every token, shape (n_tokens, d_model).

        Args:
            ids: As in :meth:`run`.
        """
        lengths = [len(document) for document in ids]
        hidden = self._embed(ids, lengths)  # (n_tokens, d_model)
        groups = list(_equal_lengths(lengths))
        for layer in self.layers:
            hidden = self._apply(layer, hidden, groups)
        return hidden

    @torch.inference_mode()
    def in_int8(self, ids: Sequence[Sequence[int]]) -> Self:
        """Return the same encoder with linear layers in 8-bit integers.

        Args:
            ids: Token ids of typical documents, which show how large each input gets.
        """
        ordered = sorted(ids, key=len)
        lengths = [len(document) for document in ordered]
        groups = list(_equal_lengths(lengths))
        hidden = self._embed(ordered, lengths)
        layers = []
        for layer in self.layers:
            seen: dict[str, Tensor] = {}
            watched = _replace(
                layer, {n: _watch(getattr(layer, n), n, seen) for n in _LINEAR_NAMES}
            )
            hidden = self._apply(watched, hidden, groups)
            quantized = {n: _in_int8(getattr(layer, n), n, seen[n]) for n in _LINEAR_NAMES}
            layers.append(_replace(layer, quantized))
        return replace(self, layers=tuple(layers), is_int8=True)

    def _embed(self, ids: Sequence[Sequence[int]], lengths: list[int]) -> Tensor:
        flat = torch.tensor([token for document in ids for token in document])
        places = torch.cat([torch.arange(length) for length in lengths])
        return self._norm(self.words[flat] + self.positions[places], self.norm)

    def _norm(self, hidden: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
        return functional.layer_norm(hidden, hidden.shape[-1:], *weights, self.epsilon)

    def _apply(self, layer: _Layer, hidden: Tensor, groups: list[tuple[int, int, int]]) -> Tensor:
        mixed = self._attend(layer.qkv(hidden), groups)
        hidden = self._add_and_norm(layer.out(mixed), hidden, layer.norm_1)
        return self._add_and_norm(_feed_forward(layer, hidden), hidden, layer.norm_2)

    def _add_and_norm(self, y: Tensor, hidden: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
        if not self.is_int8:
            return self._norm(y.add_(hidden), weights)
        gain, bias = weights
        epsilon = np.float32(self.epsilon)
        add_and_norm(y.numpy(), hidden.numpy(), gain.numpy(), bias.numpy(), epsilon)
        return y

    def _attend(self, qkv: Tensor, groups: list[tuple[int, int, int]]) -> Tensor:
        d_model = qkv.shape[1] // 3
        mixed = qkv.new_empty(len(qkv), d_model)
        for start, n, length in groups:
            block = qkv[start : start + n * length].view(n, length, 3, self.n_heads, -1)
            query, key, value = block.permute(2, 0, 3, 1, 4)  # each (n, n_heads, length, d_head)
            attended = functional.scaled_dot_product_attention(query, key, value)
            mixed[start : start + n * length].view(n, length, self.n_heads, -1).copy_(
                attended.transpose(1, 2)
            )
        return mixed


def _feed_forward(layer: _Layer, hidden: Tensor) -> Tensor:
    if isinstance(layer.up, Int8Linear) and isinstance(layer.down, Int8Linear):
        return feed_forward(layer.up, layer.down, hidden)
    return layer.down(functional.gelu(layer.up(hidden)))


def batches_by_length(
    lengths: Sequence[int], budget: int = _TOKENS_PER_BATCH, *, apart_below: int = 0
) -> list[list[int]]:
    """Return positions in batches of up to ``budget`` tokens, documents of one length together.

    No batch holds documents on both sides of ``apart_below`` tokens.

    ([5, 3, 5], budget 10) -> [[0, 2], [1]]
    """
    batches: list[list[int]] = []
    room = 0
    was_apart = False
    for position in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        is_apart = lengths[position] < apart_below
        if not batches or lengths[position] > room or is_apart != was_apart:
            batches.append([])
            room = budget
        batches[-1].append(position)
        room -= lengths[position]
        was_apart = is_apart
    return batches


def _equal_lengths(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (first token, documents, length) of each run of documents of one length."""
    start = 0
    for length, run in groupby(lengths):
        n = len(list(run))
        yield start, n, length
        start += n * length


def _is_plain_bert(config: dict[str, Any]) -> bool:
    return (
        config.get("model_type") == "bert"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and config.get("hidden_act") == "gelu"
        and not config.get("is_decoder", False)
    )


def _layer(weights: dict[str, Tensor], prefix: str) -> _Layer:
    attention = [
        _pair(weights, f"{prefix}attention.self.{part}") for part in ("query", "key", "value")
    ]
    return _Layer(
        qkv=_linear(torch.cat([w for w, _ in attention]), torch.cat([b for _, b in attention])),
        out=_linear(*_pair(weights, prefix + "attention.output.dense")),
        norm_1=_pair(weights, prefix + "attention.output.LayerNorm"),
        up=_linear(*_pair(weights, prefix + "intermediate.dense")),
        down=_linear(*_pair(weights, prefix + "output.dense")),
        norm_2=_pair(weights, prefix + "output.LayerNorm"),
    )


def _replace(layer: _Layer, linear: Mapping[str, _Linear]) -> _Layer:
    return replace(
        layer, qkv=linear["qkv"], out=linear["out"], up=linear["up"], down=linear["down"]
    )


def _watch(linear: _Linear, name: str, seen: dict[str, Tensor]) -> _Linear:
    def watching(x: Tensor) -> Tensor:
        seen[name] = x.abs().amax(0)
        return linear(x)

    return watching


def _in_int8(linear: _Linear, name: str, largest: Tensor) -> Int8Linear:
    if not isinstance(linear, partial):
        raise TypeError("this layer is in 8-bit integers already")
    # The inputs of "down" come from GELU and have more outliers than those from a layer norm.
    n_outliers = _DOWN_OUTLIERS if name == "down" else FUSED_OUTLIERS
    return Int8Linear.from_weights(**linear.keywords, largest=largest, n_outliers=n_outliers)


def _linear(weight: Tensor, bias: Tensor) -> _Linear:
    return partial(functional.linear, weight=weight, bias=bias)


def _pair(weights: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return weights[name + ".weight"], weights[name + ".bias"]


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _list(folder: Path) -> list[dict[str, str]]:
    path = folder / "modules.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
