"""A plan as machine code, and how it is run: tables of sizes and addresses, scratch memory."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..machine import products, runtime
from .lower import FIXED, Source, is_private
from .plan import Plan, columns_of
from .program import Buffer, Program, wide

BLOCK_ROWS = {False: 128, True: 512}
"""Rows a thread between hoisted (forward) and deferred (backward) products; see benchmarks."""

Arrays = dict[str, Any]


class Layout(NamedTuple):
    """What a table holds for some sizes.

    table, packs: with 0 where an address belongs
    scratch: (position in the table, offset into the scratch memory); weights: (position in packs,
    number of the packed weight, offset); named: (position in the table, buffer)
    """

    table: np.ndarray
    packs: np.ndarray
    scratch: list[tuple[int, int]]
    weights: list[tuple[int, int, int]]
    named: list[tuple[int, Buffer]]
    size: int


class Loop:
    """One program of a plan, compiled. shapes: of the trace's outer tensors."""

    def __init__(self, program: Program, shapes: Sequence[tuple[int, ...]], dtype: Any) -> None:
        self.program, self.shapes, self.dtype = program, shapes, np.dtype(dtype)
        d = {4: "f4", 8: "f8"}[self.dtype.itemsize]
        library = runtime.library(d)
        self.source = Source(program, d, products.packed_size(1, 1, self.dtype.itemsize))
        module = runtime.load(self.source.text)
        self.chunk = module.chunk.address
        self.products = module.products.address if self.source.has_products else 0
        names = ("rows_times_packed", "add_outer", "pack_rows", "pack")
        *self.kernels, self.pack = (getattr(library, f"{name}_{d}").address for name in names)
        self.layout = functools.lru_cache(maxsize=64)(self._layout)

    def run(self, steps: int, batch: int, threads: int, arrays: Arrays, outer: Any) -> Arrays:
        """Return the sums over all steps, by the buffers' names; writes into `arrays`."""
        layout = self.layout(steps, batch, threads)
        table, packs, sums = layout.table.copy(), layout.packs.copy(), {}
        scratch = runtime.memory((layout.size,), np.dtype(np.uint8))
        base = runtime.address(scratch)
        for position, offset in layout.scratch:
            table[position] = base + offset
        held = []
        for position, number, offset in layout.weights:
            array, transposed = _stored(outer[self.program.packs[number][0]])
            held.append(array)
            packs[position] = runtime.address(array)
            packs[position + 3] ^= transposed
            packs[position + 4] = base + offset
        for position, buffer in layout.named:
            if buffer.kind == "acc":
                arrays[buffer.name] = sums[buffer.name] = self._accumulator(buffer, threads)
                if is_private(buffer):
                    table[position + 1] = sums[buffer.name].strides[0]
            table[position] = runtime.address(arrays[buffer.name])
        blocks = -(-steps // int(table[FIXED.index("TB")]))
        runtime.run(
            self.pack, runtime.address(packs), self.chunk, self.products, runtime.address(table),
            threads, blocks, self.program.reverse,
        )  # fmt: skip
        for _, buffer in layout.named:
            if buffer.kind == "acc" and is_private(buffer):
                sums[buffer.name] = sums[buffer.name][:, : buffer.width].sum(axis=0)
        return sums

    def _accumulator(self, buffer: Buffer, threads: int) -> np.ndarray:
        if not is_private(buffer):
            return runtime.memory(buffer.shape, self.dtype)
        line = 64 // self.dtype.itemsize
        array = runtime.memory((threads, -(-buffer.width // line) * line), self.dtype)
        array.fill(0)
        return array

    def _bits(self, x: float) -> int:
        """Return the word whose first bytes are the float x."""
        word = np.zeros(8, np.uint8)
        word[: self.dtype.itemsize] = np.array([x], self.dtype).view(np.uint8)
        return int(word.view(np.int64)[0])

    def _layout(self, steps: int, batch: int, threads: int) -> Layout:
        """Return the table for these sizes."""
        size, rows = self.dtype.itemsize, -(-batch // threads)
        block = max(1, min(steps, BLOCK_ROWS[self.program.reverse] // rows))
        table, packs = [steps, batch, block, *self.kernels], [len(self.program.packs)]
        scratch, weights, named, at = [], [], [], 0
        for kind, what in self.source.layout:
            if kind == "size":
                table.append(what)
                continue
            if kind == "constant":
                table.append(self._bits(what))
                continue
            if kind == "pack":
                index, transposed = self.program.packs[what]
                k, n = self.shapes[index][:: -1 if transposed else 1]
                weights.append((len(packs), what, at))
                packs += [0, k, n, int(transposed), 0]
                scratch.append((len(table), at))
                at += _aligned(products.packed_size(k, n, size) * size)
                table.append(0)
                continue
            private = is_private(what)
            if what.kind in ("seq", "pair", "vec", "fixed", "acc"):
                named.append((len(table), what))
                table += [0, 0] if private else [0]
                continue
            height = {"block": block * batch, "panel": block * batch, "row": 1}.get(what.kind, rows)
            length = _aligned(height * what.width * size)
            scratch.append((len(table), at))
            at += length * (threads if private else 1)
            table += [0, length] if private else [0]
        as_words = functools.partial(np.array, dtype=np.int64)
        return Layout(as_words(table), as_words(packs), scratch, weights, named, max(at, 64))


def _aligned(count: int) -> int:
    return -(-count // 64) * 64


def _stored(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return a matrix as it lies in memory, and whether that is its transpose."""
    if array.flags.c_contiguous:
        return array, False
    if array.flags.f_contiguous:
        return array.T, True
    return np.ascontiguousarray(array), False


class Kernel:
    """The compiled scan of a trace: both loops, and the arrays that go between them."""

    def __init__(self, plan: Plan, dtype: Any) -> None:
        self.plan, self.dtype = plan, np.dtype(dtype)
        self.shapes = [s.shape for _, s in plan.trace.outer]
        self.forward_loop = Loop(plan.forward, self.shapes, dtype)

    @functools.cached_property
    def backward_loop(self) -> Loop:
        """The backward loop, compiled when it is first asked for."""
        assert self.plan.backward is not None
        return Loop(self.plan.backward, self.shapes, self.dtype)

    def forward(self, inputs: Any, state: Any, outer: Any) -> tuple[list[Any], Arrays]:
        """Return the final states and the outputs, and the arrays that the backward pass needs.

        inputs (T, B, width) or (T, B)   state (B, width) or (B,)   outer: as traced
        """
        plan, (steps, batch) = self.plan, inputs[0].shape[:2]
        arrays: Arrays = {f"x{i}": self._plain(x) for i, x in enumerate(inputs)}
        for i, (h, leaf) in enumerate(zip(state, plan.states, strict=True)):
            arrays[f"s{i}"] = self._memory(steps + 1, batch, wide(leaf))
            arrays[f"s{i}"][0] = h.reshape(batch, -1)
        for i, symbol in enumerate(plan.trace.outputs):
            if plan.output_of[i] is None:
                arrays[f"y{i}"] = self._memory(steps, batch, columns_of(symbol))
        for buffer in plan.kept:
            arrays[buffer.name] = self._memory(steps, batch, buffer.width)
        arrays |= {f"o{i}": self._outer(i, a) for i, a in enumerate(outer)}
        self.forward_loop.run(steps, batch, _chunks(batch), arrays, outer)
        outs = [arrays[f"s{i}"][steps].reshape(h.shape).copy() for i, h in enumerate(state)]
        for i, (symbol, same) in enumerate(zip(plan.trace.outputs, plan.output_of, strict=True)):
            out = arrays[f"y{i}"] if same is None else arrays[f"s{same}"][1:]
            outs.append(out.reshape(steps, *symbol.shape))
        return outs, arrays

    def backward(self, arrays: Arrays, cotangents: Sequence[Any]) -> list[Any]:
        """Return the gradient of each leaf (inputs, states, outer), None where there is none."""
        plan, arrays, states = self.plan, dict(arrays), len(self.plan.states)
        steps, batch = cotangents[-1].shape[:2]
        for i, g in enumerate(cotangents):
            if i >= states:
                arrays[f"gy{i - states}"] = self._plain(g)
                continue
            pair = arrays[f"gs{i}"] = self._memory(2, batch, wide(plan.states[i]))
            pair[steps & 1] = g.reshape(batch, -1)
        for i, names in enumerate(plan.gradients):
            for name in names:
                if i < len(plan.trace.inputs):
                    arrays[name] = self._memory(steps, batch, wide(plan.leaves[i]))
                elif name.startswith("d"):  # of a tensor with a row for each sequence
                    shape = plan.trace.leaves[i].shape
                    arrays[name] = self._memory(batch, *(shape[1:] or (1,)))
                    arrays[name].fill(0)
        outer = [arrays[f"o{i}"] for i in range(len(self.shapes))]
        sums = self.backward_loop.run(steps, batch, _chunks(batch), arrays, outer)
        return [self._gradient(i, names, arrays | sums) for i, names in enumerate(plan.gradients)]

    def _gradient(self, i: int, names: list[str], arrays: Arrays) -> Any:
        leaf = self.plan.trace.leaves[i]
        if not names or not self.plan.wanted[i]:
            return None
        if names[0].startswith("gs"):
            return arrays[names[0]][0].reshape(leaf.shape).copy()
        total = arrays[names[0]] if len(names) == 1 else sum(arrays[name] for name in names)
        inputs = len(self.plan.trace.inputs)
        return total.reshape((*total.shape[:1], *leaf.shape) if i < inputs else leaf.shape)

    def _plain(self, array: np.ndarray) -> np.ndarray:
        """Return the array as kernels read it: contiguous, of the one dtype."""
        return np.ascontiguousarray(array, self.dtype)

    def _outer(self, i: int, array: np.ndarray) -> np.ndarray:
        """Return an outer tensor as kernels read it; a weight is packed, from any order."""
        return array if i in self.plan.matrices else self._plain(array)

    def _memory(self, *shape: int) -> Any:
        return runtime.memory(shape, self.dtype)


def _chunks(batch: int) -> int:
    """Return how many parts the batch is cut into, one for each thread."""
    return max(1, min(runtime.get_num_threads(), batch))
