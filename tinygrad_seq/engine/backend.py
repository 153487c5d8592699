"""Where arrays live: the array libraries, the default one, and the way from one to another."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""An array of any backend: np.ndarray or cupy.ndarray (they share no typed base)."""

ENVIRONMENT_VARIABLE = "TINYGRAD_SEQ_BACKEND"


@dataclass(frozen=True)
class Backend:
    """An array library: its name, its array type, its namespace, and the way from and to NumPy."""

    name: str
    array_type: type
    namespace: Any
    from_numpy: Callable[[np.ndarray], Array]
    to_numpy: Callable[[Array], np.ndarray]
    draw_uniform: Callable[[tuple[int, ...], int], Array] | None = None  # float32s from a seed

    def __repr__(self) -> str:
        return f"Backend({self.name!r})"


NUMPY = Backend("numpy", np.ndarray, np, lambda array: array, lambda array: array)


def _make_cupy() -> Backend:
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise RuntimeError(
            "backend 'cupy' needs CuPy: pip install 'tinygrad-seq[cuda12]' or '[cuda13]'"
        ) from error
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise RuntimeError(f"backend 'cupy' found no usable GPU: {error}") from error

    def draw_uniform(shape: tuple[int, ...], seed: int) -> Array:
        generator = cupy.random.Generator(cupy.random.Philox4x3210(seed))
        return generator.random(shape, dtype=np.float32)

    return Backend("cupy", cupy.ndarray, cupy, cupy.asarray, cupy.asnumpy, draw_uniform)


_makers: dict[str, Callable[[], Backend]] = {"numpy": lambda: NUMPY, "cupy": _make_cupy}
_made: dict[str, Backend] = {}
_of_type: dict[type, Backend] = {}
_namespaces: dict[type, Any] = {float: np, int: np, bool: np}
_default: str | None = None
_chosen: ContextVar[str | None] = ContextVar("tinygrad_seq_backend", default=None)


def register_backend(name: str, make: Callable[[], Backend]) -> None:
    """Nothing; afterwards get_backend(name) calls `make` once and knows its array type."""
    _makers[name] = make
    _made.pop(name, None)


def get_backend(name: str) -> Backend:
    """Return the backend of this name; its library is imported at first use.

    Raises ValueError for an unknown name, RuntimeError where its library or its device is missing.
    """
    if name not in _made:
        if name not in _makers:
            raise ValueError(f"backend is {name!r}, expected one of {sorted(_makers)}")
        made = _makers[name]()
        _made[name] = _of_type[made.array_type] = made
        _namespaces[made.array_type] = made.namespace
    return _made[name]


def known_backends() -> list[str]:
    """Return the names that get_backend takes."""
    return list(_makers)


def floating_dtype(target: Any) -> np.dtype[Any]:
    """Return the dtype that `.to(target)` asks for, where target is no backend's name.

    Raises ValueError for what is no dtype, TypeError for one that is not floating.
    """
    try:
        dtype: np.dtype[Any] = np.dtype(target)
    except TypeError as error:
        raise ValueError(
            f"to: {target!r} is neither a dtype nor one of {known_backends()}"
        ) from error
    if dtype.kind != "f":
        raise TypeError(f"to: dtype is {dtype}, expected a floating one (see astype)")
    return dtype


def backend_of(array: Array) -> Backend:
    """Return the backend that this array belongs to; NumPy's for scalars and traced values.

    Raises TypeError for anything else.
    """
    found = _of_type.get(type(array))
    if found is None:
        for kind, backend in _of_type.items():
            if isinstance(array, kind):
                return backend
        if isinstance(array, (np.generic, int, float)) or type(array) in _namespaces:
            return NUMPY
        if type(array).__module__.partition(".")[0] == "cupy":
            return get_backend("cupy")
        raise TypeError(f"expected an array of a known backend, got {type(array).__name__}")
    return found


def xp(array: Array) -> Any:
    """Return the namespace that this array's functions come from: numpy or cupy."""
    found = _namespaces.get(type(array))
    if found is None:
        found = _namespaces[type(array)] = backend_of(array).namespace
    return found


def set_namespace(kind: type, namespace: Any) -> None:
    """Nothing; afterwards `xp` gives this namespace for values of this type."""
    _namespaces[kind] = namespace


def is_array(value: object) -> bool:
    """Return whether `value` is an array of a backend in use."""
    return isinstance(value, tuple(_of_type))


def values(x: Any) -> Any:
    """Return the array of a Tensor, or what is no Tensor itself: x as a constant of a rule."""
    return getattr(x, "array", x)


def as_array(value: Array) -> Array:
    """Return `value`, an array or the scalar that a reduction made, as an array."""
    return value if type(value) in _of_type else xp(value).asarray(value)


def default_backend() -> Backend:
    """Return where new tensors are made: by `with backend`, use_backend, environment, or NumPy."""
    return get_backend(_chosen.get() or _default or os.environ.get(ENVIRONMENT_VARIABLE) or "numpy")


def use_backend(name: str) -> None:
    """Nothing; afterwards new tensors are made by this backend, in every thread.

    Raises ValueError for an unknown name, RuntimeError where its library or its device is missing.
    """
    global _default
    get_backend(name)
    _default = name


@contextmanager
def backend(name: str) -> Iterator[Backend]:
    """Make new tensors with this backend inside a `with` block (in this thread).

    Raises ValueError for an unknown name, RuntimeError where its library or its device is missing.
    """
    made = get_backend(name)
    token = _chosen.set(name)
    try:
        yield made
    finally:
        _chosen.reset(token)


def convert(array: Array, target: Backend) -> Array:
    """Return `array` on the target backend: the same object if it is there already, else a copy."""
    source = backend_of(array)
    if source is target:
        return array
    return target.from_numpy(source.to_numpy(array))


get_backend("numpy")
