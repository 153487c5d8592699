"""Every op with kernels of its own equals its definition, far out too."""

import functools
import os
import subprocess
import sys

import numba
import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.engine.primitive import Fused, registry

LOGITS = {
    "moderate": [[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]],
    "large loss": [[-1e4, 0.0, 0.0], [1e4, -1e4, 0.0]],
    "huge loss": [[-1e7, 0.0, 1.0], [-3e7, 2.0, 0.0]],
    "masked": [[1.0, -np.inf, 0.0], [0.0, 1.0, -np.inf]],
    "target masked": [[-np.inf, 0.0, 1.0], [-np.inf, 0.0, 0.0]],
}


def test_every_fused_op_is_held_against_its_definition_here():
    fused = {name for name, op in registry.items() if isinstance(op, Fused)}
    assert fused == {"cross_entropy_rows", "crf_log_partition", "ctc_alignments"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", LOGITS)
def test_cross_entropy_rows(kind, dtype):
    found = []
    targets = np.array([0, 0])
    definition = registry["cross_entropy_rows"].definition
    for function in (ops.cross_entropy_rows, definition):
        x = tg.tensor(np.array(LOGITS[kind], dtype), requires_grad=True)
        losses = function(x, targets)
        losses.backward(np.array([1.0, 2.0], dtype))
        found.append((losses.detach().numpy(), x.grad.numpy()))
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    for a, b in zip(*found, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


ALIGNED = {
    "moderate": lambda x: x,
    "far out": lambda x: 300 * x,
    "masked": lambda x: np.where(x < -1, -np.inf, x),
    "one frame impossible": lambda x: np.where(np.arange(len(x))[:, None, None] == 1, -np.inf, x),
    "NaN": lambda x: np.where(x > 1.5, np.nan, x),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ALIGNED)
def test_ctc_alignments(kind, dtype):
    """Labels that repeat, more than fit, none, and no frames; beyond lengths all is NaN."""
    rng = np.random.default_rng(0)
    frames, symbols = np.array([9, 6, 4, 9, 0, 0, 1]), np.array([3, 3, 3, 0, 0, 1, 1])
    labels = np.zeros((7, 7), int)
    labels[:, 1::2] = rng.integers(1, 3, (7, 3))
    data = ALIGNED[kind](rng.normal(size=(9, 7, 3))).astype(dtype)
    data[np.arange(9)[:, None] >= frames] = np.nan
    found = []
    for function in (ops.ctc_alignments, registry["ctc_alignments"].definition):
        x = tg.tensor(data, requires_grad=True)
        losses = function(x, labels, frames, symbols)
        losses.backward(np.arange(1, 8).astype(dtype))
        gradient = x.grad.numpy()
        clean = ~np.isnan(losses.detach().numpy())
        assert np.isnan(gradient).any(axis=(0, 2)).tolist() == (~clean).tolist()
        found.append((losses.detach().numpy(), gradient[:, clean]))
    assert np.isnan(found[0][0]).any() == (kind == "NaN")
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    for a, b in zip(*found, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


CHAINS = """
import numpy as np
from tinygrad_seq.ops.chains import alignments, partitions
numbers = np.array([2])
alignments.forward(np.zeros((2, 1, 3)), np.array([[0, 1, 0]]), numbers, numbers // 2, np.empty(1))
partitions.forward(np.zeros((2, 1, 3)), np.zeros((3, 3)), *np.zeros((2, 3)), numbers, np.empty(1))
print([sum(module.forward.stats.cache_hits.values()) for module in (alignments, partitions)])
"""


@pytest.mark.slow
def test_kernels_of_chains_are_compiled_once_for_all_processes(tmp_path):
    if numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    run = functools.partial(subprocess.run, capture_output=True, check=True, text=True)
    found = [run([sys.executable, "-c", CHAINS], env=environment).stdout for _ in range(2)]
    assert found == ["[0, 0]\n", "[1, 1]\n"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ALIGNED)
def test_crf_log_partition(kind, dtype):
    rng = np.random.default_rng(0)
    lengths = np.array([9, 6, 4, 9, 0, 0, 1])
    data = ALIGNED[kind](rng.normal(size=(9, 7, 3))).astype(dtype)
    data[np.arange(9)[:, None] >= lengths] = np.nan
    scores = [rng.normal(size=shape).astype(dtype) for shape in ((3, 3), 3, 3)]
    scores[0][0, 1] = scores[1][2] = -np.inf
    found = []
    for function in (ops.crf_log_partition, registry["crf_log_partition"].definition):
        inputs = [tg.tensor(x, requires_grad=True) for x in (data, *scores)]
        totals = function(*inputs, lengths)
        clean = ~np.isnan(totals.detach().numpy())
        seed = np.where(clean, np.arange(1, 8), 0).astype(dtype)
        totals[clean].backward(seed[clean])
        gradients = [x.grad.numpy() for x in inputs]
        found.append((totals.detach().numpy(), gradients[0][:, clean], *gradients[1:]))
    assert np.isnan(found[0][0]).any() == (kind == "NaN")
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    for a, b in zip(*found, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (ops.sigmoid, lambda x: np.where(x > 0, 1.0, 0.0)),
        (ops.tanh, np.sign),
        (ops.softplus, lambda x: np.maximum(x, 0)),
        (ops.logsigmoid, lambda x: np.minimum(x, 0)),
        (ops.gelu, lambda x: np.maximum(x, 0)),
        (ops.gelu_tanh, lambda x: np.maximum(x, 0)),
        (ops.erf, np.sign),
        (ops.elu, lambda x: np.maximum(x, -1)),
        (ops.softmax, lambda x: (x == x.max()) * 1.0),
        (ops.log_softmax, lambda x: x - x.max()),
        (ops.logsumexp, np.max),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_tails_are_exact_and_quiet(function, exact, dtype):
    """Far out nothing overflows (a warning is an error) and gradients are finite."""
    if function is ops.gelu_tanh:
        dtype = "float64"  # the cube in its formula is soon beyond float16
    far = 200.0 if dtype == "float16" else 1e9  # whose square is finite
    x = tg.tensor(np.array([-far, -40.0, 40.0, far], dtype), requires_grad=True)
    y = function(x)
    np.testing.assert_allclose(y.detach(), exact(x.data.astype(float)), rtol=1e-3, atol=1e-4)
    y.backward(np.ones(y.shape, dtype))
    assert np.isfinite(x.grad.numpy()).all()


def test_minus_infinity_masks_in_softmaxes():
    x = tg.tensor([0.0, -np.inf, 0.0], requires_grad=True)
    assert ops.softmax(x).tolist() == [0.5, 0, 0.5]
    assert tg.grad((ops.softmax(x) * np.array([1, 2, 3], np.float32)).sum(), x).tolist() == [
        -0.5,
        0,
        0.5,
    ]
    assert tg.grad(ops.logsumexp(x), x).tolist() == [0.5, 0, 0.5]
    nothing = tg.tensor([-np.inf, -np.inf], requires_grad=True)
    assert ops.logsumexp(nothing).item() == -np.inf


def test_kinks_are_as_documented():
    zero = tg.tensor([0.0], requires_grad=True)
    for function, slope in (
        (ops.relu, 0),
        (ops.abs, 0),
        (ops.sign, None),
        (lambda x: ops.maximum(x, 0.0), 0.5),
        (lambda x: ops.minimum(x, x * 1), 1),
        (lambda x: x**0, 0),
        (lambda x: x**1, 1),
        (lambda x: x**2, 0),
        (lambda x: 0**x, 0),
    ):
        y = function(zero)
        if slope is None:
            assert not y.requires_grad
        else:
            assert tg.grad(y.sum(), zero).item() == slope


def test_equal_extremes_share_the_gradient():
    x = tg.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], requires_grad=True)
    assert tg.grad(ops.max(x, 1).sum(), x).tolist()[0] == [0, 0.5, 0.5]
    assert tg.grad(ops.min(x), x).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert tg.grad(ops.max(x), x).tolist() == [[0, 0.5, 0.5], [0, 0, 0]]


def test_mixed_second_derivative_of_a_power_at_exponent_0():
    """d²(xʸ)/dx dy = xʸ⁻¹ (1 + y log x), which is 1/x at y = 0, in either order."""
    x = tg.tensor(np.array(2.0), requires_grad=True)
    y = tg.tensor(np.array(0.0), requires_grad=True)
    for first, second in ((x, y), (y, x)):
        g = tg.grad(x**y, first, create_graph=True)
        assert tg.grad(g, second).item() == 0.5
