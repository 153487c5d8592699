"""check_grads: derivatives of any order, held against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .engine.backend import Array, convert, get_backend
from .engine.gradients import grad
from .engine.tensor import Tensor

_Function = Callable[[list[Tensor]], list[Tensor]]


def check_grads(
    function: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    *,
    seed: int = 0,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    eps: float = 1e-5,
) -> None:
    """Nothing, if the derivatives of `function` up to this order equal central differences.

    function: Tensors -> a Tensor, or a tuple of Tensors; those without gradient are passed over
    args: its arguments; those Tensors that require a gradient are varied, one at a time along a
    random direction, all else is constant
    order: 2 checks also the derivatives of the first-order VJP, made with create_graph, with
    respect to the arguments and to the cotangents; 3 those of the second order, and so on
    seed: of the directions and of the cotangents
    ⟨g, (f(x + eps·v) - f(x - eps·v)) / (2·eps)⟩ = ⟨vjp(g), v⟩ for unit directions v
    Raises AssertionError that names the order and the argument and shows both numbers, TypeError
    for an argument or a result that is not float64, ValueError where nothing requires a gradient.

    >>> import tinygrad_seq as tg
    >>> from tinygrad_seq import ops
    >>> x = tg.tensor([[0.5, -1.0], [2.0, 0.1]], dtype="float64", requires_grad=True)
    >>> check_grads(lambda x: ops.tanh(x @ x), [x], order=3)
    """
    if order < 1:
        raise ValueError(f"check_grads: order is {order}, expected 1 or more")
    numbers = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
    if not numbers:
        raise ValueError("check_grads: no argument requires a gradient")
    names = [f"argument {i}" for i in numbers]
    points = [args[i].array for i in numbers]
    for name, point in zip(names, points, strict=True):
        _check_float64(name, point)

    def of_varied(leaves: list[Tensor]) -> list[Tensor]:
        given = list(args)
        for i, leaf in zip(numbers, leaves, strict=True):
            given[i] = leaf
        outs = function(*given)
        return [o for o in (outs if isinstance(outs, tuple) else (outs,)) if o.requires_grad]

    random = np.random.default_rng(seed)
    derivative: _Function = of_varied
    for n in range(1, order + 1):
        cotangents = _cotangents(derivative, points, random)
        if not cotangents:
            return
        tolerances = (rtol, atol, eps)
        _check_order(n, derivative, names, points, cotangents, random, tolerances)
        derivative = _vjp(derivative, len(points))
        names = [*names, *(f"order {n}'s cotangent {i}" for i in range(len(cotangents)))]
        points = [*points, *cotangents]


def _check_float64(name: str, array: Array) -> None:
    if array.dtype != np.float64:
        raise TypeError(f"check_grads: {name} is {array.dtype}, expected float64")


def _leaves(points: list[Array]) -> list[Tensor]:
    return [Tensor(point, requires_grad=True) for point in points]


def _cotangents(function: _Function, points: list[Array], random: Any) -> list[Array]:
    """Return a random array like each of the function's results, on its backend."""
    cotangents = []
    for i, out in enumerate(function(_leaves(points))):
        _check_float64(f"result {i}", out.array)
        cotangents.append(convert(random.standard_normal(out.shape), get_backend(out.backend)))
    return cotangents


def _vjp(function: _Function, count: int) -> _Function:
    """Return the function of (`count` arguments, cotangents) that gives the arguments' gradients.

    Those of arguments that the results do not depend on are zero, and left out.
    """

    def pulled(leaves: list[Tensor]) -> list[Tensor]:
        outs = function(leaves[:count])
        found = grad(outs, leaves[:count], leaves[count:], create_graph=True, allow_unused=True)
        return [g for g in found if g is not None and g.requires_grad]

    return pulled


def _check_order(
    n: int,
    function: _Function,
    names: list[str],
    points: list[Array],
    cotangents: list[Array],
    random: Any,
    tolerances: tuple[float, float, float],
) -> None:
    """Nothing; holds the derivative along one direction for each point against differences."""
    rtol, atol, eps = tolerances
    leaves = _leaves(points)
    found = grad(function(leaves), leaves, cotangents, allow_unused=True)
    for i, (name, point, g) in enumerate(zip(names, points, found, strict=True)):
        direction = random.standard_normal(point.shape)
        direction /= max(float(np.sqrt((direction * direction).sum())), 1e-300)
        if g is not None and g.shape != point.shape:
            raise AssertionError(
                f"check_grads: order {n}, {name}: the gradient is {g.shape}, expected {point.shape}"
            )
        along = 0.0 if g is None else float((_host(g.array) * direction).sum())
        step = convert(np.asarray(direction * eps), get_backend(leaves[i].backend))
        ends = []
        for moved in (point + step, point - step):
            outs = function(_leaves([*points[:i], _as_array(moved, point), *points[i + 1 :]]))
            ends.append([_host(out.array) for out in outs])
        difference = sum(
            float((_host(c) * (above - below)).sum())
            for c, above, below in zip(cotangents, *ends, strict=True)
        ) / (2 * eps)
        if not abs(along - difference) <= atol + rtol * max(abs(along), abs(difference)):
            raise AssertionError(
                f"check_grads: order {n}, {name}: the derivative is {along:.10g}, "
                f"central differences give {difference:.10g}"
            )


def _as_array(value: Any, like: Array) -> Array:
    """Return the sum of two 0-d arrays, which NumPy made a scalar, as an array again."""
    return value if type(value) is type(like) else np.asarray(value)


def _host(array: Array) -> np.ndarray:
    return np.asarray(convert(array, get_backend("numpy")))
