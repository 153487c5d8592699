"""Every elementwise function of a column loop: its error over the whole range, NaN and Inf."""

import math
import re

import numpy as np
import pytest
from machine_columns import Columns

from tinygrad_seq.machine import runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
if runtime.available():
    from tinygrad_seq.machine.processor import BYTES
    from tinygrad_seq.machine.vectors.functions import FUNCTIONS
else:
    FUNCTIONS, BYTES = {}, 16

DTYPES = ["f4", "f8"]
UNARY = {  # the definition, exact where it is computed in a wider type
    "abs": np.abs,
    "cos": np.cos,
    "erf": None,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "logsigmoid": lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))),
    "neg": np.negative,
    "relu": lambda x: np.maximum(x, 0),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))),
    "sign": np.sign,
    "sin": np.sin,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "sqrt": np.sqrt,
    "tanh": np.tanh,
}
BINARY = {
    "add": np.add,
    "div": np.divide,
    "equal": np.equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "mul": np.multiply,
    "not_equal": np.not_equal,
    "sub": np.subtract,
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-30, 1e30, -1e30]


def numbers(dtype, n):
    """Numbers of every size: all patterns of bits, and more where the functions bend."""
    random = np.random.default_rng(0)
    size = np.dtype(dtype).itemsize
    bits = random.integers(0, 2 ** (8 * size), n, dtype=f"u{size}").view(dtype)
    far = 110 if size == 4 else 750
    near = [random.uniform(-bound, bound, n) for bound in (1, 10, far)]
    small = np.exp(random.uniform(-40, 5, n))
    x = np.concatenate([*near, small, -small, 1 + random.uniform(-0.1, 0.1, n)]).astype(dtype)
    return np.concatenate([bits[np.isfinite(bits)], x])


def exact(name, x):
    """The definition in a wider type, and the x where there is one."""
    if name == "erf":  # which NumPy lacks; math.erf itself is within 1 ulp of float64
        x = x[np.abs(x) < 10][::37]
        return np.array([math.erf(value) for value in x.tolist()], np.longdouble), x
    with np.errstate(all="ignore"):
        return UNARY[name](x.astype(np.longdouble)), x


def unary_kernel(dtype, width):
    code = [("load", 0), *((name, 0) for name in UNARY)]
    code += [("store", i, i) for i in range(1, len(UNARY) + 1)]
    return Columns(dtype, code, width)


def claimed(name, dtype):
    """The error that the docstring names, in units in the last place; half of one by default."""
    found = re.search(r"Error ([\d.]+) / ([\d.]+) ulp", FUNCTIONS[name].__doc__ or "")
    return float(found[1 + DTYPES.index(dtype)]) if found else 0.5


@pytest.mark.parametrize("width", sorted({BYTES, 16}))
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_is_within_what_the_docstring_names(dtype, width):
    x = numbers(dtype, 30_000)
    outs = {name: np.empty_like(x) for name in UNARY}
    unary_kernel(dtype, width)([x, *outs.values()])
    for name, out in outs.items():
        expected, at = exact(name, x)
        got = out if len(at) == len(x) else out[np.abs(x) < 10][::37]
        finite = np.abs(expected) < np.finfo(dtype).max
        ulp = np.spacing(np.abs(expected[finite].astype(dtype))).astype(np.longdouble)
        error = np.abs(got[finite].astype(np.longdouble) - expected[finite]) / ulp
        worst = int(error.argmax())
        allowed = claimed(name, dtype) + (1.0 if name == "erf" and dtype == "f8" else 0.0)
        assert error[worst] <= allowed, (name, at[finite][worst], got[finite][worst])
        np.testing.assert_array_equal(np.isnan(got), np.isnan(expected), err_msg=name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_numbers_are_numpys(dtype):
    x = np.array(SPECIAL).astype(dtype)
    outs = {name: np.empty_like(x) for name in UNARY}
    unary_kernel(dtype, BYTES)([x, *outs.values()])
    for name, out in outs.items():
        if name == "erf":
            expected = np.array([math.erf(value) for value in x.tolist()], dtype)
        else:
            with np.errstate(all="ignore"):
                expected = UNARY[name](x)
        if name in ("softplus", "logsigmoid"):
            expected = np.where(np.isinf(x), out, expected)  # checked below: inf - inf in NumPy
        np.testing.assert_allclose(out, expected, rtol=1e-6, err_msg=name)
    assert outs["softplus"][4:6].tolist() == [math.inf, 0.0]
    assert outs["logsigmoid"][4:6].tolist() == [0.0, -math.inf]
    for name in ("tanh", "expm1", "erf", "log1p"):
        assert np.signbit(outs[name][1]), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_arguments_are_numpys(dtype):
    x, y = (a.ravel().astype(dtype) for a in np.meshgrid([*SPECIAL, 2.5], [*SPECIAL, 3.5]))
    code = [("load", 0), ("load", 1), *((name, 0, 1) for name in BINARY), ("where", 0, 0, 1)]
    stores = len(BINARY) + 1
    code += [("store", i + 2, i + 2) for i in range(stores)]
    outs = [np.empty_like(x) for _ in range(stores)]
    Columns(dtype, code)([x, y, *outs])
    with np.errstate(all="ignore"):
        for (name, definition), out in zip(BINARY.items(), outs, strict=False):
            np.testing.assert_array_equal(out, definition(x, y).astype(dtype), err_msg=name)
    np.testing.assert_array_equal(outs[-1], np.where(x != 0, x, y))


def test_every_function_is_tested():
    assert set(FUNCTIONS) == {*UNARY, *BINARY, "where", "pow"}


@pytest.mark.parametrize("width", sorted({BYTES, 16}))
@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_are_within_what_the_docstring_names(dtype, width):
    random = np.random.default_rng(1)
    y = np.concatenate([random.uniform(-b, b, 20_000) for b in (1, 10, 300)]).astype(dtype)
    x = np.exp(random.uniform(-30, 30, 60_000) / np.maximum(np.abs(y), 0.4)).astype(dtype)
    special = [a.ravel() for a in np.meshgrid([*SPECIAL, 2.5, -3.0], [*SPECIAL, 3.0, -0.5, 0.5])]
    x, y = (np.concatenate([a, b]).astype(dtype) for a, b in zip((x, y), special, strict=True))
    out = np.empty_like(x)
    Columns(dtype, [("load", 0), ("load", 1), ("pow", 0, 1), ("store", 2, 2)], width)([x, y, out])
    with np.errstate(all="ignore"):
        expected = x.astype(np.longdouble) ** y.astype(np.longdouble)
        np.testing.assert_allclose(out[60_000:], (x**y)[60_000:], rtol=2e-7)
    finite = np.abs(expected) < np.finfo(dtype).max
    ulp = np.spacing(np.abs(expected[finite].astype(dtype))).astype(np.longdouble)
    error = np.abs(out[finite].astype(np.longdouble) - expected[finite]) / ulp
    worst = int(error.argmax())
    assert error[worst] <= claimed("pow", dtype), (x[finite][worst], y[finite][worst])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_circle_far_out_and_close_to_its_zeros(dtype):
    turns = np.arange(-20_000, 20_000, dtype=np.longdouble)
    x = (turns * np.longdouble("1.57079632679489661923")).astype(dtype)
    x = np.concatenate([x, np.array([1.5e6, 1.6e6, 1.7e6, 1e10, 1e30, -3e38], dtype)])
    outs = np.empty_like(x), np.empty_like(x)
    code = [("load", 0), ("sin", 0), ("cos", 0), ("store", 1, 1), ("store", 2, 2)]
    Columns(dtype, code)([x, *outs])
    for out, exact_function in zip(outs, (np.sin, np.cos), strict=True):
        expected = exact_function(x.astype(np.longdouble))
        ulp = np.spacing(np.abs(expected.astype(dtype))).astype(np.longdouble)
        assert (np.abs(out - expected) / ulp).max() <= 1


def test_tails_keep_their_relative_accuracy():
    x = np.array([-80.0, -87.0, -100.0, -103.0], np.float32)
    code = [("load", 0), ("sigmoid", 0), ("store", 1, 1), ("exp", 0), ("store", 2, 3)]
    sigmoid, exp = np.empty_like(x), np.empty_like(x)
    Columns("f4", code)([x, sigmoid, exp])
    np.testing.assert_array_equal(sigmoid, np.exp(x.astype("f8")).astype("f4"))
    np.testing.assert_array_equal(exp, np.exp(x.astype("f8")).astype("f4"))
