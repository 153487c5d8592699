"""Products: matmul, linear, einsum, outer."""

from __future__ import annotations

import math
from typing import Any

from ..engine.backend import Array, xp
from ..engine.primitive import primitive
from ..engine.tensor import Tensor
from ..machine.products.dense import product
from .shape import expand_dims, reshape, squeeze, swapaxes


@primitive(
    x=lambda g, x_shape, y: _matmul_x(g, x_shape, y),
    y=lambda g, x, y_shape: _matmul_y(g, x, y_shape),
)
def matmul(x: Array, y: Array) -> Array:
    """x @ y: products of the last two axes, broadcasting the others; 1-D inputs as in NumPy."""
    if not hasattr(y, "ndim") or not hasattr(x, "ndim"):
        raise TypeError("matmul: got a number, expected arrays; use * to scale")
    if y.ndim == 2 < x.ndim:  # one product instead of one for each leading index
        return product(_rows(x), y).reshape(*x.shape[:-1], y.shape[1])
    return product(x, y)


def _matmul_x(g: Any, x_shape: tuple[int, ...], y: Any) -> Any:
    if len(x_shape) == y.ndim == 2:
        return _times(g, y.T)
    if y.ndim == 1:
        g, y = expand_dims(g, -1), expand_dims(y, -1)
    if len(x_shape) == 1:
        return squeeze(matmul(expand_dims(g, -2), swapaxes(y, -1, -2)), -2)
    return g @ swapaxes(y, -1, -2)


def _matmul_y(g: Any, x: Any, y_shape: tuple[int, ...]) -> Any:
    if x.ndim == len(y_shape) == 2:
        return _times(x.T, g)
    if x.ndim == 1:
        g, x = expand_dims(g, -1 if len(y_shape) == 1 else -2), expand_dims(x, -2)
    if len(y_shape) == 1:
        if g.ndim < x.ndim:
            g = expand_dims(g, -1)
        return squeeze(matmul(swapaxes(x, -1, -2), g), -1)
    if len(y_shape) == 2 < x.ndim:
        return _times(_rows(x).T, _rows(g))
    return matmul(swapaxes(x, -1, -2), g)


def _rows(x: Any) -> Any:
    """Return x as a matrix: all axes but the last as one."""
    return x if x.ndim == 2 else reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _times(x: Any, y: Any) -> Any:
    """Return x @ y of matrices, or of Tensors."""
    return x @ y if isinstance(x, Tensor) or isinstance(y, Tensor) else product(x, y)


def _as_shape(x: Any, shape: tuple[int, ...]) -> Any:
    return x if len(shape) == 2 else reshape(x, shape)


@primitive(
    x=lambda g, x_shape, weight: _as_shape(_times(_rows(g), weight), x_shape),
    weight=lambda g, x: _times(_rows(g).T, _rows(x)),
    bias=lambda g: g,
)
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x @ weight.T + bias.

    x (..., D)   weight (H, D)   bias (H,) or None   ->   (..., H)
    """
    if weight.ndim != 2 or x.ndim == 0:
        raise ValueError(
            f"linear: x is {x.shape}, weight {weight.shape}, expected (..., D) and (H, D)"
        )
    out = product(_rows(x), weight.T, bias)
    return out if x.ndim == 2 else out.reshape(*x.shape[:-1], weight.shape[0])


def outer(x: Tensor, y: Tensor) -> Tensor:
    """Every product x[i] · y[j] of the flattened x (M,) and y (N,), as (M, N)."""
    return reshape(x, (-1, 1)) * reshape(y, (1, -1))


# ---- einsum --------------------------------------------------------------------------------------

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@primitive(xs=lambda g, xs, subscripts: _einsum_cotangents(g, xs, subscripts))
def _einsum(*xs: Array, subscripts: str) -> Array:
    return xp(xs[0]).einsum(subscripts, *xs, optimize=len(xs) > 1)


def einsum(subscripts: str, *xs: Tensor) -> Tensor:
    """Sums of products in Einstein's notation, as NumPy's einsum: "ij,jk->ik".

    Raises ValueError if the subscripts do not fit the shapes.
    """
    return _einsum(*xs, subscripts=_explicit(subscripts, [len(x.shape) for x in xs]))


def _explicit(subscripts: str, ndims: list[int]) -> str:
    """Return the subscripts with letters in place of dots and with the output written out."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} inputs, got {len(ndims)}")
    free = [c for c in _LETTERS if c not in text]
    covered = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True)]
    for term, n, rest in zip(terms, ndims, covered, strict=True):
        if rest < 0 or (rest > 0 and "..." not in term):
            raise ValueError(f"einsum: {term!r} does not fit an input of {n} axes")
    longest = max([d for t, d in zip(terms, covered, strict=True) if "..." in t], default=0)
    dots = "".join(free[:longest])
    terms = [t.replace("...", dots[longest - d :]) for t, d in zip(terms, covered, strict=True)]
    if arrow and dots and "..." not in right:
        raise ValueError(f"einsum: the output of {subscripts!r} lacks the dots of its inputs")
    if arrow:
        return ",".join(terms) + "->" + right.replace("...", dots)
    letters = "".join(t.replace("...", "") for t in left.split(","))
    once = sorted(c for c in set(letters) if letters.count(c) == 1)
    return ",".join(terms) + "->" + dots + "".join(once)


def _einsum_cotangents(g: Any, xs: tuple[Any, ...], subscripts: str) -> tuple[Any, ...]:
    left, _, out = subscripts.partition("->")
    terms = left.split(",")
    lengths = {c: 1 for c in left if c != ","}
    for term, x in zip(terms, xs, strict=True):
        lengths.update({c: n for c, n in zip(term, x.shape, strict=True) if n != 1})
    return tuple(_einsum_cotangent(i, g, xs, terms, out, lengths) for i in range(len(xs)))


def _einsum_cotangent(
    i: int, g: Any, xs: tuple[Any, ...], terms: list[str], out: str, lengths: dict[str, int]
) -> Any:
    """Return the cotangent of input i: g times the other inputs, summed to the letters of input i.

    A letter that stands only in input i was summed there: it is given a factor of ones. A letter
    that stands twice in it picked a diagonal: an identity matrix puts that back.
    """
    arrays = [g, *(x for j, x in enumerate(xs) if j != i)]
    names = [out, *(t for j, t in enumerate(terms) if j != i)]
    make = xp(getattr(g, "array", g))
    free = iter(c for c in _LETTERS if c not in lengths)
    target = ""
    for letter in terms[i]:
        name = letter
        if letter in target:
            name = next(free)
            arrays.append(make.eye(lengths[letter], dtype=g.dtype))
            names.append(letter + name)
        elif not any(letter in t for t in names):
            arrays.append(make.ones(lengths[letter], g.dtype))
            names.append(letter)
        target += name
    return _einsum(*arrays, subscripts=",".join(names) + "->" + target)
