"""A train step of recurrences, beside PyTorch's own layers, eager PyTorch loops and jax.lax.scan.

python benchmarks/recurrent.py                           (every cell and shape; minutes)
python benchmarks/recurrent.py --cells LSTM GRU --shapes 0 3 --rounds 9

A train step is forward and backward, with gradients of inputs, weights, biases and initial state,
in float32. Every peer runs in its own process, with its own two threads; each round takes one
sample of each in turn, after a rest: a peer's threads look for work for up to 20 ms after its turn.
Figures are medians over the rounds and quartiles, ratios the median of the rounds' ratios; with
--threads 1 they are of processor time, which a busy machine disturbs less. With --busy, so many
processes compute beside them. A peer that is not installed is left out. That all compute the same
is checked: the sum of |dx| is compared. "cost of layer norm" sets our layer-norm LSTM beside our
plain one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from recurrent_peers import BUILT_IN, CELLS, NORMALISED, PEERS, peers_of

REST = 0.05
"""Seconds between samples, in which the last peer's threads fall asleep."""

BUSY = "while True: sum(range(10**6))"

SHAPES = [  # T, B, D, H
    (35, 20, 200, 200),
    (100, 64, 128, 256),
    (50, 128, 64, 128),
    (100, 1, 32, 32),
    (35, 64, 650, 650),
    (1000, 8, 64, 64),
]


def worker(peer, name, shape):
    """Answer each line of input with the seconds of one train step."""
    start = time.perf_counter()
    try:
        train = PEERS[peer](name, shape)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    check = float(np.abs(train()).sum())
    first = time.perf_counter() - start
    train()
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    start = clock()
    train()
    repeats = max(1, int(0.03 / (clock() - start)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"first": first, "MB": memory, "check": check}), flush=True)
    for _ in sys.stdin:
        train()  # the others' turns have emptied the caches
        start = clock()
        for _ in range(repeats):
            train()
        print((clock() - start) / repeats, flush=True)


def start(peer, name, shape, threads):
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=true",
    }
    arguments = ["--worker", peer, "--cells", name, "--shape", *map(str, shape)]
    return subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if "jax" in peer else None,
        text=True,
        env=environment,
    )


def sample(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def compare(name, shape, rounds, threads):
    """Print one row: the first peer's time, the others' as multiples of it."""
    processes, about, times = {}, {}, {}
    for peer in peers_of(name):
        process = start(peer, name, shape, threads)
        line = json.loads(process.stdout.readline() or '{"missing": "it failed"}')
        if "missing" not in line:
            processes[peer], about[peer], times[peer] = process, line, []
    for _ in range(rounds):
        for peer, process in processes.items():
            time.sleep(REST)
            times[peer].append(sample(process))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    base = peers_of(name)[0]
    if base not in times:
        print(f"{name:17s} {shape!s:20s} failed", flush=True)
        return
    cells = []
    for peer, taken in times.items():
        agree = abs(about[peer]["check"] / about[base]["check"] - 1) < 1e-3 or name == NORMALISED
        quartiles = np.percentile([1e3 * t for t in taken], [25, 50, 75])
        cells.append(
            f"{peer} {quartiles[1]:.2f} ms ({quartiles[0]:.2f}-{quartiles[2]:.2f})"
            + (f" x{statistics.median(map(div, taken, times[base])):.2f}" if peer != base else "")
            + f" {about[peer]['MB']} MB, first {about[peer]['first']:.1f} s"
            + ("" if agree else " OTHER NUMBERS")
        )
    print(f"{name:17s} {shape!s:20s} " + " | ".join(cells), flush=True)


def div(x, y):
    return x / y


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", nargs="+", default=[*BUILT_IN, *CELLS, NORMALISED, "streaming"])
    parser.add_argument("--shapes", nargs="+", type=int, default=range(len(SHAPES)))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--shape", nargs=4, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.cells[0], tuple(options.shape))
        return
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(options.busy)]
    try:
        for name in options.cells:
            for i in [3] if name == "streaming" else options.shapes:
                compare(name, SHAPES[i], options.rounds, options.threads)
    finally:
        for process in busy:
            process.kill()


if __name__ == "__main__":
    main()
