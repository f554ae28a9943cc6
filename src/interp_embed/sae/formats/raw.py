"""What every format's reader returns, and how it becomes a ``PretrainedSAE``: check, fold, cast."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Json
from interp_embed.sae.pretrained import (
    Declared,
    PretrainedSAE,
    decoder_norms,
    resolve_dtype,
    scale_features,
)
from interp_embed.sae.rules import (
    Gated,
    GroupMax,
    JumpRelu,
    Normalization,
    Rule,
    TopK,
    describe_rule,
)
from interp_embed.sae.site import ReaderSite

_LARGEST = 1e15  # beyond it products could overflow, and an infinity would be a wrong number


@dataclass(frozen=True, slots=True, eq=False)
class RawSAE:
    """An SAE as its file has it, in our orientation, nothing folded yet.

    pre = encoder (scale normalize(x) - [subtract_decoder_bias] decoder_bias) + encoder_bias.
    """

    encoder: torch.Tensor
    """Shape (n_features, d_in)."""
    encoder_bias: torch.Tensor
    """Shape (n_features,)."""
    decoder: torch.Tensor | None
    """Shape (n_features, d_in); None for a transcoder, or where it was not asked for."""
    decoder_bias: torch.Tensor | None
    """Shape (d_in,); None: zero."""
    rule: Rule
    site: ReaderSite | None = None
    declared: Declared = field(default_factory=Declared)
    subtract_decoder_bias: bool = False
    scale: float = 1.0
    """Constant that the SAE was trained to see its input times."""
    normalization: Normalization = "none"
    decoder_norm: torch.Tensor | None = None
    """Where activations are in units of the decoder's lengths: those lengths. ``encoder``,
    ``encoder_bias`` and the thresholds of ``rule`` are still in the units of the encoder."""


def assemble(raw: RawSAE, *, file: Path, dtype: str, identity: Mapping[str, Json]) -> PretrainedSAE:
    """Return the SAE in common form, all foldings done in float32.

    Raises:
        StoredFileError: The tensors do not fit one another, or hold what is not a finite number.
        InputError: The dtype is not known.
    """
    chosen = resolve_dtype(dtype)
    raw = _checked(raw, file)
    scaled = _fold(raw)
    bias = torch.zeros(raw.encoder.shape[1]) if raw.decoder_bias is None else raw.decoder_bias
    center = raw.site is not None and raw.site.center
    decoder = scaled.decoder
    return PretrainedSAE(
        encoder=scaled.encoder.to(chosen).contiguous(),
        encoder_bias=scaled.encoder_bias,
        decoder=None if decoder is None else decoder.to(chosen).contiguous(),
        decoder_bias=bias / raw.scale,
        rule=scaled.rule,
        normalization=raw.normalization,
        site=raw.site,
        declared=raw.declared,
        identity={
            **identity,
            "rule": describe_rule(scaled.rule),
            "normalization": raw.normalization,
            "scale": raw.scale,
            "center": center,
            "units": "raw",
            "dtype": dtype,
        },
    )


def _fold(raw: RawSAE) -> RawSAE:
    """Fold the subtracted bias, the input's scale and the decoder's lengths into the weights."""
    encoder, bias, rule = raw.encoder, raw.encoder_bias, raw.rule
    if raw.subtract_decoder_bias and raw.decoder_bias is not None:
        shift = encoder @ raw.decoder_bias  # (n_features,)
        if isinstance(rule, Gated):
            rule = Gated(rule.gate_bias - shift, rule.scale)
            bias = bias - shift * rule.scale
        else:
            bias = bias - shift
    if raw.scale != 1:
        encoder = encoder * raw.scale
    decoder = raw.decoder
    if decoder is not None and raw.scale != 1:
        decoder = decoder / raw.scale
    if raw.decoder_norm is not None:
        stand_in = torch.empty(len(encoder), 0) if decoder is None else decoder
        scaled = scale_features(encoder, bias, stand_in, rule, raw.decoder_norm)
        encoder, bias, rule = scaled.encoder, scaled.encoder_bias, scaled.rule
        decoder = None if decoder is None else scaled.decoder
    return replace(raw, encoder=encoder, encoder_bias=bias, decoder=decoder, rule=rule)


def norms_of(decoder: torch.Tensor | None, file: Path) -> torch.Tensor:
    """Return the decoder's lengths, for formats in which they take part in the choice.

    Raises:
        StoredFileError: The file has no decoder.
    """
    if decoder is None or decoder.ndim != 2:
        raise StoredFileError(
            f"{file}: the activations of this SAE are scaled by its decoder, which is missing"
        )
    return decoder_norms(decoder)


def _checked(raw: RawSAE, file: Path) -> RawSAE:
    if raw.encoder.ndim != 2 or 0 in raw.encoder.shape:
        raise StoredFileError(
            f"{file}: the encoder should be a matrix (n_features, d_in), but has the shape "
            f"{tuple(raw.encoder.shape)}"
        )
    n_features, d_in = raw.encoder.shape
    _check_rule(raw.rule, n_features, file)
    if not 0 < raw.scale < _LARGEST:
        raise StoredFileError(f"{file}: the input scale {raw.scale} is not a number above 0")
    rule = raw.rule
    if isinstance(rule, JumpRelu):
        shape = () if rule.threshold.ndim == 0 else (n_features,)
        rule = JumpRelu(_tensor(rule.threshold, shape, "threshold", file))
    elif isinstance(rule, Gated):
        rule = Gated(
            _tensor(rule.gate_bias, (n_features,), "gate bias", file),
            _tensor(rule.scale, (n_features,), "gate scale", file),
        )
    decoder, bias = raw.decoder, raw.decoder_bias
    return replace(
        raw,
        encoder=_tensor(raw.encoder, (n_features, d_in), "encoder", file),
        encoder_bias=_tensor(raw.encoder_bias, (n_features,), "encoder bias", file),
        decoder=None if decoder is None else _tensor(decoder, (n_features, d_in), "decoder", file),
        decoder_bias=None if bias is None else _tensor(bias, (d_in,), "decoder bias", file),
        rule=rule,
    )


def _check_rule(rule: Rule, n_features: int, file: Path) -> None:
    if not isinstance(rule, TopK | GroupMax):
        return
    if not 1 <= rule.k <= n_features:
        raise StoredFileError(f"{file}: k={rule.k} does not fit an SAE of {n_features} features")
    if isinstance(rule, GroupMax) and n_features % rule.k:
        raise StoredFileError(
            f"{file}: {n_features} features cannot be split into {rule.k} equal groups"
        )


def _tensor(tensor: torch.Tensor, shape: tuple[int, ...], name: str, file: Path) -> torch.Tensor:
    """Return a tensor in float32 once its dtype, shape and values are fit for use."""
    if not tensor.is_floating_point():
        raise StoredFileError(f"{file}: {name} should be floating point, but is {tensor.dtype}")
    if tuple(tensor.shape) != shape:
        raise StoredFileError(
            f"{file}: {name} should have the shape {shape}, but has {tuple(tensor.shape)}; "
            "the parts of the file are not of one SAE"
        )
    values = tensor.detach().to("cpu", torch.float32)
    low, high = torch.aminmax(values)
    if not (float(low) >= -_LARGEST and float(high) <= _LARGEST):  # false for NaN too
        raise StoredFileError(
            f"{file}: {name} holds NaN, infinity or values beyond {_LARGEST:g}; "
            "it is damaged: fetch it again"
        )
    return values


def require_number(value: Json, name: str, file: Path) -> float:
    """Return a number out of a config.

    Raises:
        StoredFileError: It is missing, or not a finite number.
    """
    finite = isinstance(value, int | float) and abs(value) < _LARGEST
    if isinstance(value, bool) or not finite:
        raise StoredFileError(f"{file}: {name} should be a number, but is {value!r}")
    return float(value)


def require_count(value: Json, name: str, file: Path) -> int:
    """Return a whole number >= 0 out of a config.

    Raises:
        StoredFileError: It is missing, or not one.
    """
    number = require_number(value, name, file)
    if number < 0 or number != int(number):
        raise StoredFileError(f"{file}: {name} should be a whole number >= 0, but is {value!r}")
    return int(number)


def unsupported(what: str, file: Path, known: str) -> InputError:
    """Return the error for a valid file that asks for what is not built here."""
    return InputError(f"{file} needs {what}, which is not supported; supported: {known}")
