"""What runs when: kept for the backward loop, hoisted before the steps, deferred after them.

A `Program` is one loop over time: forwards, or backwards with the derivative. Products of an input
leave it: `x_t @ W` of a block of steps is one product before the block. The cotangent of a weight
leaves it too, as one product of all the block's rows after the block; so do cotangents of inputs
that no other step needs. The backward loop reads what the forward loop kept; what is cheap is
computed again instead.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np

from ...tracing.derivative import Derivative
from ...tracing.step import Trace
from ...tracing.trace import Leaf, Symbol, Untraceable
from . import rules as rules  # it enters its rules
from .expressions import REDUCTIONS, Graph, Value, ordered
from .normalise import Normaliser
from .program import Buffer, Deferred, Program, cost, wide

CHEAP = 20
"""Operations, at most, by which the backward loop computes a value again: they cost no more than a
read. A tanh of what is at hand costs as many."""


OUTSIDE = ("vector", "number", "fixed")
"""Kinds of outer tensors that column loops read; matrices are packed."""


class Plan:
    """The forward and (where gradients are wanted) the backward program of a traced step.

    kinds: what each outer tensor is, by its number: see `Normaliser`
    output_of: for each output the state that it is, or None
    kept: Buffers that the forward program writes for the backward program
    gradients: for each leaf of the trace the names of the buffers that add up to its cotangent
    """

    def __init__(self, trace: Trace, wanted: Sequence[bool], dtype: np.dtype[Any]) -> None:
        batch = (*trace.state, *trace.inputs)[0].shape[0]
        self.trace, self.wanted = trace, list(wanted)
        self.normaliser = n = Normaliser(batch, dtype)
        self.graph: Graph = n.graph
        states = slice(len(trace.inputs), len(trace.inputs) + len(trace.state))
        every = list(wanted)
        every[states] = [True] * len(trace.state)  # the way back goes through the states
        self.derivative = Derivative(trace, every) if any(wanted) else None
        whole = self.derivative or trace
        n.run(whole.entries)
        self.new, self.outputs = ([*map(self._rows, ss)] for ss in (whole.new, whole.outputs))
        self.leaves = [n.value(s) for s in (*trace.inputs, *trace.state)]
        self.states = self.leaves[states]
        self.output_of = [
            next((i for i, new in enumerate(self.new) if new is y), None) for y in self.outputs
        ]
        self.tensors = [v for v in self.graph.made.values() if v.is_leaf("matrix", *OUTSIDE)]
        self.kinds = {v["index"]: v["kind"] for v in self.tensors}
        self.matrices = {i for i, kind in self.kinds.items() if kind == "matrix"}
        if len(self.kinds) < len(self.tensors):
            raise Untraceable("a tensor is a factor of a product and stands beside rows as well")
        read, written = self._reads(), self._writes()
        known = read | {v.number: b for v, b in written if v.op not in ("leaf", "const")}
        gradients = [] if self.derivative is None else self._cotangents(self.derivative)
        kept = self._choose(gradients, known)
        self.kept = [Buffer(f"k{i}", "seq", wide(v)) for i, v in enumerate(kept)]
        pairs = list(zip(kept, self.kept, strict=True))
        self.forward = self._plan_forward(read, written + pairs)
        self.backward: Program | None = None
        self.gradients: list[list[str]] = []
        if self.derivative is not None:
            known.update((v.number, b) for v, b in pairs)
            self.backward = self._plan_backward(self.derivative, known, gradients)

    def _rows(self, s: Symbol) -> Value:
        """Return what a state or an output is. Raises Untraceable unless that is rows."""
        value, batch, dtype = self.normaliser.value(s), self.normaliser.batch, self.normaliser.dtype
        if s.dtype != dtype:
            raise Untraceable(f"a result is {s.dtype}, the state {dtype}")
        number = value.width == 0 or (value.rows and value.width == 1)  # for each row
        flat = len(s.shape) == 1 and not number  # a vector
        if s.shape[:1] != (batch,) or len(s.shape) > 2 or value.op == "transpose" or flat:
            raise Untraceable(f"a state or output is {s.shape}, expected ({batch}, width)")
        return value

    # ---- memory ----------------------------------------------------------------------------------

    def _reads(self) -> dict[int, Buffer]:
        """Return what every step can read: inputs, states, outer tensors."""
        count = len(self.trace.inputs)
        found = {
            v.number: Buffer(f"x{i}" if i < count else f"s{i - count}", "seq", wide(v))
            for i, v in enumerate(self.leaves)
        }
        for v in self.tensors:
            if v["kind"] != "matrix":
                kind = "fixed" if v["kind"] == "fixed" else "vec"
                found[v.number] = Buffer(f"o{v['index']}", kind, wide(v))
        return found

    def _writes(self) -> list[tuple[Value, Buffer]]:
        """Return what every forward step must write: next states and outputs."""
        states = [
            (v, Buffer(f"s{i}", "seq", wide(leaf), 1))
            for i, (v, leaf) in enumerate(zip(self.new, self.states, strict=True))
        ]
        outputs = [
            (v, Buffer(f"y{i}", "seq", columns_of(s)))
            for i, (v, s) in enumerate(zip(self.outputs, self.trace.outputs, strict=True))
            if self.output_of[i] is None
        ]
        return states + outputs

    # ---- forwards --------------------------------------------------------------------------------

    @staticmethod
    def _plan_forward(have: dict[int, Buffer], copies: list[tuple[Value, Buffer]]) -> Program:
        program = Program(have, False, copies)
        for v in ordered(v for v, _ in program.copies):
            if v.op == "matmul" and v.args[0].is_leaf("input"):
                program.pack(v)
                program.hoisted.append(v)
                program.have[v.number] = Buffer(f"h{len(program.hoisted)}", "block", v.width)
        program.finish()
        return program

    def _choose(self, gradients: list[Value | None], known: dict[int, Buffer]) -> list[Value]:
        """Return the forward Values to keep: what is not cheap to compute from what is known."""
        order = ordered([*self.new, *self.outputs])
        inside = {v.number for v in order}
        wanted = [g for g in gradients if g is not None]
        needed = {a.number: a for v in ordered(wanted) if v.number not in inside for a in v.args}
        needed.update({g.number: g for g in wanted})
        sources = self._sources([v for k, v in needed.items() if k in inside], known)
        kept: list[Value] = []
        ready: dict[int, float] = dict.fromkeys(known, 0)  # operations to each value
        for v in order:
            again = cost(v) + sum(ready.get(a.number, math.inf) for a in v.args)
            if v.number in ready:
                continue
            if again <= CHEAP and v.op not in ("matmul", *REDUCTIONS):
                ready[v.number] = again
            elif v.number in needed or v.number in sources:
                ready[v.number] = 0
                kept.append(v)
        return kept

    @staticmethod
    def _sources(values: Iterable[Value], known: Container[int]) -> set[int]:
        """Return the row sums and products to keep: needed numbers (a mean, say) follow from them,
        and so do whole rows that are cheap to compute from them and from what is known.

        The loop writes its products anyway.
        """
        found: set[int] = set()
        for value in values:
            sources: set[int] = set()
            stack, total = [value], 0
            while stack and total < CHEAP:
                v = stack.pop()
                in_loop = v.op == "matmul" and not v.args[0].is_leaf("input")
                if v.op in REDUCTIONS or (in_loop and v.width == value.width):
                    sources.add(v.number)
                elif v.number not in known:
                    total += CHEAP if v.op == "matmul" else cost(v)
                    stack.extend(a for a in v.args if value.width or a.width == 0)
            if total < CHEAP:
                found |= sources
        return found

    # ---- backwards -------------------------------------------------------------------------------

    def _cotangents(self, derivative: Derivative) -> list[Value | None]:
        """Return the cotangent of each leaf, summed over rows where the leaf is no rows."""
        found: list[Value | None] = []
        for symbol, leaf in zip(derivative.gradients, self.trace.leaves, strict=True):
            value = None if symbol is None else self.normaliser.value(symbol)
            outer = self.kinds.get(leaf.number) if leaf.entry == Leaf.OUTER else None
            if value is not None and value.rows and outer not in (None, "fixed"):
                value = self.graph.batch_sum(value, self.normaliser.batch)
            found.append(value)
        return found

    def _plan_backward(
        self, derivative: Derivative, have: dict[int, Buffer], gradients: list[Value | None]
    ) -> Program:
        inputs, states = len(self.trace.inputs), len(self.new)
        for i, s in enumerate(derivative.cotangents):
            v = self.normaliser.value(s)
            if i < states:
                have[v.number] = Buffer(f"gs{i}", "pair", wide(v), 1)
            else:
                have[v.number] = Buffer(f"gy{i - states}", "seq", wide(v))
        program = Program(have, True)
        back = ordered(g for g in gradients[inputs : inputs + states] if g is not None)
        for i, (leaf, g) in enumerate(zip(self.leaves, gradients, strict=False)):
            if i >= inputs:
                out = Buffer(f"gs{i - inputs}", "pair", wide(leaf))
                program.copies.append((self.graph.const(0) if g is None else g, out))
                self.gradients.append([out.name])
                continue
            out = Buffer(f"d{i}", "seq", wide(leaf))
            self.gradients.append([] if g is None else [out.name])
            if g is not None and g.op == "matmul" and g not in back:
                program.pack(g)
                program.deferred.append(Deferred("rows", g.args[0], g, out))
            elif g is not None:
                program.copies.append((g, out))
        for i, g in enumerate(gradients[inputs + states :], inputs + states):
            self.gradients.append([] if g is None else self._plan_outer(program, g, i))
        program.finish()
        return program

    def _plan_outer(self, program: Program, g: Value, leaf: int) -> list[str]:
        """Return the names of the buffers whose sum is the cotangent of an outer tensor."""
        if g.rows:
            out = Buffer(f"d{leaf}", "fixed", wide(g))
            program.sums.append((g, out))
            return [out.name]
        return [self._plan_term(program, term) for term in _terms(g)]

    @staticmethod
    def _plan_term(program: Program, term: Value) -> str:
        """Return the name of the buffer that a sum over rows, or an outer product, goes to.

        Two biases beside each other have one cotangent, and so have two weights of equal rows.
        """
        out = Buffer(f"a{term.number}", "acc", wide(term), shape=term.attrs.get("shape", ()))
        if term.op == "outer" and out not in [d.out for d in program.deferred]:
            program.deferred.append(Deferred("outer", term.args[0], term.args[1], out))
        elif term.op == "batch_sum":
            out.shape = (out.width,)
            if out not in [buffer for _, buffer in program.sums]:
                program.sums.append((term.args[0], out))
        return out.name


def _terms(g: Value) -> list[Value]:
    """Return sums over rows that add up to g."""
    if g.op == "add":
        return _terms(g.args[0]) + _terms(g.args[1])
    if g.op in ("batch_sum", "outer"):
        return [g]
    raise Untraceable(f"the gradient of a tensor in the step is no sum over rows but {g.op}")


def columns_of(s: Symbol) -> int:
    """Return the width of a symbol (B, width) or (B,) in memory."""
    return s.shape[1] if len(s.shape) == 2 else 1
