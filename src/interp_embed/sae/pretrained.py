"""A pretrained SAE of a language model's hidden states: encode tokens, decode, move, rescale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.records import Json
from interp_embed.sae.rules import (
    Gated,
    GroupMax,
    JumpRelu,
    Normalization,
    Rule,
    TopK,
    normalize,
    restore,
)
from interp_embed.sae.site import ReaderSite
from interp_embed.sae.token_select import (
    DEVICE_TILE_BYTES,
    TILE_TOKENS,
    ActiveFeatures,
    Encoder,
    HostTiles,
    select_on_device,
    select_on_host,
)

# float16 is left out: its products overflow at 65,504, and an infinity there would be a wrong
# number here. bfloat16 has the range of float32.
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_LARGEST = 1e15


@dataclass(frozen=True, slots=True)
class Declared:
    """What the makers of an SAE say of it; None where they say nothing."""

    variance_explained: float | None = None
    """1 is perfect, 0 as good as the mean hidden state."""
    l0: float | None = None
    """Mean number of active features a token."""
    dead_share: float | None = None
    """Share of the features that never fire, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class PretrainedSAE:
    """An SAE in one common form, whatever file it came from.

    activations = rule(encoder normalize(x) + encoder_bias), and normalize(x) ~ activations decoder
    + decoder_bias. What a format adds (a decoder bias subtracted from the input, a constant scale
    of the input, a choice by decoder norm) is folded into these once, in float32, when it is read.
    """

    encoder: torch.Tensor
    """Shape (n_features, d_in), float32 or bfloat16."""
    encoder_bias: torch.Tensor
    """Float32, shape (n_features,)."""
    decoder: torch.Tensor | None
    """Shape (n_features, d_in); None for an SAE loaded without, and for transcoders."""
    decoder_bias: torch.Tensor
    """Float32, shape (d_in,)."""
    rule: Rule
    normalization: Normalization
    site: ReaderSite | None
    """What it reads; None where neither the file nor its name says."""
    declared: Declared
    identity: Mapping[str, Json]
    """Everything that changes an activation: part of cache keys."""

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.encoder)

    @property
    def d_in(self) -> int:
        """Width of the hidden states it reads."""
        return self.encoder.shape[1]

    def encode(self, hidden: torch.Tensor) -> csr_matrix:
        """Return the activations of tokens, without ever holding them dense on the host.

        Args:
            hidden: Hidden states, floating point on any device, shape (n_tokens, d_in), finite.

        Returns:
            Activations > 0 as CSR, float32, shape (n_tokens, n_features), features in order.

        Raises:
            InputError: The hidden states have another width, or are not finite.
        """
        self._check_hidden(hidden)
        with torch.inference_mode():
            parts = self._active(hidden)
        return _to_csr(parts, self.n_features)

    def _active(self, hidden: torch.Tensor) -> list[ActiveFeatures]:
        encoder = Encoder(self.encoder, self.encoder_bias, self.rule)
        if self.encoder.device.type == "cpu":
            tiles = HostTiles.of(encoder)
            return [
                select_on_host(tiles, self._encoder_input(hidden[begin : begin + TILE_TOKENS]))
                for begin in range(0, len(hidden), TILE_TOKENS)
            ]
        step = max(1, DEVICE_TILE_BYTES // (4 * self.n_features))
        return [
            select_on_device(encoder, self._encoder_input(hidden[begin : begin + step]))
            for begin in range(0, len(hidden), step)
        ]

    def _encoder_input(self, hidden: torch.Tensor) -> torch.Tensor:
        prepared = normalize(self.centered(hidden), self.normalization)
        return prepared.to(self.encoder.dtype).contiguous()

    def centered(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return hidden states in float32 beside the weights, centred where the site says so.

        Raises:
            InputError: They are not finite.
        """
        states = hidden.to(self.encoder.device, torch.float32)
        if not bool((states.abs() <= _LARGEST).all()):  # false for NaN too
            row = int((~(states.abs() <= _LARGEST)).any(dim=1).nonzero()[0])
            raise InputError(
                f"hidden states must be finite (and below {_LARGEST:g}), but those of token {row} "
                "of the batch are not; "
                "run the reader in bfloat16 or float32, not in float16"
            )
        if self.site is not None and self.site.center:
            return states - states.mean(dim=1, keepdim=True)
        return states

    def _check_hidden(self, hidden: torch.Tensor) -> None:
        dtype = getattr(hidden, "dtype", None)
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise InputError(
                "hidden states are a floating-point torch.Tensor, but got "
                f"{type(hidden).__name__} of {dtype}; use torch.from_numpy for an array"
            )
        if hidden.ndim != 2:
            raise InputError(
                "hidden states have the shape (n_tokens, d_in), but got "
                f"{tuple(hidden.shape)}; put the real tokens of all documents in one matrix"
            )
        if hidden.shape[1] != self.d_in:
            where = "" if self.site is None else f"; it was made for {_describe(self.site)}"
            raise InputError(
                f"this SAE reads width {self.d_in}, the reader gives {hidden.shape[1]}{where}: "
                "use the model and the site the SAE was trained on"
            )

    def decode(self, activations: csr_matrix) -> NDArray[np.float32]:
        """Return the reconstruction of (normalised, centred) hidden states from activations.

        Args:
            activations: Shape (n_tokens, n_features).

        Returns:
            Dense float32, shape (n_tokens, d_in).

        Raises:
            InputError: There is no decoder, or the activations have another number of features.
        """
        with torch.inference_mode():
            return self._decode(csr_matrix(activations)).cpu().numpy()

    def _decode(self, activations: csr_matrix) -> torch.Tensor:
        if self.decoder is None:
            raise InputError(
                "this SAE has no decoder: it is a transcoder, or was loaded with "
                "with_decoder=False; load it again with with_decoder=True"
            )
        if activations.shape[1] != self.n_features:
            raise InputError(
                f"activations have {activations.shape[1]} features, this SAE has "
                f"{self.n_features}; use those it encoded"
            )
        device = self.decoder.device
        decoded = torch.nn.functional.embedding_bag(
            torch.from_numpy(activations.indices.astype(np.int64)).to(device),
            self.decoder,
            torch.from_numpy(activations.indptr.astype(np.int64)).to(device),
            mode="sum",
            per_sample_weights=torch.from_numpy(activations.data).to(device, self.decoder.dtype),
            include_last_offset=True,
        )
        return decoded.float() + self.decoder_bias  # (n_tokens, d_in)

    def reconstruct(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return what the SAE makes of hidden states, in their own units, float32.

        Raises:
            InputError: They do not fit this SAE, or it has no decoder.
        """
        activations = self.encode(hidden)
        with torch.inference_mode():
            return restore(self._decode(activations), self.centered(hidden), self.normalization)

    def to(self, device: str | torch.device, dtype: str | None = None) -> "PretrainedSAE":
        """Return the same SAE on a device, its matrices in a dtype; the biases stay float32.

        Args:
            device: Such as ``"cpu"`` or ``"cuda:0"``.
            dtype: ``"float32"`` or ``"bfloat16"``; None keeps it.

        Raises:
            InputError: The dtype is another.
        """
        chosen = self.encoder.dtype if dtype is None else resolve_dtype(dtype)
        decoder = None if self.decoder is None else self.decoder.to(device, chosen)
        return replace(
            self,
            encoder=self.encoder.to(device, chosen).contiguous(),
            encoder_bias=self.encoder_bias.to(device),
            decoder=decoder,
            decoder_bias=self.decoder_bias.to(device),
            rule=_move(self.rule, device),
            identity={**self.identity, "dtype": str(chosen).removeprefix("torch.")},
        )

    def decoder_norm_units(self) -> "PretrainedSAE":
        """Return the SAE with activations times the length of their decoder direction.

        An activation is then the length of what the feature adds to the hidden state, comparable
        over features. Which features fire does not change.

        Raises:
            InputError: There is no decoder, or the rule compares features with one another (TopK),
                so that the choice would change.
        """
        if isinstance(self.rule, TopK | GroupMax):
            raise InputError(
                f"{type(self.rule).__name__} compares features: in other units it would choose "
                "others; keep the raw units"
            )
        if self.decoder is None:
            raise InputError("decoder-norm units need the decoder; load it with with_decoder=True")
        norm = decoder_norms(self.decoder)
        scaled = scale_features(
            self.encoder.float(), self.encoder_bias, self.decoder.float(), self.rule, norm
        )
        return replace(
            self,
            encoder=scaled.encoder.to(self.encoder.dtype),
            encoder_bias=scaled.encoder_bias,
            decoder=scaled.decoder.to(self.decoder.dtype),
            rule=scaled.rule,
            identity={**self.identity, "units": "decoder_norm"},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """The parts of an SAE that change with the units of its features."""

    encoder: torch.Tensor
    encoder_bias: torch.Tensor
    decoder: torch.Tensor
    rule: Rule


def decoder_norms(decoder: torch.Tensor) -> torch.Tensor:
    """Return the lengths of the decoder directions, 1 for those of length 0, float32."""
    norm = decoder.float().norm(dim=1)
    return torch.where(norm > 0, norm, torch.ones_like(norm))


def scale_features(
    encoder: torch.Tensor,
    encoder_bias: torch.Tensor,
    decoder: torch.Tensor,
    rule: Rule,
    factor: torch.Tensor,
) -> Scaled:
    """Return the SAE with each activation times a factor > 0, shape (n_features,)."""
    if isinstance(rule, JumpRelu):
        rule = JumpRelu(rule.threshold * factor)
    elif isinstance(rule, Gated):
        rule = Gated(rule.gate_bias * factor, rule.scale)
    return Scaled(encoder * factor[:, None], encoder_bias * factor, decoder / factor[:, None], rule)


def resolve_dtype(dtype: str) -> torch.dtype:
    """Return a torch dtype by its name.

    Raises:
        InputError: It is neither float32 nor bfloat16.
    """
    if dtype not in DTYPES:
        raise InputError(f"unknown dtype {dtype!r}; use one of: {', '.join(DTYPES)}")
    return DTYPES[dtype]


def _move(rule: Rule, device: str | torch.device) -> Rule:
    if isinstance(rule, JumpRelu):
        return JumpRelu(rule.threshold.to(device))
    if isinstance(rule, Gated):
        return Gated(rule.gate_bias.to(device), rule.scale.to(device))
    return rule


def _describe(site: ReaderSite) -> str:
    return f"{site.model}, layer {site.layer}, {site.site}"


def _to_csr(parts: list[ActiveFeatures], n_features: int) -> csr_matrix:
    counts = [part.count for part in parts]
    start = np.concatenate([[0], np.cumsum(np.concatenate(counts))]) if counts else np.zeros(1)
    wide = start[-1] > np.iinfo(np.int32).max
    index_type = np.int64 if wide else np.int32
    feature = [part.feature for part in parts] or [np.empty(0, np.int32)]
    value = [part.value for part in parts] or [np.empty(0, np.float32)]
    return csr_matrix(
        (
            np.concatenate(value),
            np.concatenate(feature).astype(index_type, copy=False),
            start.astype(index_type),
        ),
        shape=(len(start) - 1, n_features),
    )
