"""New tensors: from data, filled with a constant, or sharing another library's memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import NUMPY, backend_of, convert, default_backend, get_backend, is_array
from .tensor import Tensor, check_numbers, tensor_at


def tensor(data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a new Tensor with a copy of `data`, on the default backend.

    data: array, Tensor, number, or nested lists; Python floats become float32, arrays keep their
    dtype. What is on a GPU stays there, whatever the default.
    Raises TypeError for data that are not numbers, or for gradients of integers.
    """
    if isinstance(data, Tensor):
        data = data.array
    if is_array(data):
        check_numbers(data)
        array = data.astype(dtype or data.dtype)  # astype copies
        check_numbers(array)
        if backend_of(array) is NUMPY:
            array = convert(array, default_backend())
    else:
        host = np.array(data, dtype=dtype)
        if dtype is None and host.dtype == np.float64 and _is_plain(data):
            host = host.astype(np.float32)
        check_numbers(host)
        array = convert(host, default_backend())
    return tensor_at(array, None).requires_grad_(requires_grad)


def _is_plain(data: Any) -> bool:
    """Return whether nested lists hold Python numbers, not NumPy's (which have a dtype)."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return not hasattr(data, "dtype")


def zeros(*shape: int | tuple[int, ...], dtype: Any = np.float32) -> Tensor:
    """Return a Tensor of this shape (numbers, or one tuple), all 0, on the default backend."""
    array = default_backend().namespace.zeros(_one_shape(shape), dtype)
    check_numbers(array)
    return tensor_at(array, None)


def ones(*shape: int | tuple[int, ...], dtype: Any = np.float32) -> Tensor:
    """Return a Tensor of this shape (numbers, or one tuple), all 1, on the default backend."""
    array = default_backend().namespace.ones(_one_shape(shape), dtype)
    check_numbers(array)
    return tensor_at(array, None)


def _one_shape(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape


def from_dlpack(source: Any) -> Tensor:
    """Return a Tensor that shares the memory of a PyTorch, JAX, CuPy or NumPy array, by DLPack.

    Raises TypeError if `source` does not speak DLPack, RuntimeError for a device without a backend.
    """
    if not hasattr(source, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: {type(source).__name__} has no __dlpack__")
    kind = int(source.__dlpack_device__()[0])
    if kind not in _DLPACK_DEVICES:
        raise RuntimeError(
            f"from_dlpack: DLPack device type {kind} is neither CPU (1) nor CUDA (2)"
        )
    return Tensor(get_backend(_DLPACK_DEVICES[kind]).namespace.from_dlpack(source))


_DLPACK_DEVICES = {1: "numpy", 2: "cupy", 3: "numpy", 13: "cupy"}  # CPU, CUDA, pinned, managed
