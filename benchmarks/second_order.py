"""A second-order product through recurrent layers: the backward pass as a scan, or as the loop.

python benchmarks/second_order.py        (minimum of 4, milliseconds)
"""

from __future__ import annotations

import contextlib
import time

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import nn


def product(layer: nn.LSTM | nn.GRU, x: tg.Tensor, backward: contextlib.AbstractContextManager):
    """Gradients with a graph, made in the context `backward`, and those of their squares."""
    leaves = [x, *layer.parameters()]
    loss = (layer(x)[0] ** 2).sum()
    with backward:
        first = tg.grad(loss, leaves, create_graph=True)
    return tg.grad(sum((g * g).sum() for g in first), leaves)


def main() -> None:
    for kind in (nn.LSTM, nn.GRU):
        for T, B, D, H in ((35, 20, 200, 200), (100, 1, 32, 32)):
            layer = kind(D, H, generator=tg.Generator(0))
            values = np.random.default_rng(0).standard_normal((T, B, D), dtype=np.float32)
            x = tg.Tensor(values, requires_grad=True)
            times: dict[str, list[float]] = {"scan": [], "loop": []}
            for _ in range(5):  # the first compiles
                for name, context in (("scan", tg.enable_grad()), ("loop", tg.unrolled())):
                    start = time.perf_counter()
                    product(layer, x, context)
                    times[name].append(1e3 * (time.perf_counter() - start))
            best = {name: min(rounds[1:]) for name, rounds in times.items()}
            print(f"{kind.__name__:5} {(T, B, D, H)}: {best['scan']:.1f} {best['loop']:.1f}")


if __name__ == "__main__":
    main()
