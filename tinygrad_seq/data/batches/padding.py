"""Sequences of different lengths side by side in one array, time first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Ids: TypeAlias = npt.NDArray[np.int64]


def pad_sequences(
    sequences: Sequence[npt.ArrayLike], pad: float = 0, dtype: npt.DTypeLike | None = None
) -> tuple[Array, Ids]:
    """Return sequences side by side, filled up with `pad`, and their lengths.

    sequences: B of (T_i, ...), T_i may be 0  ->  padded (T, B, ...), lengths (B,) int64
    T = max T_i
    dtype: of the result; None makes integers int64 and lists of floats float32, and keeps that of
    arrays of floats or booleans
    Raises ValueError for no sequences, shapes that differ after time, and numbers that the dtype
    cannot hold; TypeError for other dtypes and for a mixture of integers, floats and booleans.
    """
    arrays = same_dtype("pad_sequences: sequences", sequences)
    wanted = arrays[0].dtype if dtype is None else np.dtype(dtype)
    _check_cast("pad_sequences: sequences", arrays, wanted)
    check_pad("pad_sequences: pad", pad, wanted)
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    shape = (int(lengths.max()), len(arrays), *arrays[0].shape[1:])
    padded = np.full(shape, pad, dtype=wanted)
    for b, array in enumerate(arrays):
        padded[: len(array), b] = array
    return padded, lengths


def numbers(what: str, values: npt.ArrayLike) -> Array:
    """Return values as an array of booleans, int64, or floats (float32 unless they have a dtype).

    Raises ValueError for ragged values, TypeError for others than numbers.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{what} is no regular array: {error}") from error
    if array.dtype.kind in "iu" and np.can_cast(array.dtype, np.int64):
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "f" and _plain(values):
        return array.astype(np.float32)
    if array.dtype.kind not in "bf":
        raise TypeError(f"{what} has dtype {array.dtype}, expected integers, floats or booleans")
    return array


def _plain(values: Any) -> bool:
    """Whether `values` are Python's own numbers, which have no dtype to keep."""
    while isinstance(values, list | tuple) and len(values):
        values = values[0]
    return not hasattr(values, "dtype")


def same_dtype(what: str, sequences: Iterable[npt.ArrayLike]) -> list[Array]:
    """Return sequences as arrays (T_i, ...) of one dtype and one shape after time.

    An empty list has no dtype or shape of its own and takes those of the others.
    Raises ValueError, TypeError as `pad_sequences`.
    """
    listed = list(sequences)
    if not listed:
        raise ValueError(f"{what} are none, expected at least one")
    arrays = {
        i: numbers(f"{what}[{i}]", sequence)
        for i, sequence in enumerate(listed)
        if not (isinstance(sequence, list | tuple) and len(sequence) == 0)
    }
    for i, array in arrays.items():
        if array.ndim == 0:
            raise ValueError(f"{what}[{i}] is a single number, expected a sequence")
    kinds = sorted({array.dtype.kind for array in arrays.values()})
    if len(kinds) > 1:
        raise TypeError(f"{what} mix dtypes of kinds {kinds}, expected one kind")
    dtype = np.result_type(*{a.dtype for a in arrays.values()}) if arrays else np.dtype(np.int64)
    first = next(iter(arrays), 0)
    tail = arrays[first].shape[1:] if arrays else ()
    for i, array in arrays.items():
        if array.shape[1:] != tail:
            expected = f"(T, {', '.join(map(str, tail))})" if tail else "(T,)"
            raise ValueError(f"{what}[{i}] has shape {array.shape}, expected {expected}")
    empty = np.zeros((0, *tail), dtype)
    return [arrays.get(i, empty).astype(dtype, copy=False) for i in range(len(listed))]


def check_pad(what: str, pad: object, dtype: np.dtype[Any]) -> None:
    """Raise TypeError unless `pad` is a number, ValueError if `dtype` cannot hold it."""
    if not isinstance(pad, bool | int | float | np.integer | np.floating | np.bool_):
        raise TypeError(f"{what} is {pad!r}, expected a number")
    number = float(pad)
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        fits = math.isfinite(number) and number == int(number) and bounds.min <= pad <= bounds.max
    else:
        fits = dtype.kind == "f" or number in (0.0, 1.0)
    if not fits:
        raise ValueError(f"{what} is {pad!r}, which {dtype} cannot hold")


def _check_cast(what: str, arrays: list[Array], dtype: np.dtype[Any]) -> None:
    have = arrays[0].dtype
    if dtype.kind not in "biuf" or not np.can_cast(have, dtype, "same_kind"):
        raise TypeError(f"{what} have dtype {have}, which does not become {dtype}")
    if dtype.kind not in "iu" or have.kind == "b":
        return
    bounds = np.iinfo(dtype)
    for i, array in enumerate(arrays):
        if array.size and not bounds.min <= array.min() <= array.max() <= bounds.max:
            raise ValueError(f"{what}[{i}] holds numbers that {dtype} cannot hold")
