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

_FLOAT = np.float32
_INT = np.int32
_SIGN = np.int32(31)
_MAGNITUDE = np.int32(2**31 - 1)
_FUSED_OUTLIERS = 8


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
        cls, weight: Tensor, bias: Tensor, *, largest: Tensor, n_outliers: int = _FUSED_OUTLIERS
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
        if n_outliers == _FUSED_OUTLIERS:
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
        n_tokens = len(x)
        integers = torch.empty(x.shape, dtype=torch.int8)
        scales = np.empty((2, n_tokens), dtype=np.float32)
        apart = torch.empty(n_tokens, len(self.outliers))
        _quantize(x.numpy(), self.shrink, self.outliers, integers.numpy(), scales, apart.numpy())
        product = torch._int_mm(integers, self.weights).numpy()  # (n_tokens, d_out)
        if len(self.terms) > 3:
            y = torch.empty(n_tokens, self.terms.shape[1])
            _restore_with_outliers(product, scales, self.terms, apart.numpy(), y.numpy())
        else:
            y = apart @ self.outlier_weights
            _restore(product, scales, self.terms, y.numpy())
        return y


@numba.njit(nogil=True, fastmath=True, cache=True)  # type: ignore[untyped-decorator]
def _quantize(x, shrink, outliers, integers, scales, apart):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write int8 values, ``scales`` (step and offset of each token) and the outliers."""
    n_tokens, d_in = x.shape
    values = np.empty(d_in, dtype=np.float32)
    bits = values.view(np.int32)
    ends = np.empty(2, dtype=np.float32)
    end_bits = ends.view(np.int32)
    for token in range(n_tokens):
        row, out = x[token], integers[token]
        for j in range(d_in):
            values[j] = row[j] * shrink[j]
        # The order of floats is that of these integers, whose extremes compilers find eight at a
        # time; those of floats they do not.
        low, high = _MAGNITUDE, _INT(-_MAGNITUDE)
        for j in range(d_in):
            order = _INT(bits[j] ^ ((bits[j] >> _SIGN) & _MAGNITUDE))
            low, high = min(low, order), max(high, order)
        end_bits[0] = low ^ ((low >> _SIGN) & _MAGNITUDE)
        end_bits[1] = high ^ ((high >> _SIGN) & _MAGNITUDE)
        step = max((ends[1] - ends[0]) * _FLOAT(1 / 255), _FLOAT(1e-20))
        per_step = _FLOAT(1) / step
        shift = _FLOAT(0.5) - ends[0] * per_step
        for j in range(d_in):
            out[j] = np.int8(_INT(values[j] * per_step + shift) - _INT(128))
        scales[0, token] = step
        scales[1, token] = ends[0] + _FLOAT(128) * step
        for j in range(len(outliers)):
            apart[token, j] = row[outliers[j]]


@numba.njit(nogil=True, fastmath=True, cache=True)  # type: ignore[untyped-decorator]
def _restore(product, scales, terms, y):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Add what the integers stand for, and the bias, to ``y``."""
    n_tokens, d_out = y.shape
    for token in range(n_tokens):
        step, offset = scales[0, token], scales[1, token]
        row, out = product[token], y[token]
        for j in range(d_out):
            out[j] += terms[0, j] * _FLOAT(row[j]) * step + offset * terms[1, j] + terms[2, j]


@numba.njit(nogil=True, fastmath=True, cache=True)  # type: ignore[untyped-decorator]
def _restore_with_outliers(product, scales, terms, apart, y):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write to ``y`` what the integers stand for, the bias, and the share of eight outliers."""
    n_tokens, d_out = y.shape
    for token in range(n_tokens):
        step, offset = scales[0, token], scales[1, token]
        row, out, a = product[token], y[token], apart[token]
        a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
        for j in range(d_out):
            main = terms[0, j] * _FLOAT(row[j]) * step + offset * terms[1, j] + terms[2, j]
            left = a0 * terms[3, j] + a1 * terms[4, j] + a2 * terms[5, j] + a3 * terms[6, j]
            right = a4 * terms[7, j] + a5 * terms[8, j] + a6 * terms[9, j] + a7 * terms[10, j]
            out[j] = main + left + right
