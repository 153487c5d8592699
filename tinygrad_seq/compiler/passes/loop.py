"""A program as machine code, and how it is run: tables of sizes and addresses, scratch memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from ...machine import native, runtime
from ...machine.products import packed, stored
from ...machine.products.stored import FEW, LARGE
from .lower import Source
from .program import Program
from .table import FIXED, PRODUCTS, is_private

BLOCK_ROWS = {False: 128, True: 192}
"""A thread's rows between hoisted (forward) and deferred (backward) products: what they and the
steps hand each other stays in the second cache, a panel of such rows in the first."""

APART = 4096
"""Bytes between what two threads write: a processor that reads ahead along a thread's rows, never
beyond a page, takes no lines away from the other."""

Arrays = list[Any]


class Loop:
    """One program of a plan, compiled.

    shapes: of the trace's outer tensors
    names: of the arrays that it runs on, of which it may take some only; then of sums over all
    steps, whose shapes are `sums`
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
        first, *others = self.order + self.weights
        self.take = itemgetter(first, *others, 0)  # two at least: they come as a tuple

    def run(self, steps: int, batch: int, threads: int, arrays: Arrays) -> None:
        """Nothing; runs on the named arrays, of which weights may lie in any order."""
        flipped = []
        for place in self.weights:
            flags = arrays[place].flags
            flipped.append(not flags.c_contiguous)
            if not (flags.c_contiguous or flags.f_contiguous):
                arrays[place], flipped[-1] = np.ascontiguousarray(arrays[place]), False
        job, large = self.layout(steps, batch, threads, tuple(flipped))
        job.run(self.take(arrays), runtime.get_num_threads() if large else 0)

    def single(self, batch: int) -> tuple[int, runtime.Job, bool]:
        """Return for one step: chunks, its job, and whether threads share the one chunk.

        The job takes arrays by `order`, then `weights`, which are contiguous.
        """
        threads = 1 if batch < FEW else chunks(batch)
        return threads, *self.layout(1, batch, threads, (False,) * len(self.weights))

    def _bits(self, x: float) -> int:
        """Return the word whose first bytes are the float x."""
        word = np.zeros(8, np.uint8)
        word[: self.dtype.itemsize] = np.array([x], self.dtype).view(np.uint8)
        return int(word.view(np.int64)[0])

    def _layout(
        self, steps: int, batch: int, threads: int, flipped: tuple[bool, ...]
    ) -> tuple[runtime.Job, bool]:
        """Return all but the arrays for these sizes, and whether threads share the one chunk.

        flipped: which weights lie transposed; few rows are multiplied without packing them, if all
        lie as such products read them
        """
        rows = -(-batch // threads)
        pairs = zip(self.program.packs, flipped, strict=True)
        transposed = all(wanted != lies for (_, wanted), lies in pairs)
        unpacked = not self.program.reverse and steps * rows <= FEW and transposed
        most = max(1, min(steps, BLOCK_ROWS[self.program.reverse] // rows))
        block = -(-steps // -(-steps // most))
        table = [steps, batch, block, *self.kernels, 0]
        if unpacked:
            table[3] = self.stored()["rows_times_stored"]
        panels, positions, made = self._place(table, rows, block)
        own = APART + sum(runtime.aligned(count) for _, count in made)
        table[FIXED.index("stride")] = own
        made.append(([], own * (threads - 1) + APART))
        packs = len(table)
        table.append(len(flipped))
        for number, lies in enumerate(flipped):
            if unpacked:
                positions.append(panels[number])
                continue
            index, wanted = self.program.packs[number]
            k, n = self.shapes[index][:: -1 if wanted else 1]
            at = len(table)
            positions.append(at)
            made.append(([panels[number], at + 4], self._packed_bytes(k, n)))
            table += [0, k, n, int(wanted) ^ lies, 0]
        functions = (0 if unpacked else self.pack, self.chunk, self.finish)
        job = runtime.Job(functions, threads, table, made, positions, packs)
        large = unpacked and threads == 1 and any(math.prod(s) >= LARGE for s in self.shapes)
        return job, large

    def _place(
        self, table: list[int], rows: int, block: int
    ) -> tuple[dict[int, int], list[int], list[tuple[list[int], int]]]:
        """Return where a table gets addresses, after adding the words of the source's layout to it.

        rows: a thread's, in a step; block: steps of a block
        Of packed weights by number, of arrays, and of a thread's own buffers with their bytes.
        """
        panels, positions, made = {}, [], []
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
            elif what.kind == "part":
                made.append(([at], self._packed_bytes(what.shape[0], what.width)))
            else:
                count = {"tmp": rows, "row": 1}.get(what.kind, block * rows) * what.width
                made.append(([at], count * self.dtype.itemsize))
        return panels, positions, made

    def _packed_bytes(self, k: int, n: int) -> int:
        """Return the bytes of a matrix (k, n) in panels."""
        size: int = self.dtype.itemsize
        return packed.packed_size(k, n, size) * size


def chunks(batch: int) -> int:
    """Return how many parts the batch is cut into, one for each thread."""
    return 1 if batch == 1 else max(1, min(runtime.get_num_threads(), batch))
