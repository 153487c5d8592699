"""Every elementwise op has a kernel: inside a compiled step it equals the loop, and so its VJP."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.engine.primitive import registry
from tinygrad_seq.machine import runtime
from tinygrad_seq.ops import activations, elementwise

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

T, B, H = 3, 4, 19

OPS = {  # of a, b (B, H) of either sign, p and q of those above 0.3
    "abs": lambda a, b, p, q: ops.abs(a),
    "add": lambda a, b, p, q: a + b + 0.5,
    "astype": lambda a, b, p, q: (a > 0.1).astype(a.dtype) * b + a.astype(a.dtype),
    "bitwise_and": lambda a, b, p, q: ops.where((a > 0) & (b > 0), a, b),
    "bitwise_or": lambda a, b, p, q: ops.where((a > 0) | (b > 0), a, b),
    "clip": lambda a, b, p, q: (
        ops.clip(a, -0.2, 0.3) + ops.clip(b, None, 0.1) + ops.clip(a, (-b).detach(), 0.9)
    ),
    "cos": lambda a, b, p, q: ops.cos(3 * a),
    "div": lambda a, b, p, q: a / p + 1 / q + b / 3,
    "elu": lambda a, b, p, q: ops.elu(a) + ops.elu(b, 0.3),
    "equal": lambda a, b, p, q: ops.where(a == a, a, b) + ops.where(a == b, a, b),
    "erf": lambda a, b, p, q: ops.erf(a),
    "exp": lambda a, b, p, q: ops.exp(a),
    "expm1": lambda a, b, p, q: ops.expm1(a),
    "gelu": lambda a, b, p, q: ops.gelu(a) + ops.gelu_tanh(b),
    "greater": lambda a, b, p, q: ops.where(a > b, a, b),
    "greater_equal": lambda a, b, p, q: ops.where(a >= 0, a, b),
    "invert": lambda a, b, p, q: ops.where(~(a > b), a, b),
    "isfinite": lambda a, b, p, q: ops.where(ops.isfinite(a / (a - a)), a, b) + a,
    "leaky_relu": lambda a, b, p, q: ops.leaky_relu(a) + ops.leaky_relu(b, 0.3),
    "less": lambda a, b, p, q: ops.where(a < b, a, b),
    "less_equal": lambda a, b, p, q: ops.where(a <= 0, a, b),
    "log": lambda a, b, p, q: ops.log(p),
    "log1p": lambda a, b, p, q: ops.log1p(p),
    "logsigmoid": lambda a, b, p, q: ops.logsigmoid(a),
    "maximum": lambda a, b, p, q: ops.maximum(a, b) + ops.maximum(a, 0.1),
    "minimum": lambda a, b, p, q: ops.minimum(a, b) + ops.minimum(0.1, a),
    "mul": lambda a, b, p, q: a * b * 3,
    "neg": lambda a, b, p, q: -a,
    "not_equal": lambda a, b, p, q: ops.where(a != b, a, b),
    "pow": lambda a, b, p, q: a**2 + p**-1.5 + p**0.3 + p**a + 2.0**b + p**q + p**0 + a**11,
    "relu": lambda a, b, p, q: ops.relu(a),
    "sigmoid": lambda a, b, p, q: ops.sigmoid(a),
    "sign": lambda a, b, p, q: ops.sign(a) * b,
    "sin": lambda a, b, p, q: ops.sin(3 * a),
    "softplus": lambda a, b, p, q: ops.softplus(a) + ops.softplus(b, 2.0, 0.5),
    "sqrt": lambda a, b, p, q: ops.sqrt(p),
    "sub": lambda a, b, p, q: a - b - 0.5,
    "tanh": lambda a, b, p, q: ops.tanh(a),
    "to_backend": lambda a, b, p, q: a.to("numpy") * b,
    "where": lambda a, b, p, q: ops.where(a > b, a, 0.5) + ops.where(p.detach(), b, a),
}


def elementwise_names():
    """Ops declared in the two files of elementwise functions."""
    files = {elementwise.__name__, activations.__name__}
    return {name for name, op in registry.items() if op.forward.__module__ in files}


def test_every_elementwise_op_is_in_the_table():
    assert set(OPS) == elementwise_names()


def scanned(functions, dtype):
    """Outputs of a step with these functions in it, gradients of what goes in, the explanation."""
    rng = np.random.default_rng(3)
    make = lambda *shape: tg.Tensor(rng.uniform(-1, 1, shape).astype(dtype), requires_grad=True)  # noqa: E731
    x, h, w = make(T, B, H), make(B, H), make(H)

    def step(h, x):
        a, b = h + 0.5 * x, x * w
        p, q = a * a + 0.3, b * b + 0.3
        outs = tuple(f(a, b, p, q) for f in functions)
        return 0.7 * h + 0.2 * ops.tanh(sum(outs[1:], outs[0])), outs

    explained = tg.explain(step, x, h)
    final, outs = tg.scan(step, x, h)
    weights = [make(*o.shape) for o in outs]
    losses = [(o * v.detach()).sum() for o, v in zip(outs, weights, strict=True)]
    grads = [tg.grad(loss, [x, h, w], retain_graph=True, allow_unused=True) for loss in losses]
    return [final, *outs], grads, explained


GROUPS = [sorted(OPS)[i::4] for i in range(4)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_inside_a_compiled_step_it_equals_the_loop(names, dtype):
    functions = [OPS[name] for name in names]
    with np.errstate(all="ignore"):
        found, grads, explained = scanned(functions, dtype)
        with tg.unrolled():
            wanted, expected, _ = scanned(functions, dtype)
    assert explained.reason is None
    tolerance = 3e-6 if dtype == "float32" else 1e-14
    for name, a, b in zip(["state", *names], found, wanted, strict=True):
        scale = max(1, np.abs(b.array).max())
        np.testing.assert_allclose(a.array, b.array, atol=tolerance * scale, rtol=0, err_msg=name)
    for name, some, others in zip(names, grads, expected, strict=True):
        for a, b in zip(some, others, strict=True):
            assert (a is None) == (b is None), name
            if b is None:
                continue
            scale = max(1, np.abs(b.array).max())
            np.testing.assert_allclose(
                a.array, b.array, atol=30 * tolerance * scale, rtol=0, err_msg=name
            )
