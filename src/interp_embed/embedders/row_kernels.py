"""Two steps between linear layers in one pass each; torch takes several, or a slower one."""

import numba
import numpy as np

_FLOAT = np.float32
_END = np.float32(4.0)
# gelu(x) = x (1/2 + x p(x^2)) with p the least-squares polynomial of erf(x / sqrt 2) / 2x on
# [-4, 4], and x held to that range inside p: at most 3e-4 from the exact function anywhere.
_P0, _P1, _P2 = _FLOAT(0.398874434), _FLOAT(-0.0663096973), _FLOAT(0.00980592002)
_P3, _P4, _P5 = _FLOAT(-0.00110949662), _FLOAT(9.43112987e-05), _FLOAT(-5.79217495e-06)
_P6, _P7, _P8 = _FLOAT(2.39774289e-07), _FLOAT(-5.92111818e-09), _FLOAT(6.53553751e-11)


@numba.njit(nogil=True, fastmath=True, cache=True)
def gelu_row(row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Apply GELU to each value of ``row`` in place."""
    for j in range(len(row)):
        x = row[j]
        c = min(max(x, -_END), _END)
        u = c * c
        p = _P5 + u * (_P6 + u * (_P7 + u * _P8))
        p = _P0 + u * (_P1 + u * (_P2 + u * (_P3 + u * (_P4 + u * p))))
        row[j] = x * (_FLOAT(0.5) + c * p)


@numba.njit(nogil=True, fastmath=True, cache=True)
def add_and_norm(y, hidden, gain, bias, epsilon):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Set ``y`` to the layer norm of ``y + hidden``, shapes (n_tokens, d_model)."""
    n_tokens, width = y.shape
    for token in range(n_tokens):
        row, old = y[token], hidden[token]
        total = _FLOAT(0)
        for j in range(width):
            row[j] += old[j]
            total += row[j]
        mean = total / _FLOAT(width)
        squares = _FLOAT(0)
        for j in range(width):
            squares += (row[j] - mean) * (row[j] - mean)
        scale = _FLOAT(1) / np.sqrt(squares / _FLOAT(width) + epsilon)
        for j in range(width):
            row[j] = (row[j] - mean) * scale * gain[j] + bias[j]
