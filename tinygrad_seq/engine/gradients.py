"""Derivatives of tensors with respect to tensors: grad, backward, and hooks on gradients."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np

from .backend import Array, as_array, backend_of, is_array, values, xp
from .graph import Hook, LazyCotangent, Place, backpropagate
from .tensor import Tensor, tensor_at
from .writes import lend, whole

Cotangents: TypeAlias = "Tensor | Array | Sequence[Tensor | Array | None] | None"


@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor,
    grad_outputs: Cotangents = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> Tensor: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor],
    grad_outputs: Cotangents = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: Literal[False] = False,
) -> tuple[Tensor, ...]: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor],
    grad_outputs: Cotangents = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    *,
    allow_unused: Literal[True],
) -> tuple[Tensor | None, ...]: ...
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Cotangents = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> Any:
    """Return d(outputs)/d(inputs), weighted by grad_outputs: a Tensor for each input.

    inputs: one Tensor or several; they need not be leaves, and their `.grad` is not touched
    grad_outputs: a cotangent of each output's shape; 1 by default, for outputs of one element
    create_graph: record the backward pass, so that the result can be differentiated again
    allow_unused: return None for an input that the outputs do not depend on
    Raises ValueError for an unused input or a misshapen cotangent, RuntimeError for a freed graph.
    """
    tops = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    ends = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    gs: list[Any] = [grad_outputs]
    if not isinstance(outputs, Tensor):
        if is_array(values(grad_outputs)):
            raise TypeError("grad: several outputs need a sequence of grad_outputs, got one array")
        gs = [None] * len(tops) if grad_outputs is None else list(grad_outputs)
    if len(gs) != len(tops):
        raise ValueError(f"grad: {len(gs)} grad_outputs for {len(tops)} outputs")
    seeds = _seeds("grad", tops, gs, create_graph)
    places: list[Place] = []
    for i, x in enumerate(ends):
        if x.place is None:
            raise ValueError(f"grad: inputs[{i}] does not require a gradient")
        places.append(x.place)
    retain = create_graph if retain_graph is None else retain_graph
    found = backpropagate(seeds, inputs=places, create_graph=create_graph, retain_graph=retain)
    seen = {id(values(g)) for _, g in seeds}
    results = [_own(found[p], seen) if p in found else None for p in places]
    unused = [i for i, result in enumerate(results) if result is None]
    if unused and not allow_unused:
        raise ValueError(
            f"grad: the outputs do not depend on inputs {unused}; allow_unused=True gives None"
        )
    return results[0] if isinstance(inputs, Tensor) else tuple(results)


def backward(
    self: Tensor,
    gradient: Tensor | Array | None = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> None:
    """Nothing; adds to the `.grad` of every leaf its derivative of this tensor.

    gradient: cotangent of this tensor's shape; 1 by default, for one element only
    create_graph: record the backward pass, so that the gradients can be differentiated again
    retain_graph: keep the graph for another backward pass; by default as create_graph
    Raises ValueError for a missing or misshapen gradient, RuntimeError for a freed graph or for a
    tensor that does not require a gradient.
    """
    if self.place is None:
        raise RuntimeError("backward: the tensor does not require a gradient")
    seeds = _seeds("backward", [self], [gradient], create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    found = backpropagate(seeds, create_graph=create_graph, retain_graph=retain)
    seen = {id(values(g)) for _, g in seeds}
    for (node, _), value in found.items():
        leaf = node.leaf() if node.leaf is not None else None
        if leaf is not None and leaf.place is not None:
            before, own = leaf.grad, _own(value, seen)
            leaf.grad = own if before is None else before + own


def _seeds(
    name: str, outputs: list[Tensor], gs: list[Any], create_graph: bool
) -> list[tuple[Place, Any]]:
    """Return the places of the outputs with their cotangents, checked."""
    seeds = []
    for output, g in zip(outputs, gs, strict=True):
        if output.place is None:
            raise RuntimeError(f"{name}: an output does not require a gradient")
        if g is None:
            if output.size != 1:
                raise ValueError(
                    f"{name}: the output has shape {output.shape}; only an output of one element "
                    "has a default cotangent, pass one of that shape"
                )
            g = xp(output.array).ones(output.shape, output.dtype)
        if not isinstance(g, Tensor):
            backend_of(g)  # raises TypeError unless an array or a number
            if isinstance(g, (int, float)) and output.size == 1:
                g = xp(output.array).full(output.shape, g, output.dtype)
            g = tensor_at(lend(as_array(g)) if create_graph else as_array(g), None)
        if type(g.array) is not type(output.array) and g.backend != output.backend:
            raise TypeError(
                f"{name}: the cotangent is on {g.backend}, expected {output.backend}; use .to"
            )
        if g.shape != output.shape or g.dtype != output.dtype:
            raise ValueError(
                f"{name}: the cotangent is {g.dtype}{g.shape}, expected "
                f"{output.dtype}{output.shape}"
            )
        seeds.append((output.place, g if create_graph else g.array))
    return seeds


def _own(value: Any, seen: set[int]) -> Tensor:
    """Return a gradient as a Tensor whose array nothing else holds."""
    key = id(value)
    if key in whole and key not in seen:
        seen.add(key)
        return tensor_at(value, None)
    place, array = None, value
    if type(value) is not np.ndarray:
        if isinstance(value, LazyCotangent):
            sparse = value.gradient()
            return sparse if isinstance(sparse, Tensor) else tensor_at(value.dense(), None)
        place = value.place if isinstance(value, Tensor) else None
        array = as_array(values(value))
        key = id(array)
    if key in seen or not array.flags.owndata:
        array = array.copy()
        key = id(array)
    seen.add(key)
    return tensor_at(array, place)


# ---- hooks ---------------------------------------------------------------------------------------


class RemovableHook:
    """A handle on a registered hook."""

    def __init__(self, hooks: dict[object, Hook], key: object) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        """Nothing; the hook is not called any more. Removing twice is allowed."""
        self._hooks.pop(self._key, None)


def register_hook(self: Tensor, hook: Hook) -> RemovableHook:
    """Return a handle; from now on `hook(gradient)` is called when this tensor's is complete.

    hook: gets the gradient as a Tensor; what it returns (unless None) takes its place
    Raises RuntimeError if the tensor does not require a gradient.
    """
    if self.place is None:
        raise RuntimeError("register_hook: the tensor does not require a gradient")
    key = object()
    hooks = _hooks_of(self.place)
    hooks[key] = lambda g: _call_on_tensor(hook, g)
    return RemovableHook(hooks, key)


def _hooks_of(place: Place) -> dict[object, Hook]:
    node, i = place
    node.hooks = node.hooks or {}
    return node.hooks.setdefault(i, {})


def _call_on_tensor(hook: Hook, g: Any) -> Any:
    if isinstance(g, LazyCotangent):
        g = g.dense()
    raw = not isinstance(g, Tensor)
    before = tensor_at(as_array(g).copy(), None) if raw else g  # the hook may keep it
    after = hook(before)
    if after is None:
        return None
    if not isinstance(after, Tensor) or after.shape != before.shape or after.dtype != before.dtype:
        raise ValueError(
            f"register_hook: the hook returned {after!r}, expected None or a Tensor "
            f"{before.dtype}{before.shape}"
        )
    return after.array.copy() if raw else after


def retain_grad(self: Tensor) -> None:
    """Nothing; from now on `backward` leaves this tensor's gradient in `.grad`, leaf or not."""
    if self.place is None or self.is_leaf:
        return
    reference, key = weakref.ref(self), ("retain_grad", id(self))

    def keep(g: Tensor) -> None:
        tensor = reference()
        if tensor is not None:
            g = g if g.place is not None else tensor_at(g.array.copy(), None)
            tensor.grad = g if tensor.grad is None else tensor.grad + g

    _hooks_of(self.place)[key] = lambda g: _call_on_tensor(keep, g)  # asked for twice: once


Tensor.bind(backward=backward, register_hook=register_hook, retain_grad=retain_grad)
