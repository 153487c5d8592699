"""Where the time of a recurrence's train step goes: products, pointwise work, everything else.

python benchmarks/recurrent_shares.py                    (built-in cells and layer-norm LSTM)
python benchmarks/recurrent_shares.py --cells GRU --shapes 1 4 --rounds 9

The same kernels run as they are, without their matrix products, and without their loops: what is
missing each time is the products' share and the pointwise work's. The rest is Python, packing and
waking threads. Beside it stands the floor: the step's products at the rate of NumPy's BLAS for a
product of 2048 x 2048 matrices, in the same process. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import contextmanager

import numpy as np
from recurrent import SHAPES
from recurrent_peers import BUILT_IN, ours, sizes

import tinygrad_seq as tg
from tinygrad_seq.compiler.passes import kernel, table
from tinygrad_seq.machine import native

ARGUMENTS = {"rows_times_packed": 10, "add_outer": 8, "pack_rows": 5}


def nothing(count):
    """The address of a function of so many integers that does nothing."""
    names = ", ".join(f"a{i}" for i in range(count))
    return native.load(f"def nothing({names}):\n    pass\n")["nothing"]


@contextmanager
def loops_made():
    """The list of all loops that are compiled inside."""
    made, init = [], kernel.Loop.__init__

    def noted(self, *args, **options):
        init(self, *args, **options)
        made.append(self)

    kernel.Loop.__init__ = noted
    try:
        yield made
    finally:
        kernel.Loop.__init__ = init


def variants(loop):
    """What a loop consists of: as it is, without products, without anything."""
    names = table.PRODUCTS
    idle = [
        nothing(ARGUMENTS[name]) if name in ARGUMENTS else own
        for name, own in zip(names, loop.kernels, strict=True)
    ]
    finish = loop.finish and nothing(4)
    return {
        "all": (loop.chunk, loop.finish, loop.kernels),
        "no products": (loop.chunk, loop.finish, idle),
        "nothing": (nothing(4), finish, idle),
    }


def measure(name, shape, rounds):
    """Print the shares of one cell's train step."""
    with loops_made() as loops:
        train = ours(name, shape)
        train()
    forms = [variants(loop) for loop in loops]
    times = {form: [] for form in forms[0]}
    for _ in range(rounds):
        for form, taken in times.items():
            for loop, parts in zip(loops, forms, strict=True):
                loop.chunk, loop.finish, loop.kernels = parts[form]
                loop.layout.cache_clear()
            train()
            start = time.perf_counter()
            train()
            repeats = max(1, int(0.02 / (time.perf_counter() - start)))
            start = time.perf_counter()
            for _ in range(repeats):
                train()
            taken.append((time.perf_counter() - start) / repeats)
    whole, pointwise, rest = (1e3 * statistics.median(taken) for taken in times.values())
    matrices = sum(np.prod(s) for s in sizes(name, *shape[2:])[0].values() if len(s) == 2)
    work = 6 * shape[0] * shape[1] * matrices  # forward, and two products backwards
    products = max(whole - pointwise, 1e-9)
    print(
        f"{name:17s} {shape!s:20s} {whole:8.3f} ms: products {products:.3f} "
        f"({work / products / 1e6:.0f} GF/s), pointwise {pointwise - rest:.3f}, rest {rest:.3f}; "
        f"floor {1e3 * work / blas_rate():.3f}",
        flush=True,
    )


def blas_rate():
    """Floating-point operations a second of NumPy's BLAS, the best of five."""
    a = np.ones((2048, 2048), np.float32)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", nargs="+", default=[*BUILT_IN, "layer-norm LSTM"])
    parser.add_argument("--shapes", nargs="+", type=int, default=range(len(SHAPES)))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    tg.set_num_threads(options.threads)
    for name in options.cells:
        for i in options.shapes:
            measure(name, SHAPES[i], options.rounds)


if __name__ == "__main__":
    main()
