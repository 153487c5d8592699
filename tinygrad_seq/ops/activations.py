"""Nonlinearities of networks, elementwise, exact far out in both tails."""

from __future__ import annotations

import math

import numpy as np

from ..engine.backend import Array, values, xp
from ..engine.primitive import primitive
from .elementwise import check_floats, exp, where

_LARGEST_EXPONENT = {
    np.dtype(kind): math.floor(math.log(float(np.finfo(kind).max)))
    for kind in (np.float16, np.float32, np.float64)
}


@primitive(x=lambda g, out: g * (1 - out * out))
def tanh(x: Array) -> Array:
    """tanh(x)."""
    return xp(x).tanh(x)


@primitive(x=lambda g, out: g * out * (1 - out))
def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + exp(-x))."""
    check_floats("sigmoid", x)
    f = xp(x)
    return 1 / (1 + f.exp(f.minimum(-x, _LARGEST_EXPONENT.get(x.dtype, 709))))


@primitive(x=lambda g, out: g * (values(out) > 0))
def relu(x: Array) -> Array:
    """max(x, 0). Its derivative is 0 at 0."""
    return xp(x).maximum(x, 0)


@primitive(x=lambda g, x, negative_slope: where(values(x) > 0, g, g * negative_slope))
def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """x where x > 0, negative_slope · x elsewhere."""
    return xp(x).where(x > 0, x, x * negative_slope)


@primitive(x=lambda g, x, out, alpha: g * where(values(x) > 0, 1.0, out + alpha))
def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where x > 0, alpha · (exp(x) - 1) elsewhere.

    Source: Clevert, Unterthiner & Hochreiter 2015.
    """
    f = xp(x)
    return f.where(x > 0, x, alpha * f.expm1(f.minimum(x, 0)))


@primitive(
    x=lambda g, x, beta, threshold: where(values(x) * beta > threshold, g, g * sigmoid(x * beta))
)
def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """log(1 + exp(beta · x)) / beta; x itself where beta · x > threshold."""
    f = xp(x)
    z = x * beta
    return f.where(z > threshold, x, (f.maximum(z, 0) + f.log1p(f.exp(-f.abs(z)))) / beta)


@primitive(x=lambda g, x: g * sigmoid(-x))
def logsigmoid(x: Array) -> Array:
    """log σ(x)."""
    check_floats("logsigmoid", x)
    f = xp(x)
    return f.minimum(x, 0) - f.log1p(f.exp(-f.abs(x)))


@primitive(x=lambda g, x: g * (0.5 + 0.5 * erf(x * _SQRT_HALF) + x * exp(-0.5 * x * x) * _DENSITY))
def gelu(x: Array) -> Array:
    """x · Φ(x), with Φ the normal distribution function.

    Source: Hendrycks & Gimpel 2016.
    """
    return x * (0.5 + 0.5 * erf(x * _SQRT_HALF))


def gelu_tanh(x: Array) -> Array:
    """x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2, the approximation of gelu.

    Source: Hendrycks & Gimpel 2016.
    """
    return 0.5 * x * (1 + tanh((x + 0.044715 * (x * x * x)) * _SQRT_TWO_OVER_PI))


_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_SQRT_TWO_OVER_PI = math.sqrt(2 / math.pi)


# ---- the error function, which NumPy lacks -------------------------------------------------------

_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip
_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346047, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip


def _ratio(polynomials: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    """Return the quotient of two polynomials at x, coefficients from the highest power down."""
    top, bottom = (x * 0 + row[0] for row in polynomials)
    for a, b in zip(polynomials[0][1:], polynomials[1][1:], strict=True):
        top, bottom = top * x + a, bottom * x + b
    return top / bottom


@primitive(x=lambda g, x: g * exp(-x * x) * (2 / math.sqrt(math.pi)))
def erf(x: Array) -> Array:
    """The error function 2/√π ∫₀ˣ exp(-t²) dt, to a few units in the last place.

    Source: Cody 1969, Math. Comp. 23, rational approximations in three ranges.
    """
    f = xp(x)
    if x.dtype == np.float16:  # in which the polynomials overflow
        return erf(x.astype(np.float32)).astype(x.dtype)
    size = f.abs(x)
    square = size * size
    near = f.minimum(square, 0.25)
    middle = f.clip(size, 0.46875, 4.0)
    far = 1 / f.clip(square, 16.0, 36.0)
    tail = far * _ratio(_FAR, far)
    tail = (1 / math.sqrt(math.pi) - tail) * f.sqrt(far)
    beyond = f.where(size <= 4.0, _ratio(_MIDDLE, middle), tail) * f.exp(-f.minimum(square, 36.0))
    return f.where(size <= 0.46875, x * _ratio(_NEAR, near), f.sign(x) * (1 - beyond))
