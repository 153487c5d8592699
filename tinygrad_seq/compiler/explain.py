"""explain: what the compiler makes of a step, pass by pass, or why it makes nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..ops.scan import Step, Tensors, check_inputs
from ..tracing import text
from ..tracing.trace import Untraceable
from .fuse import explained
from .passes.program import Program
from .scan import arranged, built_step


@dataclass(frozen=True)
class Explanation:
    """The stages of a compiled step as text; print it to read them one after the other.

    reason: why the step runs unrolled, or the fused function op by op; None if it is compiled
    (else the stages are empty)
    before: the ops that run before the loop, over all steps at once
    step: the traced ops of a step; derivative: the ops of the backward step
    plan: what is kept, hoisted and deferred, in the forward and in the backward program
    source: the generated forward and backward loops
    otherwise: what happens for that reason
    """

    reason: str | None
    before: str = ""
    step: str = ""
    derivative: str = ""
    plan: str = ""
    source: str = ""
    otherwise: str = "The step runs unrolled"

    def __str__(self) -> str:
        if self.reason is not None:
            return f"{self.otherwise}: {self.reason}"
        parts = ("before", "step", "derivative", "plan", "source")
        return "\n\n".join(f"---- {name} ----\n{getattr(self, name)}" for name in parts)


def explain(step: Any, *arguments: Any, lengths: Any = None, reverse: bool = False) -> Explanation:
    """Return what a step or a fused function is compiled to, or why it is not.

    explain(step, inputs, state, lengths=, reverse=): as for `scan`
    explain(fused, *arguments): a function made by `fuse`, as it is called
    Gradients are taken of all that is differentiable.
    Raises ValueError or TypeError as `scan` does.
    """
    function = getattr(step, "fused", None)
    if function is None and len(arguments) != 2:
        raise TypeError(
            f"explain: got a step and {len(arguments)} arguments, expected explain(step, inputs, "
            "state), or a function made by tg.fuse and its arguments"
        )
    try:
        if function is None:
            op = _op_of_step(step, arguments[0], arguments[1], lengths, reverse)
        else:
            op = explained(function, arguments)
    except Untraceable as why:
        if function is not None:
            return Explanation(str(why), otherwise="The function runs op by op")
        return Explanation(str(why))
    trace, derivative, before = op.trace, op.plan.derivative, op.before
    assert derivative is not None
    return Explanation(
        None,
        "nothing" if before is None else text.of_before(before),
        text.of_step(trace),
        text.of_derivative(trace, derivative),
        _planned(op),
        op.kernel.forward_loop.source.text + "\n\n" + op.kernel.backward_loop.source.text,
    )


def _op_of_step(step: Step, inputs: Tensors, state: Tensors, lengths: Any, reverse: bool) -> Any:
    check_inputs(inputs if isinstance(inputs, tuple) else (inputs,), state)
    series, states, forms = arranged(inputs, state, lengths)
    mask = None if lengths is None else series[-1]

    def wanted(leaf: Any) -> bool:
        return leaf is not mask and leaf.dtype.kind == "f"

    return built_step(step, series, states, forms, reverse, wanted)[0][0]


def _planned(op: Any) -> str:
    plan = op.plan
    kept = ", ".join(f"{b.name} (T, B, {b.width})" for b in plan.kept) or "nothing"
    lines = [f"kept for the backward loop, beside inputs, states and outputs: {kept}"]
    backward = plan.backward
    assert backward is not None
    lines += _outside(plan.forward) + _outside(backward)
    return "\n".join(lines)


def _outside(program: Program) -> list[str]:
    """Return lines on what a program does before and after the steps of a block, and in them."""
    lines = [f"{'backward' if program.reverse else 'forward'} loop:"]
    lines += [f"  hoisted before the steps: {v}" for v in program.hoisted]
    lines += [f"  in each step: {v}" for v in program.values]
    for d in program.deferred:
        outer = f"%{d.a.number}.T @ %{d.other.number}"
        product = str(d.other) if d.kind == "rows" else outer
        lines.append(f"  deferred after the steps: {d.out.name} = {product}")
    return lines
