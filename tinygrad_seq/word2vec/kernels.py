"""The arithmetic of negative sampling on rows of float32, as LLVM vectors at any width.

A target has M output rows (its own, then the negatives) and b context rows, each given by address.
Rows are multiples of 64 bytes long. Logits and errors of one context stand together, M of
them padded; each kernel is a Numba intrinsic made for one M.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from ..machine.addresses import I64, Value, cgutils
from ..machine.processor import BYTES, PROCESSOR, REGISTERS
from ..machine.rows import Rows, kernel
from ..machine.vectors.functions import logsigmoid, sigmoid
from ..machine.vectors.lanes import Vectors

TEXT = pathlib.Path(__file__).read_bytes()
"""What compiled code depends on, as it was when this was imported."""

TILE = 8
"""Output rows whose logits are summed together."""
LINE = 64
"""Bytes of a cache line; rows are a multiple of it."""


def padded(rows: int) -> int:
    """Return how many floats the logits of one context take: a tile, or whole vectors."""
    unit = TILE if rows <= TILE else LINE // 4
    return -(-rows // unit) * unit


def together(rows: int) -> int:
    """Return how many contexts have their sums with `rows` outputs in registers at once."""
    return min(4, max(1, (REGISTERS[PROCESSOR] - 1 - rows) // rows))


# ---- logits and errors ---------------------------------------------------------------------------


def logits(rows: int, contexts: int) -> Any:
    """Return an intrinsic (contexts, outputs, end, x): x[i, j] = context i · output j.

    contexts, outputs: tables of addresses   end: bytes of a row   x: address, 32 bytes a context
    `rows` outputs, at most 8: sums of all pairs stay in registers while the columns pass once.
    """

    def write(r: Rows, context_table: Value, output_table: Value, end: Value, x: Value) -> None:
        context = [r.word(context_table, i) for i in range(contexts)]
        output = [r.word(output_table, j) for j in range(rows)]
        zero = r.vectors.constant(0)
        sums = [[cgutils.alloca_once_value(r.builder, zero) for _ in output] for _ in context]
        with r.along(end) as (offset, _):
            columns = [r.load(row, offset) for row in output]
            for i, row in enumerate(context):
                column = r.load(row, offset)
                for place, other in zip(sums[i], columns, strict=True):
                    total = r.vectors.fma(column, other, r.builder.load(place))
                    r.builder.store(total, place)
        flat: list[Value] = []
        for places in sums:
            flat += [r.builder.load(place) for place in places] + [zero] * (TILE - rows)
        r.store_all(r.totals(flat), x)

    return kernel("iiii", write)


def errors(rows: int) -> Any:
    """Return an intrinsic (x, contexts, alpha): every logit becomes alpha · (label - σ(logit)).

    The label is 1 for a context's first output, 0 for the others. Written as alpha · σ(-logit) and
    -alpha · σ(logit), it is exact in both tails. Behind the last context's, up to 32 bytes change.
    """
    width = padded(rows)

    def write(r: Rows, x: Value, contexts: Value, alpha: Value) -> None:
        v, b = r.vectors, r.builder
        alphas = v.splat(alpha)
        step = max(width, v.lanes)
        end = b.mul(contexts, r.number(4 * width))
        with cgutils.for_range_slice(b, r.number(0), end, r.number(4 * step), I64) as (at, _):
            for part in range(0, step, v.lanes):
                lanes = [(part + i) % width for i in range(v.lanes)]
                sign = r.constants([-1.0 if j == 0 else 1.0 for j in lanes])
                scale = r.constants([0.0 if j >= rows else 1.0 if j == 0 else -1.0 for j in lanes])
                place = b.add(at, r.number(4 * part))
                logit = b.fmul(r.load(x, place), sign)
                error = b.fmul(sigmoid(v, logit), b.fmul(alphas, scale))
                r.store(error, x, place)

    return kernel("iif", write)


def loss(rows: int) -> Any:
    """Return an intrinsic (x, contexts): - Σ log σ(±logit), + for a context's first output."""
    width = padded(rows)

    def write(r: Rows, x: Value, contexts: Value) -> Value:
        b, v = r.builder, Vectors(r.builder, "f4", min(BYTES, 4 * TILE))
        r.vectors = v
        total = cgutils.alloca_once_value(b, ir.Constant(ir.DoubleType(), 0.0))
        with cgutils.for_range(b, contexts, intp=I64) as loop:
            row = b.add(x, b.mul(loop.index, r.number(4 * width)))
            for part in range(0, width, v.lanes):
                lanes = range(part, part + v.lanes)
                sign = r.constants([1.0 if j == 0 else -1.0 for j in lanes])
                there = r.constants([1.0 if j < rows else 0.0 for j in lanes])
                value = logsigmoid(v, b.fmul(r.load(row, 4 * part), sign))
                sum_ = b.fpext(v.total(b.fmul(value, there)), ir.DoubleType())
                b.store(b.fsub(b.load(total), sum_), total)
        return b.load(total)

    return kernel("ii>d", write)


# ---- updates -------------------------------------------------------------------------------------


def update(rows: int) -> Any:
    """Return an intrinsic (contexts, count, outputs, end, errors) of one step on both sides.

    context i += Σ_j error[i, j] · output j,   output j += Σ_i error[i, j] · context i
    Both sums are of the values before the step, also where a context stands twice.
    """
    return kernel("iiiii", _update_narrow(rows) if rows <= TILE else _update_wide(rows))


def _update_narrow(rows: int) -> Callable[..., None]:
    """The columns of all outputs, old and new, stay in registers while the contexts pass."""

    def write(r: Rows, table: Value, count: Value, outputs: Value, end: Value, e: Value) -> None:
        b = r.builder
        output = [r.word(outputs, j) for j in range(rows)]
        with r.along(end) as (offset, _):
            old = [r.load(row, offset) for row in output]
            new = r.outer_sum(old, table, count, offset, e, padded(rows))
            with cgutils.for_range(b, count, intp=I64) as loop:
                error = b.add(e, b.mul(loop.index, r.number(4 * padded(rows))))
                row = r.word(table, loop.index)
                column = r.load(row, offset)
                for j, other in enumerate(old):
                    column = r.vectors.fma(r.number_at(error, j), other, column)
                r.store(column, row, offset)
            for place, row in zip(new, output, strict=True):
                r.store(b.load(place), row, offset)

    return write


def _update_wide(rows: int) -> Callable[..., None]:
    """The contexts' changes of one vector of columns wait behind the errors, outputs in tiles."""
    width = padded(rows)

    def write(r: Rows, table: Value, count: Value, outputs: Value, end: Value, e: Value) -> None:
        b = r.builder
        changes = b.add(e, b.mul(count, r.number(4 * width)))
        with r.along(end) as (offset, _):
            with cgutils.for_range(b, count, intp=I64) as loop:
                error = b.add(e, b.mul(loop.index, r.number(4 * width)))
                change = cgutils.alloca_once_value(b, r.vectors.constant(0))
                b.store(r.vectors.constant(0), change)
                with cgutils.for_range(b, r.number(width), intp=I64) as inner:
                    other = r.load(r.word(outputs, inner.index), offset)
                    factor = r.number_at(error, inner.index)
                    b.store(r.vectors.fma(factor, other, b.load(change)), change)
                r.store(b.load(change), changes, b.mul(loop.index, r.number(BYTES)))
            with cgutils.for_range(b, r.number(width // TILE), intp=I64) as tiles:
                first = b.mul(tiles.index, r.number(TILE))
                some = b.add(outputs, b.mul(first, r.number(8)))
                output = [r.word(some, j) for j in range(TILE)]
                old = [r.load(row, offset) for row in output]
                errors_ = b.add(e, b.mul(first, r.number(4)))
                new = r.outer_sum(old, table, count, offset, errors_, width)
                for place, row in zip(new, output, strict=True):
                    r.store(b.load(place), row, offset)
            with cgutils.for_range(b, count, intp=I64) as loop:
                row = r.word(table, loop.index)
                change = r.load(changes, b.mul(loop.index, r.number(BYTES)))
                r.store(r.add(r.load(row, offset), change), row, offset)

    return write


def prefetch() -> Any:
    """Return an intrinsic (row, end) that asks for a row to be read and written soon.

    To be written: another thread's processor then gives it up at once, not at the first store.
    """

    def write(r: Rows, row: Value, end: Value) -> None:
        lines = cgutils.for_range_slice(r.builder, r.number(0), end, r.number(LINE), I64)
        with lines as (offset, _):
            r.vectors.prefetch(r.builder.add(row, offset), r.number(0), to_write=True)

    return kernel("ii", write)
