"""A backend that refuses silent conversion to NumPy, as CuPy does, on machines without a GPU.

Its arrays hold an np.ndarray, but no function and no operator of NumPy's takes them, and its own
take no np.ndarray: whatever an op does with them must go through their own namespace.
"""

import operator

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq.engine.backend import Backend

SCALARS = (int, float, bool, np.generic)


class StrictArray:
    """An array of the strict backend; `base` is what it is a view of, or None."""

    __array_ufunc__ = None  # so NumPy's arrays and scalars leave operators to this class
    __hash__ = None

    def __init__(self, host, base=None):
        self.host, self.base = host, base

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} does not take strict arrays")

    def __len__(self):
        return len(self.host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        return wrap(self.host[unwrap(index)], self)

    def __setitem__(self, index, value):
        self.host[unwrap(index)] = unwrap(value)

    def __bool__(self):
        return bool(self.host)

    def __int__(self):
        return int(self.host)

    def __float__(self):
        return float(self.host)

    def __index__(self):
        return operator.index(self.host)

    def item(self):
        return self.host.item()

    def tolist(self):
        return self.host.tolist()


def unwrap(value):
    """Return what NumPy is to be given for an argument. Raises TypeError for NumPy's arrays."""
    if isinstance(value, StrictArray):
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, (tuple, list)):
        return type(value)(map(unwrap, value))
    return value


def wrap(value, source=None):
    if isinstance(value, tuple):
        return tuple(wrap(v, source) for v in value)
    if isinstance(value, (np.ndarray, np.generic)):
        host = np.asarray(value)
        is_view = source is not None and np.may_share_memory(host, source.host)
        return StrictArray(host, source if is_view else None)
    return value


def operand(value):
    if not isinstance(value, (StrictArray, *SCALARS)):
        raise TypeError(f"Unsupported type {type(value)}")
    return unwrap(value)


def binary(function):
    return lambda self, other: wrap(function(self.host, operand(other)))


def reflected(function):
    return lambda self, other: wrap(function(operand(other), self.host))


def in_place(function):
    def apply(self, other):
        self.host = function(self.host, operand(other))
        return self

    return apply


def method(name):
    def call(self, *args, **options):
        bound = getattr(self.host, name)
        return wrap(bound(*map(unwrap, args), **{k: unwrap(v) for k, v in options.items()}), self)

    return call


for name in ("add", "sub", "mul", "truediv", "pow", "matmul", "and", "or", "floordiv", "mod"):
    symbol = getattr(operator, name + "_" * (name in ("and", "or")))
    setattr(StrictArray, f"__{name}__", binary(symbol))
    setattr(StrictArray, f"__r{name}__", reflected(symbol))
    setattr(StrictArray, f"__i{name}__", in_place(getattr(operator, f"i{name}")))
for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(StrictArray, f"__{name}__", binary(getattr(operator, name)))
for name in ("neg", "abs", "invert"):
    function = getattr(operator, name)
    setattr(StrictArray, f"__{name}__", lambda self, f=function: wrap(f(self.host)))
for name in (
    *("sum", "mean", "max", "min", "var", "std", "all", "any", "argmax", "argmin", "cumsum"),
    *("reshape", "transpose", "swapaxes", "squeeze", "astype", "copy", "take", "ravel", "view"),
):
    setattr(StrictArray, name, method(name))
for name in ("shape", "dtype", "ndim", "size", "strides", "itemsize", "nbytes", "flags"):
    setattr(StrictArray, name, property(lambda self, name=name: getattr(self.host, name)))
StrictArray.T = property(lambda self: self.transpose())


class StrictFunction:
    """A NumPy function, or ufunc, on strict arrays."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *args, **options):
        source = next((a for a in args if isinstance(a, StrictArray)), None)
        options = {key: unwrap(value) for key, value in options.items()}
        return wrap(self.function(*map(unwrap, args), **options), source)

    def at(self, array, index, *values):
        self.function.at(array.host, unwrap(index), *map(unwrap, values))


class StrictNamespace:
    """NumPy's functions, by name, on strict arrays; asarray and array alone take NumPy's."""

    ndarray = StrictArray

    def __getattr__(self, name):
        found = getattr(np, name)
        return StrictFunction(found) if callable(found) and not isinstance(found, type) else found

    def asarray(self, value, dtype=None):
        if isinstance(value, StrictArray):
            return value if dtype is None else value.astype(dtype)
        return StrictArray(np.array(value, dtype=dtype))

    array = asarray


def make_strict():
    return Backend(
        "strict",
        StrictArray,
        StrictNamespace(),
        lambda array: StrictArray(array.copy()),
        lambda array: array.host.copy(),
    )


tg.register_backend("strict", make_strict)
