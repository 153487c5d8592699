"""Inputs and parameters of the golden cases: a formula of the index and a key, no generator."""

from __future__ import annotations

import zlib
from math import prod

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LOW_32 = np.uint64(0xFFFFFFFF)


def scrambled(count: int, key: str) -> NDArray[np.uint64]:
    """Return `count` whole numbers in [0, 2**32), one for each index, mixed with the key.

    Integer arithmetic only, so every machine makes the same bits; nothing is periodic in the
    index, hence no matrix made of them is symmetric or of low rank.
    Source: the finaliser of MurmurHash3 (Appleby 2011) on a golden-ratio sequence.
    """
    mixed = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B1)
    mixed = (mixed + np.uint64(zlib.crc32(key.encode()))) & _LOW_32
    for shift, multiplier in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed = ((mixed ^ (mixed >> np.uint64(shift))) * np.uint64(multiplier)) & _LOW_32
    return mixed ^ (mixed >> np.uint64(16))


def values(
    shape: tuple[int, ...], key: str, scale: float = 1.0, dtype: DTypeLike = np.float64
) -> NDArray[np.floating]:
    """Return an array of this shape, spread evenly over (-scale, scale), never zero.

    Before scaling each value is an odd multiple of 2**-23, exact in float32 and in float64.
    The scaling is done in float64 and rounded once.
    """
    odd = 2 * (scrambled(prod(shape), key) >> np.uint64(9)).astype(np.int64) + 1
    unit = (odd - 2**23) / 2.0**23
    return (scale * unit).reshape(shape).astype(dtype)


def positive(
    shape: tuple[int, ...], key: str, low: float, high: float, dtype: DTypeLike = np.float64
) -> NDArray[np.floating]:
    """Return an array of this shape spread over (low, high)."""
    return (low + (high - low) * (values(shape, key) + 1) / 2).astype(dtype)


def indices(shape: tuple[int, ...], key: str, upper: int) -> NDArray[np.int64]:
    """Return int64 indices of this shape in [0, upper)."""
    return (scrambled(prod(shape), key) % np.uint64(upper)).astype(np.int64).reshape(shape)


def probabilities(
    shape: tuple[int, ...], key: str, axis: int, dtype: DTypeLike = np.float64
) -> NDArray[np.floating]:
    """Return positive values of this shape that sum to one along the axis."""
    mass = positive(shape, key, 0.05, 1.0)
    return (mass / mass.sum(axis=axis, keepdims=True)).astype(dtype)
