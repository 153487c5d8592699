"""The stored golden files: reading them (cached), writing them, comparing with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FOLDER = Path(__file__).parent / "data"
DTYPES = ("float64", "float32")
CHECK_TOLERANCE = {"float64": 1e-11, "float32": 2e-5}


@cache
def load(name: str) -> dict[str, np.ndarray]:
    """Return every array of `data/{name}.safetensors`, read-only, by its full key."""
    arrays = load_file(FOLDER / f"{name}.safetensors")
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


@cache
def grouped(name: str) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays of a file by `case/dtype`, then by quantity."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, array in load(name).items():
        group, _, quantity = key.rpartition("/")
        groups.setdefault(group, {})[quantity] = array
    return groups


def read(name: str, case: str, dtype: str = "float64") -> dict[str, np.ndarray]:
    """Return the quantities of one case in one dtype: `read("gru", case.name)["output"]`."""
    return grouped(name)[f"{case}/{dtype}"]


def save(name: str, arrays: Mapping[str, np.ndarray], metadata: dict[str, str]) -> str:
    """Write `data/{name}.safetensors`; return a line that says how much."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.safetensors"
    contiguous = {key: np.array(arrays[key], order="C") for key in sorted(arrays)}
    save_file(contiguous, path, metadata)
    path.chmod(0o644)
    return f"{path.name}: {len(arrays)} arrays, {path.stat().st_size / 1000:.0f} kB"


def differences(name: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return what differs between these arrays and the stored file, a line for each key."""
    stored = load(name)
    lines = [f"{name}: {key} is not stored" for key in sorted(arrays.keys() - stored.keys())]
    lines += [f"{name}: {key} is stored, not made" for key in sorted(stored.keys() - arrays.keys())]
    for key in sorted(arrays.keys() & stored.keys()):
        there, here = stored[key], np.asarray(arrays[key])
        if there.shape != here.shape or there.dtype != here.dtype:
            found = f"{there.dtype}{there.shape}, made {here.dtype}{here.shape}"
            lines.append(f"{name}: {key} is stored as {found}")
            continue
        tolerance = CHECK_TOLERANCE[str(here.dtype)]
        if not np.allclose(there, here, rtol=tolerance, atol=tolerance, equal_nan=True):
            lines.append(f"{name}: {key} differs by {np.max(np.abs(there - here)):.2e}")
    return lines


def gap(arrays: Mapping[str, np.ndarray]) -> tuple[float, str]:
    """Return the largest float32 error against float64, relative where above one, and its key."""
    worst = (0.0, "")
    for key, exact in arrays.items():
        rounded = arrays.get(key.replace("/float64/", "/float32/"))
        if "/float64/" in key and rounded is not None and exact.size:
            error = np.abs(rounded - exact) / np.maximum(1, np.abs(exact))
            worst = max(worst, (float(np.nanmax(error)), key))
    return worst
