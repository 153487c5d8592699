"""Memory and functions by their addresses: Numba intrinsics on int64."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numba
from llvmlite import ir
from numba.extending import intrinsic

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

types: Any = numba.types  # Numba annotates parts of itself only
cgutils: Any = numba.core.cgutils
Value: TypeAlias = Any
"""An LLVM value: llvmlite has no types of its own for a checker to read."""

I64, I32 = ir.IntType(64), ir.IntType(32)
REALS = {"f4": ir.FloatType(), "f8": ir.DoubleType()}


def pointer(builder: Any, address: Value, kind: Any) -> Value:
    """Return the address, an int64, as a pointer to `kind`.

    Numba links a compiled function into its callers as LLVM's code generation left it. That may
    have written base + offset as `offset`, made a pointer, plus base: where an inlined offset is 0,
    an access "through null", which must not happen and so is dropped, with all that follows.
    Functions marked as here have no such pointer, and nor have those that they are inlined into.
    """
    set.add(builder.function.attributes, "null_pointer_is_valid")  # one that llvmlite does not list
    return builder.inttoptr(address, kind.as_pointer())


def _raw(result: Any, args: Sequence[Any], write: Callable[..., Any]) -> Any:
    """Return an intrinsic of these types whose code `write(builder, *values)` writes."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        written = write(builder, *values)
        return context.get_dummy_value() if result == types.void else written

    signature = result(*args)
    if len(args) == 1:
        return intrinsic(lambda typing_context, address: (signature, generate))
    return intrinsic(lambda typing_context, address, second: (signature, generate))


def _get(kind: Any) -> Callable[..., Any]:
    return lambda builder, address: builder.load(pointer(builder, address, kind))


def _put(kind: Any) -> Callable[..., Any]:
    return lambda builder, address, x: builder.store(x, pointer(builder, address, kind))


get_f4 = _raw(types.float32, [types.int64], _get(REALS["f4"]))
get_f8 = _raw(types.float64, [types.int64], _get(REALS["f8"]))
put_f4 = _raw(types.void, [types.int64, types.float32], _put(REALS["f4"]))
put_f8 = _raw(types.void, [types.int64, types.float64], _put(REALS["f8"]))
put_word = _raw(types.void, [types.int64, types.int64], _put(I64))
word = _raw(
    types.int64,
    [types.int64, types.int64],
    lambda b, base, i: b.load(b.gep(pointer(b, base, I64), [i])),
)
"""word(base, i): the i-th int64 of a table at address base."""


def _call(typing_context: Any, function: Any, args: Any) -> Any:
    """Call a compiled function by address; all arguments int64, nothing linked per caller."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        words = cgutils.unpack_tuple(builder, values[1])
        kind = ir.FunctionType(ir.VoidType(), [I64] * len(words))
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), words)
        return context.get_dummy_value()

    return types.void(function, args), generate


call = intrinsic(_call)
