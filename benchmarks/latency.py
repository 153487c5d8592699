"""What compilation makes a user wait for: first use on a machine, a new cell, a second process.

python benchmarks/latency.py

Seconds, median of the rounds; each in a fresh process. First use: the first train step of an LSTM
with an empty cache folder. A new cell: the first train step of another one, in the same process,
nothing of it in the cache. Second process: the first train step of the LSTM with what the first
use left in the cache. Importing the package is not counted; importing Numba is, and shown.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

PROGRAM = """
import sys, time
import numpy as np
sys.path.insert(0, {folder!r})
import recurrent_peers as peers
import tinygrad_seq
times = []
for name in {names!r}.split(","):
    begin = time.perf_counter()
    if name == "numba":
        import numba
    else:
        peers.ours(name, (20, 8, 24, 32))()
    times.append(time.perf_counter() - begin)
print(*times)
"""


def run(names, cache):
    program = PROGRAM.format(folder=os.path.dirname(os.path.abspath(__file__)), names=names)
    environment = {**os.environ, "TINYGRAD_SEQ_CACHE": cache}
    out = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    ).stdout
    return [float(word) for word in out.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    rows: dict[str, list[float]] = {}

    def add(name, seconds):
        rows.setdefault(name, []).append(seconds)

    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            first, new = run("LSTM,GRU", cache)
            add("first use on a machine, LSTM", first)
            add("a new cell, GRU", new)
            imported, second, cell = run("numba,LSTM,layer-norm LSTM", cache)
            add("import numba", imported)
            add("second process, LSTM, after importing numba", second)
            add("a new cell, layer-norm LSTM", cell)
            add("second process, LSTM, with importing numba", run("LSTM", cache)[0])
            add("second process, layer-norm LSTM", run("layer-norm LSTM", cache)[0])
    for name, seconds in rows.items():
        print(f"{name:45s} {statistics.median(seconds):.2f} s  {[round(s, 2) for s in seconds]}")


if __name__ == "__main__":
    main()
