"""Linear layers in 8-bit integers, on CPUs that multiply them fast (AVX-512 VNNI or newer).

``x W + b`` becomes an exact integer product plus small corrections. What keeps it close:

* each token has a scale and an offset of its own, so that no token depends on another;
* weights are scaled per output, after magnitude has been moved from inputs to weights;
* the few inputs with outliers stay in float32.

Source: per-token and per-output scales, and outliers apart: Dettmers et al. 2022,
arXiv:2208.07339, sections 2-3 (there float16, here float32, chosen once, not per batch); moving
magnitude: Xiao et al. 2023, arXiv:2211.10438, equation 4 with alpha 0.5.
"""

from dataclasses import dataclass
from typing import Self

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interp_embed.embedders.row_kernels import gelu_row

_FLOAT = np.float32
_INT = np.int32
_SIGN = np.int32(31)
_MAGNITUDE = np.int32(2**31 - 1)
FUSED_OUTLIERS = 8
"""Outliers that are added in the pass that turns integers back into floats."""


def has_fast_int8() -> bool:
    """Whether this CPU and this torch multiply 8-bit integers fast, and exactly."""
    supported = getattr(torch.cpu, "_is_vnni_supported", None)
    if supported is None or not supported() or not hasattr(torch, "_int_mm"):
        return False
    # Extremes only: an instruction set that saturates halfway gives itself away here.
    a = torch.full((32, 64), -128, dtype=torch.int8)
    b = torch.full((64, 32), 127, dtype=torch.int8)
    try:
        return bool((torch._int_mm(a, b) == -128 * 127 * 64).all())
    except RuntimeError:  # built without the kernel
        return False


@dataclass(frozen=True, slots=True)
class Int8Linear:
    """A linear layer of 8-bit weights; call it as one would the layer."""

    weights: Tensor
    """int8, shape (d_in, d_out); zero at the outliers."""
    shrink: NDArray[np.float32]
    """What each input is multiplied by first, shape (d_in,); zero at the outliers."""
    outliers: NDArray[np.int64]
    """Inputs kept in float32, shape (n_outliers,)."""
    outlier_weights: Tensor
    """float32, shape (n_outliers, d_out)."""
    terms: NDArray[np.float32]
    """Scale, scale x sum of int8 weights, and bias of each output, then ``outlier_weights`` if
    they are few enough to be added in the same pass; shape (3 or 11, d_out)."""

    @classmethod
    def from_weights(
        cls, weight: Tensor, bias: Tensor, *, largest: Tensor, n_outliers: int = FUSED_OUTLIERS
    ) -> Self:
        """Quantize a layer.

        Args:
            weight: Shape (d_out, d_in).
            bias: Shape (d_out,).
            largest: Magnitude each input reaches on typical text, shape (d_in,).
            n_outliers: Inputs to keep in float32.
        """
        reach = weight.abs().amax(0).clamp(min=1e-5)
        largest = largest.clamp(min=1e-5)
        outliers = torch.argsort(largest * reach.sqrt(), descending=True)[:n_outliers].sort().values
        grow = (largest / reach).sqrt()
        scaled = weight * grow
        scaled[:, outliers] = 0
        scale = scaled.abs().amax(1).clamp(min=1e-12) / 127
        integers = (scaled / scale[:, None]).round()
        shrink = 1 / grow
        shrink[outliers] = 0
        apart = weight[:, outliers].T.contiguous()
        rows = [scale, scale * integers.sum(1), bias]
        if n_outliers == FUSED_OUTLIERS:
            rows.extend(apart)
        return cls(
            weights=integers.to(torch.int8).contiguous().T,
            shrink=shrink.numpy(),
            outliers=outliers.numpy(),
            outlier_weights=apart,
            terms=torch.stack(rows).numpy(),
        )

    def __call__(self, x: Tensor) -> Tensor:
        """Return the layer's output, shape (n_tokens, d_out), for float32 x (n_tokens, d_in)."""
        into = self._room(len(x))
        _quantize(
            x.numpy(),
            self.shrink,
            self.outliers,
            into.values.numpy(),
            into.scales,
            into.apart.numpy(),
        )
        return self._apply(into)

    def _room(self, n_tokens: int) -> "_Integers":
        return _Integers(
            values=torch.empty((n_tokens, len(self.shrink)), dtype=torch.int8),
            scales=np.empty((2, n_tokens), dtype=np.float32),
            apart=torch.empty((n_tokens, len(self.outliers))),
        )

    def _apply(self, x: "_Integers") -> Tensor:
        product = torch._int_mm(x.values, self.weights).numpy()  # (n_tokens, d_out)
        if len(self.terms) > 3:
            y = torch.empty(product.shape)
            _restore_with_outliers(product, x.scales, self.terms, x.apart.numpy(), y.numpy())
        else:
            y = x.apart @ self.outlier_weights
            _restore(product, x.scales, self.terms, y.numpy())
        return y


@dataclass(frozen=True, slots=True)
class _Integers:
    """Tokens in 8-bit integers."""

    values: Tensor
    """int8, shape (n_tokens, d_in)."""
    scales: NDArray[np.float32]
    """Step and offset of each token, shape (2, n_tokens)."""
    apart: Tensor
    """The outliers in float32, shape (n_tokens, n_outliers)."""


def feed_forward(up: Int8Linear, down: Int8Linear, x: Tensor) -> Tensor:
    """Return ``down(gelu(up(x)))``; what is between the layers never leaves the core's cache.

    ``up`` must have the default number of outliers.
    """
    into = up._room(len(x))
    _quantize(
        x.numpy(), up.shrink, up.outliers, into.values.numpy(), into.scales, into.apart.numpy()
    )
    product = torch._int_mm(into.values, up.weights).numpy()
    wide = down._room(len(x))
    _restore_gelu_quantize(
        product,
        into.scales,
        up.terms,
        into.apart.numpy(),
        down.shrink,
        down.outliers,
        wide.values.numpy(),
        wide.scales,
        wide.apart.numpy(),
    )
    return down._apply(wide)


@numba.njit(nogil=True, fastmath=True, cache=True)
def _quantize_row(values, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write one token's values as int8; return step and offset."""
    bits = values.view(np.int32)
    ends = np.empty(2, dtype=np.float32)
    end_bits = ends.view(np.int32)
    # The order of floats is that of these integers, whose extremes compilers find eight at a
    # time; those of floats they do not.
    low, high = _MAGNITUDE, _INT(-_MAGNITUDE)
    for j in range(len(values)):
        order = _INT(bits[j] ^ ((bits[j] >> _SIGN) & _MAGNITUDE))
        low, high = min(low, order), max(high, order)
    end_bits[0] = low ^ ((low >> _SIGN) & _MAGNITUDE)
    end_bits[1] = high ^ ((high >> _SIGN) & _MAGNITUDE)
    step = max((ends[1] - ends[0]) * _FLOAT(1 / 255), _FLOAT(1e-20))
    per_step = _FLOAT(1) / step
    shift = _FLOAT(0.5) - ends[0] * per_step
    for j in range(len(values)):
        out[j] = np.int8(_INT(values[j] * per_step + shift) - _INT(128))
    return step, ends[0] + _FLOAT(128) * step


@numba.njit(nogil=True, fastmath=True, cache=True)
def _quantize(x, shrink, outliers, integers, scales, apart):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    n_tokens, d_in = x.shape
    values = np.empty(d_in, dtype=np.float32)
    for token in range(n_tokens):
        row = x[token]
        for j in range(d_in):
            values[j] = row[j] * shrink[j]
        scales[0, token], scales[1, token] = _quantize_row(values, integers[token])
        for j in range(len(outliers)):
            apart[token, j] = row[outliers[j]]


@numba.njit(nogil=True, fastmath=True, cache=True)
def _restore(product, scales, terms, y):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Add what the integers stand for, and the bias, to ``y``."""
    n_tokens, d_out = y.shape
    for token in range(n_tokens):
        step, offset = scales[0, token], scales[1, token]
        row, out = product[token], y[token]
        for j in range(d_out):
            out[j] += terms[0, j] * _FLOAT(row[j]) * step + offset * terms[1, j] + terms[2, j]


@numba.njit(nogil=True, fastmath=True, cache=True)
def _restore_row(row, step, offset, terms, a, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write what one token's integers stand for, the bias, and the share of eight outliers."""
    a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
    for j in range(len(out)):
        main = terms[0, j] * _FLOAT(row[j]) * step + offset * terms[1, j] + terms[2, j]
        left = a0 * terms[3, j] + a1 * terms[4, j] + a2 * terms[5, j] + a3 * terms[6, j]
        right = a4 * terms[7, j] + a5 * terms[8, j] + a6 * terms[9, j] + a7 * terms[10, j]
        out[j] = main + left + right


@numba.njit(nogil=True, fastmath=True, cache=True)
def _restore_with_outliers(product, scales, terms, apart, y):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for token in range(len(y)):
        step, offset = scales[0, token], scales[1, token]
        _restore_row(product[token], step, offset, terms, apart[token], y[token])


@numba.njit(nogil=True, fastmath=True, cache=True)
def _restore_gelu_quantize(  # type: ignore[no-untyped-def] # noqa: ANN202
    product,  # noqa: ANN001
    scales,  # noqa: ANN001
    terms,  # noqa: ANN001
    apart,  # noqa: ANN001
    shrink,  # noqa: ANN001
    outliers,  # noqa: ANN001
    integers,  # noqa: ANN001
    new_scales,  # noqa: ANN001
    new_apart,  # noqa: ANN001
):
    n_tokens, width = product.shape
    values = np.empty(width, dtype=np.float32)
    for token in range(n_tokens):
        step, offset = scales[0, token], scales[1, token]
        _restore_row(product[token], step, offset, terms, apart[token], values)
        gelu_row(values)
        for j in range(len(outliers)):
            new_apart[token, j] = values[outliers[j]]
        for j in range(width):
            values[j] *= shrink[j]
        new_scales[0, token], new_scales[1, token] = _quantize_row(values, integers[token])
