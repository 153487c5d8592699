"""A plan as machine code, and how it is run: tables of sizes and addresses, scratch memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...machine import native, products, runtime, stored
from ...machine.stored import FEW, LARGE
from .lower import Source
from .plan import Plan, columns_of
from .program import Buffer, Program, wide
from .table import PRODUCTS, is_private

BLOCK_ROWS = {False: 128, True: 192}
"""A thread's rows between hoisted (forward) and deferred (backward) products: what they and the
steps hand each other stays in the second cache, a panel of such rows in the first."""

Arrays = dict[str, Any]


class Layout(NamedTuple):
    """What a loop runs on for some sizes.

    job: all but the arrays; names: of those that it takes, before the weights
    sums: of these, what is summed over all steps
    large: whether threads share the one chunk that there is
    """

    job: runtime.Job
    names: list[str]
    sums: list[Buffer]
    large: bool


class Loop:
    """One program of a plan, compiled. shapes: of the trace's outer tensors."""

    def __init__(self, program: Program, shapes: Sequence[tuple[int, ...]], dtype: Any) -> None:
        self.program, self.shapes, self.dtype = program, shapes, np.dtype(dtype)
        d = {4: "f4", 8: "f8"}[self.dtype.itemsize]
        library = products.library(d)
        self.source = Source(program, d, products.packed_size(1, 1, self.dtype.itemsize))
        code = native.load(self.source.text)
        self.chunk = code["chunk"]
        self.finish = code["finish"] if self.source.has_finish else 0
        names = (*PRODUCTS, "pack")
        *self.kernels, self.pack = (library[name] for name in names)
        self.stored = functools.partial(stored.library, d)
        self.layout = functools.lru_cache(maxsize=64)(self._layout)

    def run(self, steps: int, batch: int, threads: int, arrays: Arrays, outer: Any) -> Arrays:
        """Return the sums over all steps, by the buffers' names; writes into `arrays`."""
        weights, flipped = [], []
        for index, _ in self.program.packs:
            array, transposed = _stored(outer[index])
            weights.append(array)
            flipped.append(transposed)
        few = not self.program.reverse and steps * -(-batch // threads) <= FEW
        layout = self.layout(steps, batch, threads, tuple(flipped), few and self._rowwise(flipped))
        sums = {b.name: runtime.memory(b.shape, self.dtype) for b in layout.sums}
        arrays |= sums
        helpers = runtime.get_num_threads() if layout.large else 0
        layout.job.run([arrays[name] for name in layout.names] + weights, helpers)
        return sums

    def single(self, batch: int) -> tuple[int, runtime.Job, list[str], bool]:
        """Return for one step: chunks, job, names of its arrays, whether threads share the chunk.

        The arrays are contiguous.
        """
        threads, packs = 1 if batch < FEW else _chunks(batch), self.program.packs
        flipped = [False] * len(packs)
        few = batch <= FEW and self._rowwise(flipped)
        layout = self.layout(1, batch, threads, tuple(flipped), few)
        names = layout.names + [f"o{index}" for index, _ in packs]
        return threads, layout.job, names, layout.large

    def _rowwise(self, flipped: list[bool]) -> bool:
        """Return whether all weights lie as products of few rows read them: transposed."""
        return all(w != f for (_, w), f in zip(self.program.packs, flipped, strict=True))

    def _bits(self, x: float) -> int:
        """Return the word whose first bytes are the float x."""
        word = np.zeros(8, np.uint8)
        word[: self.dtype.itemsize] = np.array([x], self.dtype).view(np.uint8)
        return int(word.view(np.int64)[0])

    def _layout(
        self, steps: int, batch: int, threads: int, flipped: tuple[bool, ...], stored: bool
    ) -> Layout:
        """Return what the loop runs on for these sizes.

        flipped: which weights lie transposed; stored: whether they are read as they lie
        """
        size, rows = self.dtype.itemsize, -(-batch // threads)
        most = max(1, min(steps, BLOCK_ROWS[self.program.reverse] // rows))
        block = -(-steps // -(-steps // most))
        table = [steps, batch, block, *self.kernels]
        if stored:
            name = "rows_times_shared" if threads == 1 else "rows_times_stored"
            table[3] = getattr(self.stored(), name).address
        made, packed, sums = [], {}, []
        taken: dict[str, int] = {}
        for kind, what in self.source.layout:
            at = len(table)
            table.append(0)
            if kind == "size":
                table[at] = what
            elif kind == "constant":
                table[at] = self._bits(what)
            elif kind == "pack":
                packed[what] = at
            elif not is_private(what):
                taken[what.name] = at
                if what.kind == "acc":
                    sums.append(what)
            else:
                if what.kind == "part":
                    count = products.packed_size(what.shape[0], what.width, size)
                else:
                    count = {"tmp": rows, "row": 1}.get(what.kind, block * rows) * what.width
                length = runtime.aligned(count * size)
                table.append(length)
                made.append(([at], length * threads))
        positions, packs = list(taken.values()), len(table)
        table.append(len(flipped))
        for number, transposed in enumerate(flipped):
            if stored:
                positions.append(packed[number])
                continue
            index, wanted = self.program.packs[number]
            k, n = self.shapes[index][:: -1 if wanted else 1]
            at = len(table)
            positions.append(at)
            made.append(([packed[number], at + 4], products.packed_size(k, n, size) * size))
            table += [0, k, n, int(wanted) ^ transposed, 0]
        functions = (0 if stored else self.pack, self.chunk, self.finish)
        job = runtime.Job(functions, threads, table, made, positions, packs)
        large = stored and threads == 1 and any(math.prod(s) >= LARGE for s in self.shapes)
        return Layout(job, list(taken), sums, large)


def _stored(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return a matrix as it lies in memory, and whether that is its transpose."""
    flags = array.flags
    if flags.c_contiguous:
        return array, False
    if flags.f_contiguous:
        return array.T, True
    return np.ascontiguousarray(array), False


class Kernel:
    """The compiled scan of a trace: both loops, and the arrays that go between them.

    inputs, outer: names of arrays; states, made: names and widths of those that the forward pass
    makes; kept: names by width of those that only the backward pass reads
    leaves: shapes of one step's inputs, of states and outer tensors
    fixed: names and shapes of gradients of tensors that have a row for each sequence
    outputs: for each the array that holds it, from which step on, and its shape without steps
    """

    def __init__(self, plan: Plan, dtype: Any) -> None:
        self.plan, self.dtype = plan, np.dtype(dtype)
        self.batch = (*plan.trace.state, *plan.trace.inputs)[0].shape[0]
        self.shapes = [s.shape for _, s in plan.trace.outer]
        self.inputs = [f"x{i}" for i in range(len(plan.trace.inputs))]
        self.leaves = [symbol.shape for symbol in plan.trace.leaves]
        self.states = [(f"s{i}", wide(leaf)) for i, leaf in enumerate(plan.states)]
        self.outer = [f"o{i}" for i in range(len(self.shapes))]
        self.kept: dict[int, list[str]] = {}
        for buffer in plan.kept:
            self.kept.setdefault(buffer.width, []).append(buffer.name)
        self.made, self.outputs = [], []
        for i, (symbol, same) in enumerate(zip(plan.trace.outputs, plan.output_of, strict=True)):
            name, first = (f"y{i}", 0) if same is None else (f"s{same}", 1)
            self.outputs.append((name, first, symbol.shape))
            if same is None:
                self.made.append((name, columns_of(symbol)))
        first = len(self.inputs) + len(self.states)
        self.fixed = [
            (name, (self.batch, *(shape[1:] or (1,))))
            for names, shape in zip(plan.gradients[first:], self.leaves[first:], strict=False)
            for name in names
            if name.startswith("d")
        ]
        self.forward_loop = Loop(plan.forward, self.shapes, dtype)

    @functools.cached_property
    def backward_loop(self) -> Loop:
        """The backward loop, compiled when it is first asked for."""
        assert self.plan.backward is not None
        return Loop(self.plan.backward, self.shapes, self.dtype)

    def saved(self) -> list[str]:
        """Return the names of the arrays that the forward pass has and the backward pass reads."""
        if self.plan.backward is None:
            return []
        made = {name for name, _ in (*self.states, *self.made)}.union(self.inputs, self.outer)
        made.update(name for names in self.kept.values() for name in names)
        return sorted(self.plan.backward.reads & made)

    def forward(self, inputs: Any, state: Any, outer: Any) -> tuple[list[Any], Arrays]:
        """Return the final states and the outputs, and the arrays that the backward pass needs.

        inputs (T, B, width) or (T, B)   state (B, width) or (B,)   outer: as traced
        """
        steps, batch, outs = len(inputs[0]), self.batch, []
        arrays: Arrays = dict(zip(self.inputs, map(self._plain, inputs), strict=True))
        for (name, width), h in zip(self.states, state, strict=True):
            arrays[name] = self._memory(steps + 1, batch, width)
            arrays[name][0] = h if h.ndim == 2 else h[:, None]
        for width, names in self.kept.items():
            arrays.update(zip(names, self._memory(len(names), steps, batch, width), strict=True))
        for name, width in self.made:
            arrays[name] = self._memory(steps, batch, width)
        for i, name in enumerate(self.outer):  # a weight is packed, from any order
            arrays[name] = outer[i] if i in self.plan.matrices else self._plain(outer[i])
        self.forward_loop.run(steps, batch, _chunks(batch), arrays, outer)
        for (name, _), h in zip(self.states, state, strict=True):
            final = arrays[name][steps]
            outs.append((final if h.ndim == 2 else final[:, 0]).copy())
        for name, first, shape in self.outputs:
            out = arrays[name][first:] if first else arrays[name]
            outs.append(out if len(shape) == 2 else out.reshape(steps, *shape))
        return outs, arrays

    def backward(self, arrays: Arrays, cotangents: Sequence[Any]) -> list[Any]:
        """Return the gradient of each leaf (inputs, states, outer), None where there is none.

        arrays: those that `forward` returned and the backward loop reads; others are added to them
        """
        plan, states = self.plan, len(self.states)
        steps, batch = len(cotangents[-1]), self.batch
        for i, (g, (_, width)) in enumerate(zip(cotangents, self.states, strict=False)):
            pair = arrays[f"gs{i}"] = self._memory(2, batch, width)
            pair[steps & 1] = g if g.ndim == 2 else g[:, None]
        for i, g in enumerate(cotangents[states:]):
            arrays[f"gy{i}"] = self._plain(g)
        for names, leaf in zip(plan.gradients, plan.leaves[: len(self.inputs)], strict=False):
            arrays.update({name: self._memory(steps, batch, wide(leaf)) for name in names})
        for name, shape in self.fixed:
            arrays[name] = self._memory(*shape)
            arrays[name].fill(0)
        outer = [arrays[name] for name in self.outer]
        arrays |= self.backward_loop.run(steps, batch, _chunks(batch), arrays, outer)
        return [self._gradient(i, names, arrays) for i, names in enumerate(plan.gradients)]

    def _gradient(self, i: int, names: list[str], arrays: Arrays) -> Any:
        if not names or not self.plan.wanted[i]:
            return None
        shape = self.leaves[i]
        if names[0].startswith("gs"):
            return arrays[names[0]][0].reshape(shape).copy()
        total = arrays[names[0]] if len(names) == 1 else sum(arrays[name] for name in names)
        if i < len(self.inputs):
            shape = (len(total), *shape)
        return total if total.shape == shape else total.reshape(shape)

    def _plain(self, array: np.ndarray) -> np.ndarray:
        """Return the array as kernels read it: contiguous, of the one dtype."""
        if array.dtype is self.dtype and array.flags.c_contiguous:
            return array
        return np.ascontiguousarray(array, self.dtype)

    def _memory(self, *shape: int) -> Any:
        return runtime.memory(shape, self.dtype)


def _chunks(batch: int) -> int:
    """Return how many parts the batch is cut into, one for each thread."""
    return 1 if batch == 1 else max(1, min(runtime.get_num_threads(), batch))
