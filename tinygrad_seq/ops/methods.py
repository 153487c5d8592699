"""The operators and NumPy methods of a Tensor, bound to the ops that they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine import modes
from ..engine.primitive import Primitive
from ..engine.record import viewed
from ..engine.tensor import Tensor
from . import activations, elementwise, indexing, linalg, reductions, shape


def _reversed(op: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
    return lambda self, other: op(other, self)


_RESHAPE: Primitive = shape.reshape.primitive  # type: ignore[attr-defined]


def _reshape(self: Tensor, *lengths: Any) -> Tensor:
    new = lengths[0] if len(lengths) == 1 else lengths
    if modes.altered:
        return shape.reshape(self, new)
    try:
        array = self.array.reshape(new)
    except (TypeError, ValueError):
        return shape.reshape(self, new)  # it tells what came
    return viewed(_RESHAPE, self, array)


def _transpose(self: Tensor, *axes: Any) -> Tensor:
    several = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return shape.transpose(self, several or None)


Tensor.bind(
    __add__=elementwise.add,
    __radd__=_reversed(elementwise.add),
    __sub__=elementwise.sub,
    __rsub__=_reversed(elementwise.sub),
    __mul__=elementwise.mul,
    __rmul__=_reversed(elementwise.mul),
    __truediv__=elementwise.div,
    __rtruediv__=_reversed(elementwise.div),
    __pow__=elementwise.pow,
    __rpow__=_reversed(elementwise.pow),
    __matmul__=linalg.matmul,
    __rmatmul__=_reversed(linalg.matmul),
    __neg__=elementwise.neg,
    __pos__=lambda self: self,
    __abs__=elementwise.abs,
    __eq__=elementwise.equal,
    __ne__=elementwise.not_equal,
    __lt__=elementwise.less,
    __le__=elementwise.less_equal,
    __gt__=elementwise.greater,
    __ge__=elementwise.greater_equal,
    __invert__=elementwise.invert,
    __and__=elementwise.bitwise_and,
    __rand__=_reversed(elementwise.bitwise_and),
    __or__=elementwise.bitwise_or,
    __ror__=_reversed(elementwise.bitwise_or),
    __getitem__=indexing.getitem,
    __iter__=shape.iterate,
)

Tensor.bind(
    abs=elementwise.abs,
    exp=elementwise.exp,
    log=elementwise.log,
    sqrt=elementwise.sqrt,
    tanh=activations.tanh,
    sigmoid=activations.sigmoid,
    relu=activations.relu,
    clip=elementwise.clip,
    sum=reductions.sum,
    mean=reductions.mean,
    max=reductions.max,
    min=reductions.min,
    var=reductions.var,
    std=reductions.std,
    cumsum=reductions.cumsum,
    logsumexp=reductions.logsumexp,
    softmax=reductions.softmax,
    log_softmax=reductions.log_softmax,
    argmax=reductions.argmax,
    argmin=reductions.argmin,
    all=reductions.all,
    any=reductions.any,
    reshape=_reshape,
    transpose=_transpose,
    swapaxes=shape.swapaxes,
    squeeze=shape.squeeze,
    flatten=lambda self: shape.reshape(self, -1),
    astype=elementwise.astype,
    copy=lambda self: elementwise.astype(self, self.dtype),
    to_backend=elementwise.to_backend,
    T=property(shape.transpose),
)
