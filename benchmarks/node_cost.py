"""What a node costs: a tanh-RNN step in the eager graph against the same in hand-written NumPy.

python benchmarks/node_cost.py            (B 32, H 64, float32, forward and backward)
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import ops


def by_hand(x, h, weights, bias):
    """Backpropagation through time as one would write it: gradients of Σ h_T."""
    w_x, w_h = weights
    states = [h]
    for x_t in x:
        states.append(np.tanh(x_t @ w_x + states[-1] @ w_h + bias))
    d_w_x, d_w_h, d_bias = np.zeros_like(w_x), np.zeros_like(w_h), np.zeros_like(bias)
    dh = np.ones_like(h)
    for t in reversed(range(len(x))):
        da = dh * (1 - states[t + 1] * states[t + 1])
        d_w_x += x[t].T @ da
        d_w_h += states[t].T @ da
        d_bias += da.sum(axis=0)
        dh = da @ w_h.T
    return d_w_x, d_w_h, d_bias, dh


def in_graph(x, h, weights, bias):
    """The same, by the engine."""
    w_x, w_h = weights
    state = h
    for x_t in x:
        state = ops.tanh(x_t @ w_x + state @ w_h + bias)
    state.sum().backward()
    gradients = [leaf.grad.array for leaf in (w_x, w_h, bias, h)]
    for leaf in (w_x, w_h, bias, h):
        leaf.grad = None
    return gradients


def seconds(function, *args) -> float:
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=35)
    parser.add_argument("--repeats", type=int, default=101)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=64)
    options = parser.parse_args()
    T, B, H = options.steps, options.batch, options.hidden
    random = np.random.default_rng(0)
    x = list(random.standard_normal((T, B, H), dtype=np.float32))
    h = random.standard_normal((B, H), dtype=np.float32)
    weights = [random.standard_normal((H, H), dtype=np.float32) / H**0.5 for _ in range(2)]
    bias = random.standard_normal(H, dtype=np.float32)
    arrays = (x, h, weights, bias)
    leaves = [tg.tensor(a, requires_grad=True) for a in (h, *weights, bias)]
    tensors = ([tg.tensor(x_t) for x_t in x], leaves[0], leaves[1:3], leaves[3])
    for ours, theirs in zip(in_graph(*tensors), by_hand(*arrays), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    times: dict[str, list[float]] = {"NumPy by hand": [], "tinygrad_seq": []}
    for _ in range(options.repeats):  # interleaved
        times["NumPy by hand"].append(seconds(by_hand, *arrays))
        times["tinygrad_seq"].append(seconds(in_graph, *tensors))
    medians = {name: float(np.median(t)) / T * 1e6 for name, t in times.items()}
    for name, microseconds in medians.items():
        print(f"{name:14s} {microseconds:7.1f} us a step, forward and backward")
    print(f"ratio          {medians['tinygrad_seq'] / medians['NumPy by hand']:7.2f}")
    for name, build in (("chain of 20,000", chain), ("fan of 8,000", fan)):
        sizes = (5_000, 20_000) if "chain" in name else (2_000, 8_000)
        build(sizes[0])
        small, large = (float(np.median([build(n) for _ in range(5)])) for n in sizes)
        print(f"{name}: {large * 1e3:.0f} ms, {large / small:.1f} times a quarter of it")


def chain(n: int) -> float:
    """Seconds for a chain of n nodes, there and back."""
    x = y = tg.tensor(1.0, requires_grad=True)

    def run() -> None:
        nonlocal y
        for _ in range(n):
            y = y + 1.0
        y.backward()

    taken = seconds(run)
    assert x.grad.item() == 1.0
    return taken


def fan(n: int) -> float:
    """Seconds for one value used by n nodes that are summed, there and back."""
    x = tg.tensor(np.ones(64, np.float32), requires_grad=True)
    return seconds(lambda: ops.stack([x * 2.0 for _ in range(n)]).sum().backward())


if __name__ == "__main__":
    main()
