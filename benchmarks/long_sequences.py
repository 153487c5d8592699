"""A long sequence: time and peak memory of a train step, whole and in pieces (checkpoint_every).

python benchmarks/long_sequences.py       (LSTM, T 100,000, B 4, D = H 32, float32)

Each row is a process of its own; memory is the peak over what the process held before the step.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import nn


def step_of(cell: nn.LSTMCell):
    """An LSTM step whose output is one column: what is kept for all steps is small."""

    def step(state, x):
        state, h = cell(state, x)
        return state, h[:, :1]

    return step


def measure(steps: int, batch: int, hidden: int, every: int | None) -> dict[str, float]:
    """Seconds and MiB of a forward and a backward pass, the second time, and the gradients' sum."""
    cell = nn.LSTMCell(hidden, hidden, generator=tg.Generator(0))
    values = np.random.default_rng(0).standard_normal((steps, batch, hidden), dtype=np.float32)
    x, zeros = tg.Tensor(values, requires_grad=True), tg.Tensor(np.zeros((batch, hidden), "f4"))

    def train(length: int) -> list[tg.Tensor]:
        part = x[:length]
        _, out = tg.scan(step_of(cell), part, (zeros, zeros), checkpoint_every=every)
        return list(tg.grad((out * out).mean(), [x, *cell.parameters()]))

    train(2 * (every or 100))  # compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    gradients = train(steps)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total = sum(float(np.abs(g.array).sum(dtype=np.float64)) for g in gradients[1:])
    return {"seconds": seconds, "mib": (peak - before) / 1024, "gradients": total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--every", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = (options.steps, options.batch, options.hidden)
    if options.one is not None:
        print(json.dumps(measure(*sizes, int(options.one) or None)))
        return
    names = ("--steps", "--batch", "--hidden")
    flags = [text for name, n in zip(names, sizes, strict=True) for text in (name, str(n))]
    print(f"input and its gradient: {2 * 4 * np.prod(sizes) / 2**20:.0f} MiB")
    for every in (0, *options.every):
        command = [sys.executable, __file__, *flags, "--one", str(every)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        name = f"checkpoint_every={every}" if every else "whole"
        print(f"{name:24} {found['seconds']:6.2f} s  {found['mib']:6.0f} MiB more than the input"
              f"  gradients {found['gradients']:.6g}")  # fmt: skip


if __name__ == "__main__":
    main()
