"""checkpoint: memory for recomputation. The inside of a function is forgotten and made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .backend import Array
from .graph import Node, Place
from .modes import enable_grad, is_grad_enabled
from .primitive import pull_through
from .random import default_generator
from .tensor import Tensor, tensor_at
from .writes import ages, seal


class _Checkpoint:
    """The op of a checkpointed call: its backward pass runs the function again, recorded."""

    name = "checkpoint"

    def __init__(self) -> None:
        self.generator_state = default_generator().state_dict()

    def pull(
        self, node: Node, g: Any, wanted: set[Node] | None, create_graph: bool
    ) -> list[tuple[Place, Any]]:
        """Return (place, cotangent) of the arguments and of what the function closes over."""
        generator = default_generator()
        before = generator.state_dict()
        generator.load_state_dict(self.generator_state)
        try:
            with enable_grad():
                assert node.kept is not None
                function, args = node.kept[:2]
                return pull_through(function, args, node, g, create_graph)
        finally:
            generator.load_state_dict(before)


def checkpoint(function: Callable[..., Any], *args: Any) -> Any:
    """Return function(*args), keeping only its inputs; the backward pass runs it again.

    function: a Tensor, or a tuple of Tensors, from args and what it closes over (a module's
    parameters, say); it must give the same result each time. Random numbers from the default
    generator are drawn the same again.
    Raises TypeError if the function returns anything else.
    """
    if not is_grad_enabled():
        return function(*args)
    op, inside = _Checkpoint(), tuple(_at_same_place(a) for a in args)
    since = next(ages)
    outs = function(*inside)
    several = isinstance(outs, tuple)
    tensors = outs if several else (outs,)
    if not all(isinstance(t, Tensor) for t in tensors):
        raise TypeError(
            f"checkpoint: the function returned {type(outs).__name__}, expected Tensors"
        )
    parents: list[Place | None] = [*dict.fromkeys(_outside(tensors, since))]
    if not parents:
        return outs
    kept = [function, inside, *_arrays(inside), *_leaf_arrays(parents)]
    shapes = tuple(t.shape for t in tensors)
    node = Node(op, parents, kept, None, shapes, several)
    node.seals = seal(kept)
    result = tuple(
        tensor_at(t.array, (node, i) if t.requires_grad else None) for i, t in enumerate(tensors)
    )
    return result if several else result[0]


def _at_same_place(value: Any) -> Any:
    """Return a second Tensor for a Tensor argument, so that nothing done to the first shows."""
    if isinstance(value, (list, tuple)):
        return type(value)(_at_same_place(part) for part in value)
    return tensor_at(value.array, value.place) if isinstance(value, Tensor) else value


def _arrays(args: Any) -> Iterator[Array]:
    """Yield the arrays of the Tensors among the arguments: what must not be written into."""
    for value in args:
        if isinstance(value, (list, tuple)):
            yield from _arrays(value)
        elif isinstance(value, Tensor):
            yield value.array


def _leaf_arrays(places: list[Place | None]) -> Iterator[Array]:
    """Yield the arrays of the leaves, closed over or given, that the function computes from."""
    for place in places:
        leaf = place[0].leaf() if place is not None and place[0].leaf is not None else None
        if leaf is not None:
            yield leaf.array


def _outside(tensors: tuple[Tensor, ...], since: int) -> Iterator[Place]:
    """Yield the places, made before `since`, that these tensors were computed from."""
    stack = [t.place for t in tensors if t.place is not None]
    seen: set[Node] = set()
    while stack:
        place = stack.pop()
        if place[0].age <= since:
            yield place
        elif place[0] not in seen:
            seen.add(place[0])
            stack.extend(p for p in place[0].parents if p is not None)
