"""What a node keeps and how its rules are called, worked out once for each pattern of inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from .graph import Node
from .tensor import tensor_at

if TYPE_CHECKING:
    from .primitive import Primitive

Rule = Callable[..., Any]
Source = Callable[[list[Any]], Any]


class Plan:
    """What to keep and how to call the rules, for one pattern of differentiable inputs of an op.

    gather: takes what a node keeps from the list [inputs..., static values by name, result]
    origins: for each kept thing, the number of the input it is, -1 for the result, -2 for all
    inputs of a variadic op, else None
    rules: (number of the input, rule, numbers of the kept things it asks for)
    """

    def __init__(self, op: Primitive, key: int) -> None:
        self._sources: list[Source] = []
        self.origins: list[int | None] = []
        self.rules: list[tuple[int, Rule, list[int]]] = []
        self.gather = _gatherer(self._sources)
        self.names: dict[str, int] = {}
        self.op, self.key, self.inputs = op, key, key.bit_length() - 1
        without_rule = key & ~op.mask & ~(1 << self.inputs)
        if without_rule and op.mask and not op.variadic:
            name = op.parameters[without_rule.bit_length() - 1]
            raise TypeError(f"{op.name}: {name} has no derivative; detach it")
        for i in op.differentiable:
            rule = op.rules.get(op.parameters[i])
            if rule is not None and (op.variadic or (i < self.inputs and key >> i & 1)):
                names = list(inspect.signature(rule).parameters)[1:]
                self.rules.append((i, rule, [self.number(name) for name in names]))

    def number(self, name: str) -> int:
        """Return which kept thing a rule's parameter `name` is; keep it if it was not kept."""
        if name not in self.names:
            self.names[name] = len(self._sources)
            take, origin = self._source(name)
            self._sources.append(take)
            self.origins.append(origin)
            self.gather = _gatherer(self._sources)
        return self.names[name]

    def _source(self, name: str) -> tuple[Source, int | None]:
        """Return how to take the thing a rule calls `name` from [inputs..., static, result]."""
        if name == "out":
            return itemgetter(-1), -1
        op = self.op
        parameter = name if name in op.parameters else name.removesuffix("_shape")
        if parameter not in op.parameters:
            raise ValueError(f"{op.name}: a rule asks for {name!r}, expected {op.parameters}")
        i = op.parameters.index(parameter)
        if op.variadic and i == 0:
            if name == parameter:
                return (lambda values: tuple(values[:-2])), -2
            return (lambda values: tuple([_shape(v) for v in values[:-2]])), None
        if op.variadic or i >= self.inputs:
            default = op.signature.parameters[parameter].default
            return (lambda values: values[-2].get(parameter, default)), None
        if name == parameter:
            return itemgetter(i), i
        if self.key >> i & 1:  # it has a place: it is an array
            return (lambda values: values[i].shape), None
        return (lambda values: _shape(values[i])), None

    def as_tensors(self, node: Node) -> list[Any]:
        """Return what a node kept, with the arrays as Tensors at their places in the graph."""
        assert node.kept is not None
        return [_attached(k, node, o) for k, o in zip(node.kept, self.origins, strict=True)]


def _gatherer(sources: list[Source]) -> Callable[[list[Any]], Any]:
    """Return a function that takes all sources at once; spelt out for few, as most ops have."""
    if len(sources) == 1:
        (first,) = sources
        return lambda values: (first(values),)
    if len(sources) == 2:
        first, second = sources
        return lambda values: (first(values), second(values))
    taken = list(sources)
    return (lambda values: [take(values) for take in taken]) if taken else (lambda values: ())


def _shape(value: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = value.shape if hasattr(value, "shape") else np.shape(value)
    return shape


def _attached(value: Any, node: Node, origin: int | None) -> Any:
    if origin is None:
        return value
    if origin == -1:
        if isinstance(value, tuple):
            return tuple([tensor_at(v, (node, j)) for j, v in enumerate(value)])
        return tensor_at(value, (node, 0))
    if origin == -2:
        return tuple(
            [v if p is None else tensor_at(v, p) for v, p in zip(value, node.parents, strict=True)]
        )
    place = node.parents[origin]
    return value if place is None else tensor_at(value, place)
