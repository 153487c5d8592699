"""The arithmetic of one context on one set of rows: a pair's, or CBOW's sum or mean of contexts.

As `kernels`, but the errors of at most 8 outputs may stay in registers between both passes.
"""

from __future__ import annotations

import pathlib
from typing import Any

from llvmlite import ir

from ..machine.addresses import I32, I64, Value, cgutils
from ..machine.processor import BYTES
from ..machine.rows import Rows, kernel
from ..machine.vectors.functions import sigmoid
from ..machine.vectors.lanes import Vectors
from .kernels import TILE

TEXT = pathlib.Path(__file__).read_bytes()
"""What compiled code depends on, as it was when this was imported."""


def step(rows: int) -> Any:
    """Return an intrinsic (context, outputs, end, alpha): one step of one context, at most 8 rows.

    As logits, errors and update, but the errors stay in registers: what waits for them does not
    wait for memory too.
    """

    def write(r: Rows, context: Value, outputs: Value, end: Value, alpha: Value) -> None:
        output = [r.word(outputs, j) for j in range(rows)]
        errors_ = _errors_of(r, context, output, end, alpha)
        with r.along(end) as (offset, _):
            column = total = r.load(context, offset)
            old = [r.load(row, offset) for row in output]
            for error, value in zip(errors_, old, strict=True):
                total = r.vectors.fma(error, value, total)
            for error, value, row in zip(errors_, old, output, strict=True):
                r.store(r.vectors.fma(error, column, value), row, offset)
            r.store(total, context, offset)

    return kernel("iiif", write)


def step_average(rows: int) -> Any:
    """Return an intrinsic (contexts, count, outputs, end, h, alpha, scale) of one CBOW step.

    As logits, errors and update_average, for at most 8 rows, with the errors in registers.
    """

    def write(
        r: Rows, table: Value, count: Value, outputs: Value, end: Value, h: Value, alpha: Value,
        scale: Value,
    ) -> None:  # fmt: skip
        b, scales = r.builder, r.vectors.splat(scale)
        output = [r.word(outputs, j) for j in range(rows)]
        errors_ = _errors_of(r, h, output, end, alpha)
        with r.along(end) as (offset, _):
            mean, gradient = r.load(h, offset), r.vectors.constant(0)
            old = [r.load(row, offset) for row in output]
            for error, value in zip(errors_, old, strict=True):
                gradient = r.vectors.fma(error, value, gradient)
            for error, value, row in zip(errors_, old, output, strict=True):
                r.store(r.vectors.fma(error, mean, value), row, offset)
            change = b.fmul(gradient, scales)
            with cgutils.for_range(b, count, intp=I64) as loop:
                row = r.word(table, loop.index)
                r.store(r.add(r.load(row, offset), change), row, offset)

    return kernel("iiiiiff", write)


def _errors_of(
    r: Rows, context: Value, output: list[Value], end: Value, alpha: Value
) -> list[Value]:
    """The errors of a context with each output, each in every lane."""
    b, zero, lanes = r.builder, r.vectors.constant(0), min(TILE, BYTES // 4)
    sums = [cgutils.alloca_once_value(b, zero) for _ in output]
    with r.along(end) as (offset, _):
        column = r.load(context, offset)
        for place, row in zip(sums, output, strict=True):
            b.store(r.vectors.fma(column, r.load(row, offset), b.load(place)), place)
    flat = [b.load(place) for place in sums] + [zero] * (TILE - len(sums))
    few, found = Vectors(b, "f4", 4 * lanes), []
    for part, logits_ in enumerate(r.totals(flat)):
        signs = [-1.0 if part + j == 0 else 1.0 for j in range(lanes)]
        sign = ir.Constant(few.type, signs)
        scale = b.fmul(few.splat(alpha), ir.Constant(few.type, [-x for x in signs]))
        error = b.fmul(sigmoid(few, b.fmul(logits_, sign)), scale)
        found += [b.extract_element(error, ir.Constant(I32, j)) for j in range(lanes)]
    return [r.vectors.splat(error) for error in found[: len(output)]]


def average() -> Any:
    """Return an intrinsic (contexts, count, end, scale, h): h = scale · Σ_i context i."""

    def write(r: Rows, table: Value, count: Value, end: Value, scale: Value, h: Value) -> None:
        b, scales = r.builder, r.vectors.splat(scale)
        place = cgutils.alloca_once(b, r.vectors.type)
        with r.along(end) as (offset, _):
            b.store(r.vectors.constant(0), place)
            with cgutils.for_range(b, count, intp=I64) as loop:
                b.store(r.add(b.load(place), r.load(r.word(table, loop.index), offset)), place)
            r.store(b.fmul(b.load(place), scales), h, offset)

    return kernel("iiifi", write)


def update_average(rows: int) -> Any:
    """Return an intrinsic (contexts, count, outputs, end, errors, h, scale) of one CBOW step.

    context i += scale · Σ_j error[j] · output j,   output j += error[j] · h
    """

    def write(
        r: Rows, table: Value, count: Value, outputs: Value, end: Value, e: Value, h: Value,
        scale: Value,
    ) -> None:  # fmt: skip
        b, scales = r.builder, r.vectors.splat(scale)
        with r.along(end) as (offset, _):
            gradient = cgutils.alloca_once_value(b, r.vectors.constant(0))
            b.store(r.vectors.constant(0), gradient)
            mean = r.load(h, offset)
            with cgutils.for_range(b, r.number(rows), intp=I64) as loop:
                row = r.word(outputs, loop.index)
                error = r.number_at(e, loop.index)
                output = r.load(row, offset)
                b.store(r.vectors.fma(error, output, b.load(gradient)), gradient)
                r.store(r.vectors.fma(error, mean, output), row, offset)
            change = b.fmul(b.load(gradient), scales)
            with cgutils.for_range(b, count, intp=I64) as loop:
                row = r.word(table, loop.index)
                r.store(r.add(r.load(row, offset), change), row, offset)

    return kernel("iiiiiif", write)
