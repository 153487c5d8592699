"""Tensor: an array and its place in the graph."""

from __future__ import annotations

import weakref
from typing import Any, Self

import numpy as np

from .backend import (
    Array,
    backend_of,
    floating_dtype,
    is_array,
    known_backends,
)
from .graph import Node, Place
from .modes import current, is_grad_enabled, values_read
from .operators import Operators
from .writes import lease, lend, same_view, written


class Tensor(Operators):
    """An array whose history of ops is remembered, so that derivatives can be taken.

    data: an array, shared and not copied (`tg.tensor` copies), or a Tensor's array
    requires_grad: whether gradients with respect to it will be asked for; floating dtypes only
    Raises TypeError for anything but an array, or for gradients of integers.

    Attributes: `grad`, the gradient that `backward` left (a Tensor, or None).
    """

    __slots__ = ("__weakref__", "array", "grad", "place")
    __array_ufunc__ = None  # `array + tensor` is left to Tensor.__radd__

    array: Array  # for the package's own use: reading `data` lends the array to the user
    place: Place | None
    grad: Tensor | None

    def __init__(self, data: Array | Tensor, requires_grad: bool = False) -> None:
        if not is_array(data) and not isinstance(data, Tensor):
            backend_of(data)  # CuPy's arrays may be the first of their kind here
            if not is_array(data):
                raise TypeError(
                    f"Tensor: data are {type(data).__name__}, expected an array (see tg.tensor)"
                )
        self.array = data.array if isinstance(data, Tensor) else lend(data)
        check_numbers(self.array)
        self.place = self.grad = None
        if requires_grad:
            self.requires_grad_()

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array, shared: a write into it is a write into the tensor.

        If a graph has kept it, its backward pass will then raise RuntimeError.
        """
        values_read()
        return lease(self.array)

    @data.setter
    def data(self, value: Array | Tensor) -> None:
        value = value.array if isinstance(value, Tensor) else value
        if not is_array(value):
            raise TypeError(f"data: got a {type(value).__name__}, expected an array or a Tensor")
        if value.shape != self.shape or value.dtype != self.dtype:
            raise ValueError(
                f"data is {value.dtype}{value.shape}, expected {self.dtype}{self.shape}"
            )
        if not same_view(value, self.array):  # `tensor.data += 1` gives back what it got
            self.array = lend(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.array.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(self.array.size)

    @property
    def backend(self) -> str:
        """Name of the array library that holds it: "numpy" or "cupy"."""
        return backend_of(self.array).name

    @property
    def requires_grad(self) -> bool:
        """Whether it is a leaf that gradients are asked for, or was computed from one."""
        return self.place is not None

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made it."""
        return self.place is None or self.place[0].op is None

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Return this leaf, after making it one that gradients are (or are not) asked for.

        Raises TypeError for integers and booleans, RuntimeError for the result of an op.
        """
        if not self.is_leaf:
            raise RuntimeError("requires_grad_: the tensor is the result of an op; detach it first")
        if requires_grad and self.dtype.kind != "f":
            raise TypeError(f"requires_grad: only floating dtypes have gradients, got {self.dtype}")
        if requires_grad and self.place is None:
            node = Node(None, [], [], None, (self.shape,), False)
            node.leaf = weakref.ref(self)
            self.place = (node, 0)
        elif not requires_grad:
            self.place = None
        return self

    # ---- out of the graph ------------------------------------------------------------------------

    def item(self) -> float | int | bool:
        """Return the one element as a Python number. Raises ValueError unless size is 1."""
        if self.size != 1:
            raise ValueError(f"item: the tensor has shape {self.shape}, expected one element")
        values_read()
        return self.array.item()  # type: ignore[no-any-return]

    def numpy(self) -> np.ndarray:
        """Return the values as a NumPy array that refuses writes: a view, or a copy from a GPU.

        Raises RuntimeError if gradients flow through the tensor; use `.detach().numpy()`.
        """
        if self.place is not None:
            raise RuntimeError("numpy: the tensor requires a gradient; use .detach().numpy()")
        values_read()
        view = backend_of(self.array).to_numpy(self.array).view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.backend != "numpy":
            raise TypeError("np.asarray: the tensor is on the GPU; use .to('numpy') first")
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if self.place is not None:
            raise RuntimeError("__dlpack__: the tensor requires a gradient; use .detach()")
        values_read()
        return lease(self.array).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()  # type: ignore[no-any-return]

    def detach(self) -> Tensor:
        """Return a tensor that shares this array and has no history."""
        return tensor_at(self.array, None)

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers."""
        values_read()
        return self.array.tolist()

    # ---- in place, and elsewhere -----------------------------------------------------------------

    def __setitem__(self, index: Any, value: Any) -> None:
        if not self.is_leaf or (self.requires_grad and is_grad_enabled()):
            raise RuntimeError(
                "tensor[...] = value: a graph leads here; detach it, or use no_grad for a leaf"
            )
        if isinstance(value, Tensor):
            if value.requires_grad and is_grad_enabled():
                raise RuntimeError(
                    "tensor[...] = value: the value's gradient would be lost; detach it"
                )
            value = value.array
        kind = getattr(value, "dtype", np.dtype(type(value)) if np.isscalar(value) else None)
        if kind is not None and kind != self.dtype and kind.kind in "fiu":
            exact = kind.kind in "iu" and self.dtype.kind in "fiu"
            if not exact and (self.dtype.kind != "f" or is_array(value)):
                raise TypeError(f"tensor[...] = value: value is {kind}, expected {self.dtype}")
        self.array[index_of(index)] = value
        written(self.array)

    def to(self, target: str | np.dtype[Any] | type) -> Tensor:
        """Return this tensor on another backend ("numpy", "cupy") or in another floating dtype.

        Gradients flow back across the move. Raises ValueError for an unknown backend.
        """
        if isinstance(target, str) and target in known_backends():
            return self.to_backend(target)
        return self.astype(floating_dtype(target))

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len: the tensor has no axes")
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"index: the tensor is {self.dtype}, expected an integer")
        return int(self.item())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = self.__copy__()
        copied.array = self.array.copy()
        copied.grad = None if self.grad is None else tensor_at(self.grad.array.copy(), None)
        return copied

    def __copy__(self) -> Self:
        if not self.is_leaf:
            raise RuntimeError("copy: the tensor is the result of an op; detach it first")
        copied = _new(type(self))
        copied.array, copied.place, copied.grad = self.array, None, self.grad
        copied.requires_grad_(self.requires_grad)  # a leaf of its own
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("tensors and modules are not pickled; save them with tg.save")

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        host = backend_of(self.array).to_numpy(self.array)
        body = np.array2string(host, separator=", ", prefix="Tensor(")
        notes = [] if self.dtype in (np.float32, np.int64, np.bool_) else [f"dtype={self.dtype}"]
        if self.backend != "numpy":
            notes.append(f"backend={self.backend!r}")
        if self.place is not None:
            op = self.place[0].op
            notes.append("requires_grad=True" if op is None else f"op={op.name}")
        return "Tensor(" + ", ".join([body, *notes]) + ")"


_new = object.__new__


def tensor_at(array: Array, place: Place | None) -> Tensor:
    """Return a Tensor of this array at this place; nothing is checked."""
    tensor = _new(Tensor)
    tensor.array = array
    tensor.place = place
    tensor.grad = None
    return tensor


def of_one(tensor: Tensor) -> Tensor:
    """Return a tensor (1, ...) without its first axis, at the same place: no node is made.

    For use inside an op's call only: gradients asked for at the place have the axis.
    """
    if current.tracer is not None:
        return tensor.reshape(tensor.shape[1:])
    return tensor_at(tensor.array[0], tensor.place)


def index_of(index: Any) -> Any:
    """Return an index with the arrays of its tensors in their place."""
    if isinstance(index, tuple):
        return tuple([i.array if isinstance(i, Tensor) else i for i in index])
    return index.array if isinstance(index, Tensor) else index


def check_numbers(array: Array) -> None:
    """Nothing; raises TypeError unless the array holds real numbers or booleans."""
    if isinstance(array, (np.ma.MaskedArray, np.matrix)):
        raise TypeError(f"tensor: data are a {type(array).__name__}, expected a plain array")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"tensor: data are {array.dtype}, expected real numbers")
