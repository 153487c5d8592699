"""Sine and cosine of vectors, and what they share with powers: wider numbers, the C library.

Lanes beyond the range of a fast path are computed by LLVM's intrinsic, one call for each lane; a
branch around it is taken only where there are such lanes. Errors are stated as in `functions.py`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
from llvmlite import ir

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

if TYPE_CHECKING:
    from ..addresses import Value
    from .lanes import Vectors

cgutils: Any = numba.core.cgutils  # Numba annotates parts of itself only

# π/2 in parts of 33 bits: their products with integers below 2^20 are exact in float64.
_HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21,
            8.478427660348229e-32)  # fmt: skip
_FAR = 1.6e6
"""Beyond it the quarter turns are more than those integers, and the C library is asked."""
_ROUND = 6755399441055744.0
"""Added to a float64, it leaves the nearest integer in the last bits of the sum."""

# sin(r) = r + r³ · p(r²), cos(r) = 1 - r²/2 + r⁴ · q(r²) for |r| <= π/4, interpolated at
# Chebyshev's points; relative errors 1.1e-8 and 1.2e-17, 6.9e-10 and 4.2e-19.
_SIN = {
    4: (-0.000195878405213053236, 0.0083327480375171464, -0.166666646611148391),
    8: (1.59181012302741203e-10, -2.50511314554279474e-8, 2.75573161006830291e-6,
        -0.0001984126983675497, 0.0083333333333309461, -0.166666666666666646),
}  # fmt: skip
_COS = {
    4: (0.0000245478916198138609, -0.00138883028023091604, 0.041666664658300421),
    8: (-1.13826148685563246e-11, 2.08761460246897466e-9, -2.75573172705603241e-7,
        0.0000248015872987634332, -0.00138888888888873957, 0.0416666666666666654),
}  # fmt: skip


def doubles(v: Vectors) -> Vectors:
    """The same lanes as float64."""
    return v if v.size == 8 else type(v)(v.builder, "f8", 2 * v.width)


def _two_sum(v: Vectors, x: Value, y: Value) -> tuple[Value, Value]:
    """x + y, rounded, and what the rounding took away."""
    b = v.builder
    total = b.fadd(x, y)
    rest = b.fsub(total, x)
    return total, b.fadd(b.fsub(x, b.fsub(total, rest)), b.fsub(y, rest))


def _turned(v: Vectors, x: Value) -> tuple[Value, Value, Value]:
    """r and its low part with x = n · π/2 + r, and n as bits, for |x| < _FAR."""
    d, b = doubles(v), v.builder
    wide = x if d is v else b.fpext(x, d.type)
    magic = d.constant(_ROUND)
    shifted = b.fadd(b.fmul(wide, d.constant(0.6366197723675814)), magic)
    n = b.fneg(b.fsub(shifted, magic))
    bits = b.bitcast(shifted, d.integers)
    first = b.fadd(wide, b.fmul(n, d.constant(_HALF_PI[0])))
    r, low = _two_sum(d, first, b.fmul(n, d.constant(_HALF_PI[1])))
    if d is not v:
        high = b.fptrunc(r, v.type)
        return high, b.fptrunc(b.fadd(b.fsub(r, b.fpext(high, d.type)), low), v.type), bits
    r, rest = _two_sum(d, r, b.fmul(n, d.constant(_HALF_PI[2])))
    return r, b.fadd(low, d.fma(n, d.constant(_HALF_PI[3]), rest)), bits


def _wave(v: Vectors, x: Value, turns: int) -> Value:
    """sin(x + turns · π/2) for |x| < _FAR."""
    b = v.builder
    r, low, n = _turned(v, x)
    z = b.fmul(r, r)
    half = b.fmul(z, v.constant(0.5))
    cubic = v.fma(b.fmul(r, z), v.polynomial(z, _SIN[v.size]), v.fma(b.fneg(half), low, low))
    sine = b.fadd(r, cubic)
    near_one = b.fsub(v.constant(1), half)
    lost = b.fsub(b.fsub(v.constant(1), near_one), half)
    quartic = v.fma(b.fmul(z, z), v.polynomial(z, _COS[v.size]), v.fma(b.fneg(r), low, lost))
    cosine = b.fadd(near_one, quartic)
    d = doubles(v)
    n = b.add(n, d.integer(turns))
    zero = d.integer(0)
    odd = b.icmp_signed("!=", b.and_(n, d.integer(1)), zero)
    below = b.icmp_signed("!=", b.and_(n, d.integer(2)), zero)
    result = b.select(odd, cosine, sine)
    return b.select(below, b.fneg(result), result)


def with_far_lanes(v: Vectors, name: str, args: list[Value], near: Value, far: Value) -> Value:
    """`near`, and in the lanes of the mask `far` what LLVM's intrinsic of this name gives."""
    b = v.builder
    result = cgutils.alloca_once_value(b, near)
    lanes = b.bitcast(far, ir.IntType(v.lanes))
    with b.if_then(b.icmp_unsigned("!=", lanes, ir.Constant(lanes.type, 0)), likely=False):
        b.store(b.select(far, v.elementwise(name, *args), near), result)
    return b.load(result)


def _circular(name: str, turns: int) -> Callable[..., Any]:
    def function(v: Vectors, x: Value) -> Value:
        size = v.elementwise("fabs", x)
        near = _wave(v, x, turns)
        if name == "sin":  # keeps the sign of zero
            near = v.choose("<", size, v.constant(1e-9), x, near)
        return with_far_lanes(v, name, [x], near, v.compare(">", size, v.constant(_FAR)))

    return function


sin = _circular("sin", 0)
sin.__doc__ = "Sine of x in radians, of any size; NaN of infinities. Error 1 / 1 ulp."
cos = _circular("cos", 1)
cos.__doc__ = "Cosine of x in radians, of any size; NaN of infinities. Error 1 / 1 ulp."
