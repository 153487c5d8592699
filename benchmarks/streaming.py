"""Cells called one step at a time without gradients, beside PyTorch's cells under no_grad.

python benchmarks/streaming.py
python benchmarks/streaming.py --cells LSTM --widths 32 256 --batches 1

Microseconds a step, float32, median of the rounds; PyTorch runs in a process of its own with as
many threads, the two interleaved. That both compute the same is checked.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

STEPS = 200


def numbers(gates, width, batch):
    random = np.random.default_rng(0)
    shapes = {"weight_ih": (gates * width, width), "weight_hh": (gates * width, width)}
    shapes |= {"bias_ih": (gates * width,), "bias_hh": (gates * width,)}
    bound = 1 / width**0.5
    weights = {k: random.uniform(-bound, bound, s).astype(np.float32) for k, s in shapes.items()}
    return weights, random.standard_normal((STEPS, batch, width), dtype=np.float32)


def ours(kind, weights, xs):
    import tinygrad_seq as tg
    from tinygrad_seq import nn

    width = xs.shape[-1]
    cell = getattr(nn, f"{kind}Cell")(width, width)
    cell.load_state_dict(weights)
    xs = [tg.tensor(x) for x in xs]
    start = cell.initial_state(xs[0])

    def run():
        state = start
        with tg.no_grad():
            for x in xs:
                state, _ = cell(state, x)
        return state[0].array

    return run


def theirs(kind, weights, xs):
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    width = xs.shape[-1]
    cell = getattr(torch.nn, f"{kind}Cell")(width, width)
    cell.load_state_dict({k: torch.tensor(a) for k, a in weights.items()})
    xs = [torch.tensor(x) for x in xs]
    zeros = torch.zeros(xs[0].shape)

    def run():
        state = (zeros, zeros) if kind == "LSTM" else zeros
        with torch.no_grad():
            for x in xs:
                state = cell(x, state)
        return (state[0] if kind == "LSTM" else state).numpy()

    return run


def worker(peer, kind, width, batch):
    """Answer each line of input with the microseconds of a step."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    run = {"ours": ours, "torch": theirs}[peer](kind, *numbers(gates, width, batch))
    print(json.dumps(float(np.abs(run()).sum())), flush=True)
    for _ in sys.stdin:
        run()
        start = time.perf_counter()
        run()
        print((time.perf_counter() - start) / STEPS * 1e6, flush=True)


def ask(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def compare(kind, width, batch, rounds, threads):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    arguments = [str(width), str(batch)]
    peers = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", peer, kind, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        for peer in ("ours", "torch")
    ]  # fmt: skip
    checks = [float(process.stdout.readline()) for process in peers]
    assert abs(checks[0] / checks[1] - 1) < 1e-3, checks
    times = [[ask(process) for process in peers] for _ in range(rounds)]
    for process in peers:
        process.stdin.close()
        process.wait()
    ratio = statistics.median(b / a for a, b in times)
    us, them = (statistics.median(t) for t in zip(*times, strict=True))
    print(f"{kind}Cell B {batch} H {width}: {us:.1f} / {them:.1f} us ({ratio:.2f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", nargs="+", default=["LSTM", "GRU", "RNN"])
    parser.add_argument("--widths", nargs="+", type=int, default=[32, 256])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        peer, kind, width, batch = options.worker
        worker(peer, kind, int(width), int(batch))
        return
    for kind in options.cells:
        for width in options.widths:
            for batch in options.batches:
                compare(kind, width, batch, options.rounds, options.threads)


if __name__ == "__main__":
    main()
