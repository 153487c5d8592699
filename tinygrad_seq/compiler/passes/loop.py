"""A program as machine code, and how it is run: tables of sizes and addresses, scratch memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...machine import native, runtime
from ...machine.products import packed, stored
from ...machine.products.stored import FEW, LARGE
from .lower import Source
from .program import Program
from .table import PRODUCTS, is_private

BLOCK_ROWS = {False: 128, True: 192}
"""A thread's rows between hoisted (forward) and deferred (backward) products: what they and the
steps hand each other stays in the second cache, a panel of such rows in the first."""

Arrays = list[Any]


class Loop:
    """One program of a plan, compiled.

    shapes: of the trace's outer tensors
    names: of the arrays that it runs on, of which it may take some only; then of those that it
    adds, sums over all steps
    """

    def __init__(
        self, program: Program, shapes: Sequence[tuple[int, ...]], dtype: Any, names: Sequence[str]
    ) -> None:
        self.program, self.shapes, self.dtype = program, shapes, np.dtype(dtype)
        d = {4: "f4", 8: "f8"}[self.dtype.itemsize]
        library = packed.library(d)
        self.source = Source(program, d, packed.packed_size(1, 1, self.dtype.itemsize))
        code = native.load(self.source.text)
        self.chunk = code["chunk"]
        self.finish = code["finish"] if self.source.has_finish else 0
        *self.kernels, self.pack = (library[name] for name in (*PRODUCTS, "pack"))
        self.stored = functools.partial(stored.library, d)
        self.layout = functools.lru_cache(maxsize=64)(self._layout)
        shared = [b for k, b in self.source.layout if k == "buffer" and not is_private(b)]
        self.sums = [b.shape for b in shared if b.kind == "acc"]
        self.names = [*names, *(b.name for b in shared if b.kind == "acc")]
        places = {name: place for place, name in reversed([*enumerate(self.names)])}
        self.order = [places[b.name] for b in shared]
        self.weights = [places[f"o{index}"] for index, _ in program.packs]

    def run(self, steps: int, batch: int, threads: int, arrays: Arrays) -> None:
        """Nothing; runs on the named arrays, and appends the sums over all steps to them."""
        weights, flipped = [], []
        for place in self.weights:
            array, transposed = _stored(arrays[place])
            weights.append(array)
            flipped.append(transposed)
        few = not self.program.reverse and steps * -(-batch // threads) <= FEW
        job, large = self.layout(
            steps, batch, threads, tuple(flipped), few and self._rowwise(flipped)
        )
        arrays += [runtime.memory(shape, self.dtype) for shape in self.sums]
        taken = [arrays[place] for place in self.order] + weights
        job.run(taken, runtime.get_num_threads() if large else 0)

    def single(self, batch: int) -> tuple[int, runtime.Job, bool]:
        """Return for one step: chunks, its job, and whether threads share the one chunk.

        The job takes arrays by `order`, then `weights`, which are contiguous.
        """
        threads = 1 if batch < FEW else chunks(batch)
        flipped = [False] * len(self.weights)
        few = batch <= FEW and self._rowwise(flipped)
        return threads, *self.layout(1, batch, threads, tuple(flipped), few)

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
    ) -> tuple[runtime.Job, bool]:
        """Return all but the arrays for these sizes, and whether threads share the one chunk.

        flipped: which weights lie transposed; stored: whether they are read as they lie
        """
        size, rows = self.dtype.itemsize, -(-batch // threads)
        most = max(1, min(steps, BLOCK_ROWS[self.program.reverse] // rows))
        block = -(-steps // -(-steps // most))
        table = [steps, batch, block, *self.kernels]
        if stored:
            name = "rows_times_shared" if threads == 1 else "rows_times_stored"
            table[3] = getattr(self.stored(), name).address
        made, panels, positions = [], {}, []
        for kind, what in self.source.layout:
            at = len(table)
            table.append(0)
            if kind == "size":
                table[at] = what
            elif kind == "constant":
                table[at] = self._bits(what)
            elif kind == "pack":
                panels[what] = at
            elif not is_private(what):
                positions.append(at)
            else:
                if what.kind == "part":
                    count = packed.packed_size(what.shape[0], what.width, size)
                else:
                    count = {"tmp": rows, "row": 1}.get(what.kind, block * rows) * what.width
                length = runtime.aligned(count * size)
                table.append(length)
                made.append(([at], length * threads))
        packs = len(table)
        table.append(len(flipped))
        for number, transposed in enumerate(flipped):
            if stored:
                positions.append(panels[number])
                continue
            index, wanted = self.program.packs[number]
            k, n = self.shapes[index][:: -1 if wanted else 1]
            at = len(table)
            positions.append(at)
            made.append(([panels[number], at + 4], packed.packed_size(k, n, size) * size))
            table += [0, k, n, int(wanted) ^ transposed, 0]
        functions = (0 if stored else self.pack, self.chunk, self.finish)
        job = runtime.Job(functions, threads, table, made, positions, packs)
        large = stored and threads == 1 and any(math.prod(s) >= LARGE for s in self.shapes)
        return job, large


def _stored(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return a matrix as it lies in memory, and whether that is its transpose."""
    flags = array.flags
    if flags.c_contiguous:
        return array, False
    if flags.f_contiguous:
        return array.T, True
    return np.ascontiguousarray(array), False


def chunks(batch: int) -> int:
    """Return how many parts the batch is cut into, one for each thread."""
    return 1 if batch == 1 else max(1, min(runtime.get_num_threads(), batch))
