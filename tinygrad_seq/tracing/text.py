"""Traces as text: an op a line, its results by number, leaves by a letter for their kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .derivative import Derivative
from .hoist import Before
from .step import Trace
from .trace import Entry, Leaf, Symbol

_LEAVES = {Leaf.INPUT: "x", Leaf.STATE: "s", Leaf.OUTER: "w", Leaf.COTANGENT: "g"}


def of_before(before: Before) -> str:
    """Return lines on what runs before the loop, and which inputs and weights it makes."""
    at = len(before.source.outer) - sum(len(cuts) + 1 for *_, cuts in before.splits)
    lines = []
    for number, axis, cuts in before.splits:
        names = ", ".join(f"w{i}" for i in range(at, at + len(cuts) + 1))
        lines.append(f"{names} = split(w{number}, {cuts}, axis={axis})")
        at += len(cuts) + 1
    lines += [f"x{i} = the input x{number}" for i, number in enumerate(before.inputs)]
    given = [
        f"x{len(before.inputs) + i} = {_name(s)}, for all steps" for i, s in enumerate(before.given)
    ]
    return "\n".join([*lines, _listed(before.entries, given)])


def of_step(trace: Trace) -> str:
    """Return lines on what a step computes."""
    state = ["next state: " + ", ".join(map(_name, trace.new))] if trace.new else []
    outputs = "outputs: " + ", ".join(map(_name, trace.outputs))
    return _listed(trace.entries, [*state, outputs])


def of_derivative(trace: Trace, derivative: Derivative) -> str:
    """Return lines on what the backward step computes beside the step's own ops."""
    pairs = zip(trace.leaves, derivative.gradients, strict=True)
    gradients = [f"d{_name(leaf)} = {_name(g)}" for leaf, g in pairs]
    return _listed(derivative.entries[len(trace.entries) :], gradients)


def _name(value: Any) -> str:
    if not isinstance(value, Symbol):
        return repr(value)
    if value.entry in _LEAVES:
        return f"{_LEAVES[value.entry]}{value.number}"
    return f"%{value.entry}" + (f".{value.number}" if value.number else "")


def _listed(entries: Iterable[Entry], last: Iterable[str]) -> str:
    """Return a line for each op: what it gives, its arguments, its shape."""
    lines = []
    for entry in entries:
        options = [f"{k}={v}" for k, v in entry.static.items()]
        arguments = ", ".join([*map(_name, entry.args), *options])
        outs = ", ".join(map(_name, entry.outs))
        lines.append(f"{outs} = {entry.op.name}({arguments})  {entry.outs[0].shape}")
    return "\n".join([*lines, *last])
