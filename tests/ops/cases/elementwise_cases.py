"""Cases of the elementwise ops and of the activations."""

import math

import numpy as np

from ops.cases.table import booleans, case, constant, positive, real, small_whole, whole
from tinygrad_seq import ops

SHAPES = ((3, 4), (2, 1, 3), (1,), (), (0, 3))
PAIRS = (
    ((3, 4), (3, 4)),
    ((3, 1), (4,)),
    ((1, 4), (2, 3, 4)),
    ((), (3,)),
    ((2, 3), ()),
    ((1,), (1,)),
    ((0, 3), (1, 3)),
)
erf = np.vectorize(math.erf, otypes=[float])

UNARY = {
    "neg": (real, lambda x: 0 - x),
    "abs": (real, lambda x: np.sqrt(x * x)),
    "sign": (small_whole, lambda x: x * 1.0),
    "sqrt": (positive, lambda x: x**0.5),
    "exp": (real, lambda x: math.e**x),
    "expm1": (real, lambda x: np.exp(x) - 1),
    "log": (positive, lambda x: np.log2(x) / np.log2(math.e)),
    "log1p": (positive, lambda x: np.log(1 + x)),
    "sin": (real, lambda x: np.exp(1j * x).imag),
    "cos": (real, lambda x: np.exp(1j * x).real),
    "tanh": (real, lambda x: 1 - 2 / (np.exp(2 * x) + 1)),
    "sigmoid": (real, lambda x: 0.5 + 0.5 * np.tanh(x / 2)),
    "relu": (real, lambda x: x * (x > 0)),
    "leaky_relu": (real, lambda x: np.maximum(x, 0.01 * x)),
    "elu": (real, lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    "softplus": (real, lambda x: np.logaddexp(0, x)),
    "logsigmoid": (real, lambda x: -np.logaddexp(0, -x)),
    "erf": (real, erf),
    "gelu": (real, lambda x: x * (1 + erf(x / 2**0.5)) / 2),
    "gelu_tanh": (
        real,
        lambda x: x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2,
    ),
    "isfinite": (real, lambda x: x == x),
    "invert": (whole, lambda x: -x - 1),
}

BINARY = {
    "add": (real, lambda x, y: x - -y),
    "sub": (real, lambda x, y: x + -y),
    "mul": (real, lambda x, y: x / (1 / y)),
    "div": (real, lambda x, y: x * (1 / y)),
    "pow": (positive, lambda x, y: np.exp(y * np.log(x))),
    "maximum": (real, lambda x, y: np.where(x > y, x, y)),
    "minimum": (real, lambda x, y: np.where(x < y, x, y)),
    "equal": (small_whole, lambda x, y: ~((x < y) | (x > y))),
    "not_equal": (small_whole, lambda x, y: (x < y) | (x > y)),
    "less": (small_whole, lambda x, y: x - y < 0),
    "less_equal": (small_whole, lambda x, y: x - y <= 0),
    "greater": (small_whole, lambda x, y: x - y > 0),
    "greater_equal": (small_whole, lambda x, y: x - y >= 0),
    "bitwise_and": (whole, lambda x, y: x + y - np.bitwise_or(x, y)),
    "bitwise_or": (whole, lambda x, y: x + y - np.bitwise_and(x, y)),
}


def _with_constants():
    """Yield cases whose other arguments are numbers, or arrays without gradient."""
    x = [real(3, 4)]
    yield case(
        "leaky_relu",
        x,
        lambda x: np.where(x > 0, x, x / 5),
        lambda x: ops.leaky_relu(x, 0.2),
        "slope",
    )
    yield case(
        "elu",
        x,
        lambda x: np.where(x > 0, x, 0.7 * np.expm1(x)),
        lambda x: ops.elu(x, 0.7),
        "alpha",
    )
    yield case(
        "softplus",
        x,
        lambda x: np.where(x > 1, x, np.log(1 + np.exp(2 * x)) / 2),
        lambda x: ops.softplus(x, beta=2.0, threshold=2.0),
        "beta, threshold",
    )
    yield case(
        "clip", x, lambda x: np.minimum(np.maximum(x, -1), 0.5), lambda x: ops.clip(x, -1, 0.5)
    )
    yield case(
        "clip", x, lambda x: np.where(x < 0.5, 0.5, x), lambda x: ops.clip(x, min=0.5), "min"
    )
    yield case(
        "clip", x, lambda x: np.where(x > 0.5, 0.5, x), lambda x: ops.clip(x, max=0.5), "max"
    )
    yield case(
        "clip", [real(3, 4), constant(4)], lambda x, top: np.where(x > top, top, x),
        lambda x, top: ops.clip(x, -3.0, top), "array",
    )  # fmt: skip
    yield case("pow", x, lambda x: x * x * x, lambda x: x**3, "cubed")
    yield case("pow", [positive(3)], lambda x: 1 / np.sqrt(x), lambda x: x**-0.5, "inverse root")
    yield case("pow", x, lambda x: x * 0 + 1, lambda x: x**0, "zeroth")
    yield case("pow", x, lambda x: np.exp2(x), lambda x: 2**x, "of two")
    yield case("pow", [real(2, 3), small_whole(3)], lambda x, y: x**y, ops.pow, "of negatives")
    yield case(
        "maximum", x, lambda x: np.where(x > 0.5, x, 0.5), lambda x: ops.maximum(0.5, x), "number"
    )
    yield case(
        "minimum", x, lambda x: np.where(x < 0.5, x, 0.5), lambda x: ops.minimum(x, 0.5), "number"
    )
    yield case("div", x, lambda x: 3 * x**-1, lambda x: 3 / x, "number")
    yield case("sub", x, lambda x: -(x - 3), lambda x: 3 - x, "number")


def _choices():
    for c, x, y in (
        ((3, 4), (3, 4), (3, 4)),
        ((3, 1), (4,), (2, 1, 1)),
        ((0,), (), (1,)),
        ((), (2,), ()),
    ):
        yield case(
            "where",
            [booleans(*c), real(*x), real(*y)],
            lambda c, x, y: c * x + ~c * y,
        )
    yield case(
        "where",
        [booleans(3, 4), real(3, 4)],
        lambda c, x: c * x,
        lambda c, x: ops.where(c, x, 0.0),
        "number",
    )
    for mask, x in (((3, 4), (3, 4)), ((4,), (2, 4)), ((), ()), ((0, 2), (0, 2))):
        yield case(
            "masked_fill",
            [real(*x), booleans(*mask)],
            lambda x, mask: ~mask * x - 7 * mask,
            lambda x, mask: ops.masked_fill(x, mask, -7.0),
        )


def _conversions():
    for shape in SHAPES:
        yield case("to_backend", [real(*shape)], lambda x: x, lambda x: ops.to_backend(x, "numpy"))
        yield case(
            "astype",
            [real(*shape)],
            lambda x: x * 1.0,
            lambda x: ops.astype(x * 3.0, x.dtype) / 3.0,
        )


CASES = [
    *(case(op, [kind(*shape)], f) for op, (kind, f) in UNARY.items() for shape in SHAPES),
    *(case(op, [kind(*a), kind(*b)], f) for op, (kind, f) in BINARY.items() for a, b in PAIRS),
    *_with_constants(),
    *_choices(),
    *_conversions(),
]
