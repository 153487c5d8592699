"""How long `import tinygrad_seq` takes: median of fresh interpreters, less an empty one's time.

python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    statements = {"empty": "pass", "numpy": "import numpy", "tinygrad_seq": "import tinygrad_seq"}
    times: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(9):  # interleaved
        for name, statement in statements.items():
            times[name].append(seconds(statement))
    medians = {name: statistics.median(t) for name, t in times.items()}
    for name in ("numpy", "tinygrad_seq"):
        print(f"import {name:12s} {(medians[name] - medians['empty']) * 1e3:6.0f} ms")


if __name__ == "__main__":
    main()
