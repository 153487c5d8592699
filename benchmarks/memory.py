"""Peak memory of a train step of recurrent layers, beside PyTorch's.

python benchmarks/memory.py

MB, each in a process of its own: `all` is the process's peak, libraries included; `step` is what
train steps added to what it held after a tiny one, so without libraries and compiled code. The
cell's own arrays (input, weights, their gradients) are part of both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys

from recurrent_peers import BUILT_IN, PEERS

SHAPES = [(100, 64, 128, 256), (35, 64, 650, 650)]  # T, B, D, H


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def worker(peer, name, shape):
    small = PEERS[peer](name, (2, 4, 8, 8))
    for _ in range(3):
        small()
    before = peak()
    train = PEERS[peer](name, shape)
    for _ in range(5):
        train()
    print(json.dumps([peak(), peak() - before]))


def measure(peer, name, shape):
    arguments = [peer, name, *map(str, shape)]
    out = subprocess.run(
        [sys.executable, __file__, "--worker", *arguments],
        check=True, capture_output=True, text=True, env={"OMP_NUM_THREADS": "2", **os.environ},
    ).stdout  # fmt: skip
    return json.loads(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", nargs="+", default=[*BUILT_IN])
    parser.add_argument("--worker", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        peer, name, *shape = options.worker
        worker(peer, name, tuple(map(int, shape)))
        return
    for name in options.cells:
        for shape in SHAPES:
            measure("tinygrad_seq", name, shape)  # compiles, if need be
            (us, ours), (them, theirs) = (
                measure(peer, name, shape) for peer in ("tinygrad_seq", "torch.nn")
            )
            print(f"{name} {shape}: step {ours:.0f} / {theirs:.0f} MB, all {us:.0f} / {them:.0f}")


if __name__ == "__main__":
    main()
