"""Elementwise functions on vectors of float32 and float64, by the names of `tinygrad_seq.ops`.

NaN and Inf pass through as in NumPy: nothing here carries a flag that assumes them away. Errors are
in units in the last place (ulp) of the result, the largest that `tests/machine/test_functions.py`
finds over the whole range, float32 / float64.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..processor import BYTES
from .circle import cos, doubles, sin, with_far_lanes

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

if TYPE_CHECKING:
    from ..addresses import Value
    from .lanes import Vectors

CONTRACT = ("contract",)

# ---- arithmetic and comparisons, exact as in NumPy ----------------------------------------------


def absolute(v: Vectors, x: Value) -> Value:
    """|x|."""
    return v.elementwise("fabs", x)


def sign(v: Vectors, x: Value) -> Value:
    """-1, 0 or 1."""
    below = v.choose("<", x, v.constant(0), v.constant(-1), x)
    return v.choose(">", x, v.constant(0), v.constant(1), below)


def maximum(v: Vectors, x: Value, y: Value) -> Value:
    """The larger of x and y; NaN if either is."""
    return v.choose("!=", x, x, x, v.choose(">", x, y, x, y))  # NaN is not itself


def minimum(v: Vectors, x: Value, y: Value) -> Value:
    """The smaller of x and y; NaN if either is."""
    return v.choose("!=", x, x, x, v.choose("<", x, y, x, y))


def _truth(sign: str) -> Callable[..., Value]:
    """Return the comparison as a function: 1 where it holds, 0 elsewhere, in the float type."""
    return lambda v, x, y: v.choose(sign, x, y, v.constant(1), v.constant(0))


def rsqrt(v: Vectors, x: Value) -> Value:
    """1 / √x. Error 1.5 / 1.5 ulp."""
    return v.builder.fdiv(v.constant(1), v.elementwise("sqrt", x))


# ---- powers of e --------------------------------------------------------------------------------

# exp(r) = 1 + r + r² · q(r) for |r| <= log(2) / 2: minimax, relative error 3e-9 and 3e-18.
_EXP = {
    4: (0.00139518517822289028, 0.00836886891707552474, 0.0416661811619486866,
        0.166665190163871162, 0.500000010525333211),
    8: (2.51151530771039272e-8, 2.76313601505926817e-7, 2.75572253354218281e-6,
        2.48014897361674815e-5, 1.98412699065932175e-4, 0.00138888889472014096,
        0.00833333333331259553, 0.0416666666665147133, 0.166666666666666898,
        0.500000000000001284),
}  # fmt: skip
# log(2) in two parts; the first has so many zero bits that its products with an exponent are exact.
_LOG_2 = {4: (0.693359375, -2.12194440e-4), 8: (6.93147180369123816490e-1, 1.90821492927058770e-10)}
# Below the first exp is 0, above the second infinite.
_EXP_RANGE = {4: (-104.0, 89.0), 8: (-746.0, 710.0)}
_ROUND = {4: 12582912.0, 8: 6755399441055744.0}
"""Added to a number, it leaves the nearest integer in the last bits of the sum."""


def _at_least(v: Vectors, x: Value, low: float) -> Value:
    """The larger of x and a number; NaN stays."""
    return v.choose("<", x, v.constant(low), v.constant(low), x)


def _at_most(v: Vectors, x: Value, high: float) -> Value:
    """The smaller of x and a number; NaN stays."""
    return v.choose(">", x, v.constant(high), v.constant(high), x)


def _reduce(v: Vectors, x: Value, scale: int = 1) -> tuple[Value, Value, Value]:
    """n and r with x = n · log 2 / scale + r: n in float, n as integer, r."""
    b, magic = v.builder, v.constant(_ROUND[v.size])
    shifted = v.fma(x, v.constant(1.4426950408889634 * scale), magic)
    n = b.fsub(shifted, magic)
    high, low = (part / scale for part in _LOG_2[v.size])
    r = v.fma(n, v.constant(-low), v.fma(n, v.constant(-high), x))
    bits = b.sub(b.bitcast(shifted, v.integers), b.bitcast(magic, v.integers))
    return n, bits, r


def _power_of_two(v: Vectors, n: Value) -> Value:
    """2 to the n, an integer within the exponents of normal numbers."""
    bits = v.builder.shl(v.builder.add(n, v.integer(v.bias)), v.integer(v.bits_of_mantissa))
    return v.builder.bitcast(bits, v.type)


def _scale(v: Vectors, x: Value, n: Value, bits: Value) -> Value:
    """x · 2 to the n, also where that is subnormal or infinite."""
    if v.width == BYTES == 64:
        return v.times_power_of_two(x, n)
    half = v.builder.ashr(bits, v.integer(1))
    first, second = _power_of_two(v, half), _power_of_two(v, v.builder.sub(bits, half))
    return v.builder.fmul(v.builder.fmul(x, first), second)


def _exp(v: Vectors, x: Value) -> Value:
    """exp(x) for x that is in _EXP_RANGE or NaN."""
    n, bits, r = _reduce(v, x)
    return _scale(v, v.polynomial(r, (*_EXP[v.size], 1.0, 1.0)), n, bits)


def exp(v: Vectors, x: Value) -> Value:
    """e to the power x, subnormal results included. Error 1 / 1 ulp."""
    low, high = _EXP_RANGE[v.size]
    return _exp(v, _at_least(v, _at_most(v, x, high), low))


def expm1(v: Vectors, x: Value) -> Value:
    """exp(x) - 1, exact near 0. Error 2 / 2.5 ulp."""
    held = _at_least(v, _at_most(v, x, _EXP_RANGE[v.size][1]), -40.0)
    _, bits, r = _reduce(v, held)
    series = v.fma(v.builder.fmul(r, r), v.polynomial(r, _EXP[v.size]), r)
    half = _power_of_two(v, v.builder.sub(bits, v.integer(1)))
    result = v.fma(half, series, v.builder.fsub(half, v.constant(0.5)))
    result = v.builder.fadd(result, result)
    return v.choose("<", absolute(v, x), v.constant(1e-20), x, result)


# ---- squashing functions ------------------------------------------------------------------------


def tanh(v: Vectors, x: Value) -> Value:
    """tanh(x) = -u / (u + 1) with u = expm1(-2|x|) / 2, exact near 0. Error 2.6 / 2.6 ulp."""
    b = v.builder
    half = _at_least(v, b.fneg(absolute(v, x)), -20.0)
    _, bits, r = _reduce(v, half, scale=2)
    coefficients = [c * 2 ** (len(_EXP[v.size]) - i) for i, c in enumerate(_EXP[v.size])]
    series = v.fma(b.fmul(r, r), v.polynomial(r, coefficients), r)
    power = _power_of_two(v, bits)
    u = v.fma(power, series, v.fma(power, v.constant(0.5), v.constant(-0.5)))
    return v.elementwise("copysign", b.fdiv(u, b.fadd(u, v.constant(1))), x)


def sigmoid(v: Vectors, x: Value) -> Value:
    """1 / (1 + exp(-x)), exact in both tails. Error 2.5 / 2.5 ulp."""
    b, one = v.builder, v.constant(1)
    e = _exp(v, _at_least(v, v.builder.fneg(absolute(v, x)), _EXP_RANGE[v.size][0]))
    top = v.choose("<", x, v.constant(0), e, one)
    return b.fdiv(top, b.fadd(e, one))


# ---- logarithms ---------------------------------------------------------------------------------

# log(1 + f) = f - f²/2 + s · (f²/2 + R(s²)), s = f / (2 + f): the R of FreeBSD's msun.
_LOG = {
    4: (0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693),
    8: (1.479819860511658591e-1, 1.531383769920937332e-1, 1.818357216161805012e-1,
        2.222219843214978396e-1, 2.857142874366239149e-1, 3.999999999940941908e-1,
        6.666666666666735130e-1),
}  # fmt: skip
_SQRT_HALF_BITS = {4: 0x3F3504F3, 8: 0x3FE6A09E667F3BCD}
_SMALLEST = {4: 2.0**-126, 8: 2.0**-1022}


def log(v: Vectors, x: Value) -> Value:
    """Natural logarithm of x; -inf at 0, NaN below. Error 1 / 1 ulp."""
    b = v.builder
    tiny = v.compare("<", x, v.constant(_SMALLEST[v.size]))  # subnormal: an exponent too small
    lift = v.bits_of_mantissa + 1
    bits = b.bitcast(b.select(tiny, b.fmul(x, v.constant(2.0**lift)), x), v.integers)
    exponent = b.ashr(
        b.sub(bits, v.integer(_SQRT_HALF_BITS[v.size])), v.integer(v.bits_of_mantissa)
    )
    shifted = b.shl(exponent, v.integer(v.bits_of_mantissa))
    f = b.fsub(b.bitcast(b.sub(bits, shifted), v.type), v.constant(1))
    exponent = b.sub(exponent, b.select(tiny, v.integer(lift), v.integer(0)))
    magic = v.constant(_ROUND[v.size])  # an integer becomes a float
    n = b.fsub(b.bitcast(b.add(exponent, b.bitcast(magic, v.integers)), v.type), magic)
    high, low = _LOG_2[v.size]
    s = b.fdiv(f, b.fadd(f, v.constant(2)))
    square = b.fmul(s, s)
    half = b.fmul(b.fmul(f, f), v.constant(0.5))
    rest = b.fmul(square, v.polynomial(square, _LOG[v.size]))
    low_part = v.fma(s, b.fadd(half, rest), b.fmul(n, v.constant(low)))
    result = v.fma(n, v.constant(high), b.fadd(b.fsub(low_part, half), f))
    infinity, nan = v.constant(float("inf")), v.constant(float("nan"))
    at_zero = v.choose("==", x, v.constant(0), b.fneg(infinity), nan)
    special = v.choose("==", x, infinity, x, at_zero)
    inside = b.and_(v.compare(">", x, v.constant(0)), v.compare("<", x, infinity))
    return b.select(inside, result, special)


def log1p(v: Vectors, x: Value) -> Value:
    """log(1 + x), exact near 0. Error 2.5 / 2.5 ulp."""
    b = v.builder
    u = b.fadd(x, v.constant(1))
    added = b.fsub(u, v.constant(1))  # what of x is left in u: u's rounding divides out
    result = b.fmul(log(v, u), b.fdiv(x, added))
    result = v.choose("==", added, v.constant(0), x, result)
    return v.choose("==", x, v.constant(float("inf")), x, result)


def softplus(v: Vectors, x: Value) -> Value:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)). Error 3 / 3 ulp."""
    return v.builder.fadd(maximum(v, x, v.constant(0)), _log1p_exp(v, x))


def logsigmoid(v: Vectors, x: Value) -> Value:
    """log σ(x) = min(x, 0) - log1p(exp(-|x|)). Error 3 / 3 ulp."""
    return v.builder.fsub(minimum(v, x, v.constant(0)), _log1p_exp(v, x))


def _log1p_exp(v: Vectors, x: Value) -> Value:
    """log(1 + exp(-|x|))."""
    return log1p(v, _exp(v, _at_least(v, v.builder.fneg(absolute(v, x)), _EXP_RANGE[v.size][0])))


# ---- the error function -------------------------------------------------------------------------

# erf(x) = x + x · p(x²) for |x| < 1; 1 - exp(q(u) - x²) beyond, u = (|x| - middle) / half width.
_ERF_NEAR = {
    4: (7.88831877117951575e-5, -8.02059205740839682e-4, 5.18950605812025206e-3,
        -0.0268544285963949368, 0.112835997765701305, -0.376126270988149739,
        0.128379165908006969),
    8: (-7.80085532723383941e-10, 1.37227892415041141e-8, -1.62091305536396835e-7,
        1.64475114498931009e-6, -1.4924744131224769e-5, 1.20552952912188174e-4,
        -8.54832598865945767e-4, 5.22397760740047879e-3, -0.0268661706432732343,
        0.112837916709452333, -0.376126389031835461, 0.128379167095512567),
}  # fmt: skip
_ERF_FAR = {
    4: (0.0021125696721213077, -0.00118949173435251218, 0.0124347173138987067,
        -0.0361789276957809652, 0.1262550454941859, -0.5290415862628066, -1.55681785518633742),
    8: (4.03725753221707796e-5, 3.09334568503090345e-4, 9.83328918643734748e-4,
        0.00184086028832337804, 0.0021750433870200477, 0.00164749288689663685,
        8.49566614677110893e-4, -1.93270062091930261e-4, 8.06881525705493658e-4,
        -0.00243702650722830588, 0.00593612203917928542, -0.0143859033111285498,
        0.0341289064722270509, -0.0816507675299644107, 0.2077934201294874, -0.665248970917682,
        -1.8624374021798829),
}  # fmt: skip
_ERF_MIDDLE_HALF = {4: (2.5, 1.5), 8: (3.5, 2.5)}


def erf(v: Vectors, x: Value) -> Value:
    """The error function 2/√π ∫₀ˣ exp(-t²) dt. Error 1.5 / 1.5 ulp."""
    b = v.builder
    middle, half = _ERF_MIDDLE_HALF[v.size]
    near = v.fma(v.polynomial(b.fmul(x, x), _ERF_NEAR[v.size]), x, x)
    size = _at_most(v, _at_least(v, absolute(v, x), 1.0), middle + half)
    u = b.fmul(b.fsub(size, v.constant(middle)), v.constant(1 / half))
    power = v.fma(b.fneg(size), size, v.polynomial(u, _ERF_FAR[v.size]))
    far = v.elementwise("copysign", b.fsub(v.constant(1), _exp(v, power)), x)
    return v.choose("<", absolute(v, x), v.constant(1), near, far)


def power(v: Vectors, x: Value, y: Value) -> Value:
    """x to the power y, exp(y · log(x)) in float64 for float32. Error 1 / 1 ulp.

    The C library is asked in float64, and in float32 unless x > 0 and both are finite.
    """
    if v.size == 8:
        return v.elementwise("pow", x, y)
    b, d = v.builder, doubles(v)
    near = exp(d, b.fmul(b.fpext(y, d.type), log(d, b.fpext(x, d.type))))
    infinity = v.constant(float("inf"))
    inside = b.and_(v.compare(">", x, v.constant(0)), v.compare("<", x, infinity))
    inside = b.and_(inside, v.compare("<", absolute(v, y), infinity))
    return with_far_lanes(v, "pow", [x, y], b.fptrunc(near, v.type), b.not_(inside))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda v, x, y: v.builder.fadd(x, y, flags=CONTRACT),
    "sub": lambda v, x, y: v.builder.fsub(x, y, flags=CONTRACT),
    "mul": lambda v, x, y: v.builder.fmul(x, y, flags=CONTRACT),
    "div": lambda v, x, y: v.builder.fdiv(x, y),
    "neg": lambda v, x: v.builder.fneg(x),
    "sqrt": lambda v, x: v.elementwise("sqrt", x),
    "relu": lambda v, x: _at_least(v, x, 0.0),
    "where": lambda v, condition, x, y: v.choose("!=", condition, v.constant(0), x, y),
    "abs": absolute, "sign": sign, "maximum": maximum, "minimum": minimum, "rsqrt": rsqrt,
    "exp": exp, "expm1": expm1, "tanh": tanh, "sigmoid": sigmoid, "log": log, "log1p": log1p,
    "softplus": softplus, "logsigmoid": logsigmoid, "erf": erf,
    "sin": sin, "cos": cos, "pow": power,
    "equal": _truth("=="), "not_equal": _truth("!="), "less": _truth("<"),
    "less_equal": _truth("<="), "greater": _truth(">"), "greater_equal": _truth(">="),
}  # fmt: skip
"""What an instruction of a column loop may be named."""
