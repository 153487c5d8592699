"""Made-up sequences in a file, to be judged by again: arrays by name, NumPy's .npz."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...serialize import PathLike, check_readable, replacing

Array = npt.NDArray[Any]


def write_arrays(path: PathLike, **arrays: npt.ArrayLike) -> None:
    """Nothing; writes arrays by name, whole or not at all.

    Raises OSError where nothing can be written.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, **{n: np.asarray(a) for n, a in arrays.items()})


def read_arrays(
    path: PathLike,
    shapes: Mapping[str, Sequence[str | int]],
    classes: Mapping[str, int] | None = None,
) -> list[Array]:
    """Return the arrays of these names that `write_arrays` wrote, in their order.

    shapes: of each array by name, such as {"x": ("T", "N", 2), "y": ("N",)}: numbers, and letters
    that are one number of 1 or more wherever they stand
    classes: of the arrays that hold classes, how many classes there are; integers from 0 on. All
    others hold numbers that are finite, and come as float32
    Raises FileNotFoundError, and ValueError naming the file, the array and the place for what is
    no such file and does not fit.
    """
    check_readable(path)
    name, sizes = os.fspath(path), dict[str, int]()
    try:
        if not zipfile.is_zipfile(path):  # NumPy would speak of objects
            raise ValueError("not an .npz file")
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = {key: np.asarray(file[key]) for key in shapes}
    except KeyError as error:
        raise ValueError(f"{name}: expected the arrays {', '.join(shapes)}") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{name}: no arrays that can be read: {error}") from error
    for key, shape in shapes.items():
        _check_shape(f"{name}: {key}", found[key].shape, shape, sizes)
        if classes and key in classes:
            _check_classes(f"{name}: {key}", found[key], classes[key])
        else:
            found[key] = _finite(f"{name}: {key}", found[key])
    return list(found.values())


def _check_shape(
    what: str, shape: tuple[int, ...], expected: Sequence[str | int], sizes: dict[str, int]
) -> None:
    """Nothing; raises ValueError for another shape; letters met first get their sizes."""
    known = [sizes.get(size, size) if isinstance(size, str) else size for size in expected]
    fits = len(shape) == len(known) and all(
        have == size if isinstance(size, int) else have > 0
        for have, size in zip(shape, known, strict=True)
    )
    if not fits:
        raise ValueError(f"{what} is {shape}, expected ({', '.join(map(str, known))})")
    sizes |= {size: n for size, n in zip(expected, shape, strict=True) if isinstance(size, str)}


def _check_classes(what: str, array: Array, number: int) -> None:
    if array.dtype.kind not in "iu":
        raise ValueError(f"{what} is {array.dtype}, expected integers")
    wrong = (array < 0) | (array >= number)
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        raise ValueError(f"{what}{list(place)} is {array[place]}, expected 0 to {number - 1}")


def _finite(what: str, array: Array) -> Array:
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{what} is {array.dtype}, expected numbers")
    wrong = ~np.isfinite(array)
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        raise ValueError(f"{what}{list(place)} is {array[place]}, expected a finite number")
    return array.astype(np.float32)
