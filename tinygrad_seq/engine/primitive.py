"""How an op is declared: its forward function on arrays, and a VJP rule for each input.

A rule is written once, with operators and ops only, and is run on arrays (a plain backward pass)
and on Tensors (`create_graph=True`, so it has derivatives in turn). Its parameter names say what
the graph must keep: `g` first (the cotangent of the result), then any of the op's own parameters,
`out` (the result) and `<parameter>_shape`. The engine sums a cotangent down to the shape of a
broadcast input, fills in zeros for unused outputs, and adds contributions.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, cast

from .backend import Array
from .graph import Node, Place, backpropagate
from .plan import Plan, Rule
from .record import record
from .tensor import Tensor
from .writes import ages

P = ParamSpec("P")

registry: dict[str, Primitive] = {}
"""Every op by name, in the order of declaration."""


class Primitive:
    """An op: what it computes on arrays, and how a cotangent goes back through it.

    rules: one per differentiable parameter; the rule of a variadic parameter (`*xs`) returns a
    tuple, one cotangent for each.
    """

    def __init__(self, forward: Callable[..., Any], rules: dict[str, Rule]) -> None:
        self.forward = forward
        self.name = forward.__name__.strip("_")
        self.signature = inspect.signature(forward)
        self.parameters = list(self.signature.parameters)
        first = next(iter(self.signature.parameters.values()), None)
        self.variadic = first is not None and first.kind is first.VAR_POSITIONAL
        unknown = set(rules) - set(self.parameters)
        if unknown:
            raise ValueError(f"{self.name}: rules for {sorted(unknown)}, which it does not take")
        self.rules = rules
        self.set_differentiable(list(rules))
        self.plans: dict[int, Plan] = {}

    def set_differentiable(self, names: list[str]) -> None:
        """Nothing; sets the parameters that cotangents go to (`mask`: the same as bits)."""
        self.differentiable = [i for i, name in enumerate(self.parameters) if name in names]
        self.mask = sum(1 << i for i in self.differentiable)

    def bound(self, args: Sequence[Any], static: dict[str, Any]) -> inspect.BoundArguments:
        """Return arguments and options by the names of its parameters, all that it takes."""
        found = self.signature.bind(*args, **static)
        found.apply_defaults()
        return found

    def plan(self, key: int) -> Plan:
        """Return the plan for this pattern of inputs, made once.

        key: bit i is set if input i is differentiable, the highest bit counts the inputs
        """
        found = self.plans.get(key)
        if found is None:
            found = self.plans[key] = Plan(self, key)
        return found

    def pull(
        self, node: Node, g: Any, wanted: set[Node] | None, create_graph: bool
    ) -> list[tuple[Place, Any]]:
        """Return (place, cotangent) for the inputs of this node that are wanted (None: all)."""
        plan: Plan = node.plan
        kept: Any = plan.as_tensors(node) if create_graph else node.kept
        parents: Any = node.parents
        if self.variadic:
            _, rule, picks = plan.rules[0]
            cotangents = rule(g, *[kept[p] for p in picks])
            return [
                (parent, fit(gx, parent))
                for gx, parent in zip(cotangents, parents, strict=True)
                if parent is not None and (wanted is None or parent[0] in wanted)
            ]
        pulled = []
        for i, rule, picks in plan.rules:
            parent = parents[i]
            if wanted is None or parent[0] in wanted:
                if len(picks) == 1:  # spelt out: most rules ask for one thing
                    gx = rule(g, kept[picks[0]])
                else:
                    gx = rule(g, *[kept[p] for p in picks]) if picks else rule(g)
                if gx.shape != parent[0].shapes[parent[1]]:
                    gx = fit(gx, parent)
                pulled.append((parent, gx))
        return pulled


def fit(g: Any, place: Place) -> Any:
    """Return the cotangent g summed down to the shape of the (broadcast) input at `place`.

    An input that lacks axes of its place (see `tensor.of_one`) gets them back.
    """
    shape = place[0].shapes[place[1]]
    if g.shape == shape:
        return g
    if g.ndim < len(shape):
        return g.reshape(shape)
    lead = g.ndim - len(shape)
    if g.shape[lead:] == shape:
        return g.sum(axis=0 if lead == 1 else tuple(range(lead)))
    axes = (*range(lead), *(i + lead for i, n in enumerate(shape) if n == 1 != g.shape[i + lead]))
    return g.sum(axis=axes, keepdims=True).reshape(shape)


class Fused(Primitive):
    """An op with kernels of its own: forward and a joint VJP on arrays, and a definition in ops.

    A plain backward pass calls the joint VJP, which returns one cotangent for each name in `wrt`
    (or None); with create_graph the definition is run and differentiated instead.
    """

    def __init__(
        self, forward: Callable[..., Any], definition: Callable[..., Any], wrt: str, vjp: Rule
    ) -> None:
        super().__init__(forward, {})
        if inspect.signature(definition).parameters.keys() != self.signature.parameters.keys():
            raise ValueError(f"{self.name}: its definition takes other parameters")
        self.definition, self.vjp = definition, vjp
        self.set_differentiable(wrt.split())

    def plan(self, key: int) -> Plan:
        """Return the plan for this pattern of inputs: all inputs are kept, for the definition."""
        found = self.plans.get(key)
        if found is None:
            found = Plan(self, key)
            for name in self.parameters:
                found.number(name)
            asked = list(inspect.signature(self.vjp).parameters)[1:]
            found.rules = [(0, self.vjp, [found.number(name) for name in asked])]
            self.plans[key] = found  # last: another thread may be asking
        return found

    def pull(
        self, node: Node, g: Any, wanted: set[Node] | None, create_graph: bool
    ) -> list[tuple[Place, Any]]:
        """Return (place, cotangent) for the inputs of this node that are wanted (None: all)."""
        if create_graph:
            arguments = node.plan.as_tensors(node)[: len(self.parameters)]
            return pull_through(self.definition, arguments, node, g, create_graph=True)
        kept: Any = node.kept
        _, vjp, picks = node.plan.rules[0]
        cotangents = vjp(g, *[kept[p] for p in picks])
        pulled = []
        for i, gx in zip(self.differentiable, cotangents, strict=True):
            parent = node.parents[i] if i < len(node.parents) else None
            if gx is not None and parent is not None and (wanted is None or parent[0] in wanted):
                pulled.append((parent, fit(gx, parent)))
        return pulled


def pull_through(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    node: Node,
    g: Any,
    create_graph: bool,
) -> list[tuple[Place, Any]]:
    """Return the cotangents of a node's inputs by running `function` again, and back through it.

    arguments: its arguments, with Tensors at the places of the node's inputs
    """
    since = next(ages)
    outs = function(*arguments)
    outs, gs = (outs, g) if node.several else ((outs,), (g,))
    if [o.shape for o in outs] != list(node.shapes):
        raise RuntimeError(
            f"{node.op.name if node.op else 'op'}: run again, the function returned shapes "
            f"{[o.shape for o in outs]}, at first {list(node.shapes)}"
        )
    seeds = [(o.place, g) for o, g in zip(outs, gs, strict=True) if o.place is not None]
    found = backpropagate(seeds, since=since, create_graph=create_graph, retain_graph=create_graph)
    return [(place, gx) for place, gx in found.items() if place in node.parents]


# ---- declarations --------------------------------------------------------------------------------


def primitive(**rules: Rule) -> Callable[[Callable[P, Array]], Callable[P, Tensor]]:
    """Return a decorator that makes an op of a function on arrays.

    rules: for each differentiable parameter, cotangent = rule(g, ...what else it names...)
    The op takes Tensors and gives Tensors; called with arrays alone, it is the function itself.
    """

    def declare(forward: Callable[P, Array]) -> Callable[P, Tensor]:
        return _declared(Primitive(forward, rules))

    return declare


def several_outputs(op: Callable[P, Tensor]) -> Callable[P, tuple[Tensor, ...]]:
    """Return the op itself, typed as one that gives a tuple."""
    return cast("Callable[P, tuple[Tensor, ...]]", op)


def fused(
    definition: Callable[P, Any], *, wrt: str, vjp: Rule
) -> Callable[[Callable[P, Array]], Callable[P, Tensor]]:
    """Return a decorator that makes an op with kernels of a definition in ordinary ops.

    definition: the same function in ops; the oracle of the kernels, and what create_graph uses
    wrt: names of the differentiable parameters
    vjp: their cotangents, a tuple, from g and what else it names
    """

    def declare(forward: Callable[P, Array]) -> Callable[P, Tensor]:
        return _declared(Fused(forward, definition, wrt, vjp))

    return declare


_PLAIN = frozenset({int, float, bool, str, tuple, type(None)})
"""Types of keyword arguments that are never inputs of the graph."""


def _declared(op: Primitive) -> Callable[..., Tensor]:
    if op.name in registry:
        raise ValueError(f"op {op.name} is declared twice")
    registry[op.name] = op
    forward = op.forward

    @functools.wraps(forward)
    def call(*args: Any, **static: Any) -> Any:
        if static and not _PLAIN.issuperset(map(type, static.values())):
            bound = op.bound(args, static)
            args, static = bound.args, bound.kwargs
        for a in args:
            if isinstance(a, Tensor):
                return record(op, args, static)
        return forward(*args, **static)

    call.primitive = op  # type: ignore[attr-defined]
    return call
