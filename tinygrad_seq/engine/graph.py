"""The graph and the one loop that carries cotangents back through it; it knows no op.

A `Node` is one application of an op. It holds the arrays that its VJP rules asked for and the
*places* of its inputs, a place being (node, number of the output); it never holds a Tensor, so
there are no reference cycles and a graph is freed with the last tensor that leads to it. A node is
younger than all it was made from, so newest first is a topological order: one sort, no recursion.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Protocol, TypeAlias

from . import modes, writes
from .backend import Array, as_array, values, xp
from .writes import ages

Place: TypeAlias = "tuple[Node, int]"
"""Where a value was made: a node, and which of its outputs."""

Hook: TypeAlias = Callable[[Any], Any]


class Op(Protocol):
    """What the graph asks of an op: its name, and the cotangents of a node's inputs."""

    name: str

    def pull(
        self, node: Node, g: Any, wanted: set[Node] | None, create_graph: bool
    ) -> list[tuple[Place, Any]]:
        """Return (place, cotangent) for the inputs of this node that are wanted (None: all).

        g: the cotangent of its result; a tuple of them where it has several, zeros for those that
        were not used, or None, to an op whose `takes_unused` is true
        """


class Node:
    """One application of an op, or (with no op) a leaf: a tensor that gradients are asked for."""

    # What few nodes have is in `__dict__`, which Python makes only for those.
    __slots__ = ("__dict__", "age", "kept", "op", "parents", "plan", "several", "shapes")

    hooks: dict[int, dict[object, Hook]] | None = None
    seals: list[int | None] | None = None
    line: str | None = None
    leaf: weakref.ref[Any] | None = None

    def __init__(
        self,
        op: Op | None,
        parents: list[Place | None],
        kept: Sequence[Any] | None,
        plan: Any,
        shapes: tuple[tuple[int, ...], ...],
        several: bool,
    ) -> None:
        self.op = op
        self.parents = parents
        self.kept = kept  # None once freed
        self.plan = plan
        self.shapes = shapes  # one per output
        self.several = several  # whether the op returns a tuple, be it of one output
        self.age = next(ages)


class LazyCotangent:
    """A cotangent that is mostly zeros: kept as its parts until the dense array is needed."""

    shape: tuple[int, ...]

    def dense(self) -> Array:
        """Return the whole array, freshly made."""
        raise NotImplementedError

    def add_to(self, total: Array) -> None:
        """Nothing; adds this cotangent to the dense array `total`, in place."""
        raise NotImplementedError

    def join(self, other: LazyCotangent) -> LazyCotangent | None:
        """Return the sum of two lazy cotangents as a lazy one, or None where that is no gain."""
        return None

    def gradient(self) -> Any:
        """Return the Tensor to store in a leaf's `.grad` if it can stay sparse there, else None."""
        return None


# ---- the backward pass ---------------------------------------------------------------------------


def backpropagate(
    seeds: Iterable[tuple[Place, Any]],
    *,
    inputs: Iterable[Place] | None = None,
    since: int = 0,
    create_graph: bool = False,
    retain_graph: bool = False,
) -> dict[Place, Any]:
    """Return the cotangents of the leaves, or of `inputs` (and then walk only what leads there).

    seeds: places and their cotangents, arrays, or Tensors with create_graph
    since: nodes of this age or older count as leaves
    Raises RuntimeError where a graph was freed before or a kept array was written into.
    """
    cotangents = Accumulator(in_place=not create_graph)
    for place, g in seeds:
        cotangents.add(place, g)
    nodes = _newest_first(cotangents.sums, since)
    ends = leading = wanted = None
    if inputs is not None:
        ends = set(inputs)
        leading = _leading_to(ends, nodes)
        wanted = leading.union(place[0] for place in ends)
    results: dict[Place, Any] = {}
    sums, add, check = cotangents.sums, cotangents.add, modes.current.anomaly
    with modes.mode(recording=create_graph, lending=False):
        for node in nodes:
            if wanted is not None and node not in wanted:
                continue
            g = _take_several(node, sums.pop) if node.several else sums.pop((node, 0), None)
            if g is None:
                continue
            is_end = node.op is None or node.age <= since
            if node.hooks is not None and node.age > since:
                g = _run_hooks(node, g)
            if is_end or ends is not None:
                _collect(node, g, ends, results)
            if is_end or not (leading is None or node in leading):
                continue
            pulled = _pull(node, g, wanted, create_graph)
            if check:
                _check_finite(node, pulled)
            for place, gx in pulled:
                if place in sums:
                    add(place, gx)
                else:
                    sums[place] = gx
            if not retain_graph:
                node.kept = None
    results.update(sums if ends is None else {place: sums[place] for place in ends & sums.keys()})
    return results


def _take_several(node: Node, take: Callable[..., Any]) -> list[Any] | None:
    """Return the cotangents of all outputs, None for an unused one; None where all are unused."""
    gs = [take((node, i), None) for i in range(len(node.shapes))]
    return next((gs for g in gs if g is not None), None)


def _collect(node: Node, g: Any, ends: set[Place] | None, results: dict[Place, Any]) -> None:
    """Nothing; adds the node's cotangents, or those of them that are asked for, to the results."""
    for i, part in enumerate(g if node.several else (g,)):
        if part is not None and (ends is None or (node, i) in ends):
            results[node, i] = part


def _newest_first(places: Iterable[Place], since: int) -> list[Node]:
    """Return every node that these places were made from, youngest first.

    Leaves that something was made from are left out, but for those with hooks: nothing is to be
    done at them.
    """
    seen: set[Node] = set()
    ahead = list(places)
    while ahead:
        node = ahead.pop()[0]
        if node in seen:
            continue
        seen.add(node)
        if node.age > since:
            ahead += [p for p in node.parents if p and (p[0].op or p[0].hooks is not None)]
    return sorted(seen, key=attrgetter("age"), reverse=True)


def _leading_to(ends: set[Place], nodes: list[Node]) -> set[Node]:
    """Return the nodes that were computed, directly or not, from one of the places `ends`."""
    leading: set[Node] = set()
    for node in reversed(nodes):
        for parent in node.parents:
            if parent is not None and (parent in ends or parent[0] in leading):
                leading.add(node)
                break
    return leading


def _pull(
    node: Node, g: Any, wanted: set[Node] | None, create_graph: bool
) -> list[tuple[Place, Any]]:
    """Return (place, cotangent) for the wanted inputs of a node, from what arrived at it."""
    op = node.op
    assert op is not None
    if node.kept is None:
        raise RuntimeError(
            f"{op.name}: the graph was freed by an earlier backward pass; "
            "pass retain_graph=True there to go through it again"
        )
    may_differ = node.seals is not None or node.age < writes.latest
    if may_differ and writes.overwritten(node.age, node.kept, node.seals):
        raise RuntimeError(
            f"{op.name}: an array that the graph keeps for the backward pass was written into"
            + (f" (op made at {node.line})" if node.line else "")
        )
    if node.several:
        g = [part.dense() if isinstance(part, LazyCotangent) else part for part in g]
        if not getattr(op, "takes_unused", False):
            g = complete(g, node.shapes)
    elif isinstance(g, LazyCotangent):
        g = g.dense()
    return op.pull(node, g, wanted, create_graph)


def _check_finite(node: Node, pulled: list[tuple[Place, Any]]) -> None:
    assert node.op is not None
    for place, g in pulled:
        dense = g.dense() if isinstance(g, LazyCotangent) else values(g)
        if not modes.is_finite(dense):
            raise FloatingPointError(
                f"detect_anomaly: the backward pass of {node.op.name} (made at "
                f"{node.line or 'unknown'}) gave a NaN or Inf to input {node.parents.index(place)}"
            )


def complete(gs: Sequence[Any], shapes: tuple[tuple[int, ...], ...]) -> tuple[Any, ...]:
    """Return the cotangents of several outputs with zeros for those that were not used."""
    some = next(g for g in gs if g is not None)
    return tuple(
        [_zeros_like(some, s) if g is None else g for g, s in zip(gs, shapes, strict=True)]
    )


def _zeros_like(g: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros of this shape beside a cotangent: an array, or a Tensor where it is one."""
    zeros = xp(values(g)).zeros(shape, g.dtype)
    if g is values(g):
        return zeros
    tensor = g.detach()
    tensor.array = zeros
    return tensor


def _run_hooks(node: Node, g: Any) -> Any:
    """Return the cotangents of a node after its hooks have seen, and may have replaced, them."""
    assert node.hooks is not None
    gs = list(g) if node.several else [g]
    for i, hooks in node.hooks.items():
        for hook in list(hooks.values()):
            if gs[i] is not None:
                replaced = hook(gs[i])
                gs[i] = gs[i] if replaced is None else replaced
    return gs if node.several else gs[0]


class Accumulator:
    """Sums of cotangents by place; adds in place only in arrays that it made itself."""

    def __init__(self, in_place: bool) -> None:
        self.sums: dict[Place, Any] = {}
        self.owned: set[Place] = set()
        self.in_place = in_place

    def add(self, place: Place, g: Any) -> None:
        """Nothing; adds g to what has arrived at this place."""
        before = self.sums.get(place)
        if before is None:
            self.sums[place] = g
        elif place in self.owned and not isinstance(g, LazyCotangent):
            before += g
        elif isinstance(g, LazyCotangent) or isinstance(before, LazyCotangent):
            self.sums[place] = self._add_lazy(place, before, g)
        else:
            self.sums[place] = before + g
            if self.in_place and self.sums[place].ndim:
                self.owned.add(place)

    def _add_lazy(self, place: Place, before: Any, g: Any) -> Any:
        """Return the sum of two cotangents of which one is lazy, or both are."""
        if isinstance(before, LazyCotangent):
            before, g = g, before
        if isinstance(before, LazyCotangent):
            joined = g.join(before)
            if joined is not None:
                return joined
            total = before.dense()
        else:
            total = before if place in self.owned else as_array(before).copy()
        g.add_to(total)
        self.owned.add(place)
        return total
