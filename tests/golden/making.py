"""What the make scripts share: leaf tensors, and writing or checking the files."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

from golden.store import differences, gap, save


def leaves(arrays: Mapping[str, np.ndarray]) -> dict:
    """Return the arrays as PyTorch tensors; the floating ones collect gradients."""
    import torch

    tensors = {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}
    return {key: t.requires_grad_(t.is_floating_point()) for key, t in tensors.items()}


def finish(files: Mapping[str, Mapping[str, np.ndarray]]) -> int:
    """Write each file, or with `--check` compare with the stored; return the exit status."""
    import torch

    failures: list[str] = []
    for name, arrays in files.items():
        if "--check" in sys.argv[1:]:
            failures += differences(name, arrays)
            print(f"{name}: {len(arrays)} arrays compared")
        else:
            print(save(name, arrays, {"made_with": f"torch {torch.__version__}"}))
        error, key = gap(arrays)
        print(f"  float32 against float64: {error:.1e} at {key}")
    print(*failures, sep="\n", end="\n" if failures else "")
    return 1 if failures else 0
