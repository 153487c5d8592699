"""What depends on inputs alone runs before the loop, over all steps at once."""

import numpy as np
import pytest
from engine.graphs import op_names

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.machine import runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

T, B, D, H, V = 6, 4, 3, 5, 11
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, V, (T, B))


def leaf(*shape):
    return tg.Tensor(RNG.standard_normal(shape) * 0.6, requires_grad=True)


X, U, H0 = leaf(T, B, D), leaf(T, B, D), leaf(B, H)
E, W, WX, JOINED, BIAS = leaf(V, D), leaf(H, H), leaf(D, H), leaf(H, 2 * D + H), leaf(H)
EMBEDDING = nn.Embedding(V, D, dtype=np.float64, generator=tg.Generator(0))
MASK = tg.Tensor(RNG.random((T, B, D)) < 0.5)
KEYS = tg.Tensor(RNG.standard_normal((B, D)))

STEPS = {  # name: (step of h and (token, x, u, mask), ops before the loop beside the scan)
    "rows of a table": (
        lambda h, t, x, u, m: ops.tanh(ops.take_rows(E, t) @ WX + h @ W), ["take_rows"],
    ),
    "an embedding": (
        lambda h, t, x, u, m: ops.tanh(EMBEDDING(t) @ WX + h @ W), ["take_rows"],
    ),
    "one-hot": (
        lambda h, t, x, u, m: ops.tanh(ops.one_hot(t, V, np.float64) @ (E @ WX) + h), ["matmul"],
    ),
    "a function of the input": (lambda h, t, x, u, m: ops.tanh(ops.tanh(x) @ WX + h), ["tanh"]),
    "a mask and a softmax": (
        lambda h, t, x, u, m: ops.where(m, x, 0.5) @ WX + ops.softmax(x, axis=1) @ WX * h,
        ["softmax", "where"],
    ),
    "an input and the state joined": (
        lambda h, t, x, u, m: ops.tanh(ops.concat([x, h], axis=-1) @ JOINED[:, :-D].T + BIAS),
        ["getitem", "split", "transpose"],
    ),
    "two inputs and the state joined": (
        lambda h, t, x, u, m: ops.tanh(ops.linear(ops.concat([x, u, h], axis=1), JOINED, BIAS)),
        ["concat", "split"],
    ),
    "the state between the inputs": (
        lambda h, t, x, u, m: ops.tanh(ops.linear(ops.concat([x, h, u * u], axis=1), JOINED)),
        ["mul", "split"],
    ),
    "what has no kernel": (
        lambda h, t, x, u, m: h * 0.5 + (ops.cumsum(x, axis=1) + ops.flip(u, 1)) @ WX,
        ["add", "cumsum", "flip"],
    ),
    "rows of a batch mixed": (lambda h, t, x, u, m: h + ops.exp(x[::-1]) @ WX, ["exp", "getitem"]),
    "slices, numbers and a constant": (
        lambda h, t, x, u, m: (
            h * (ops.sum(x * KEYS, axis=1) + u[:, 0] + t.astype(np.float64))[:, None]
            + ops.concat([x, KEYS], axis=1) @ JOINED[:, : 2 * D].T
        ),
        ["concat", "getitem", "transpose"],
    ),
}  # fmt: skip


def results(name, **options):
    function = STEPS[name][0]

    def step(h, inputs):
        h = function(h, *inputs)
        return h, (h * h, inputs[1])

    final, outputs = tg.scan(step, (tg.Tensor(TOKENS), X, U, MASK), H0, **options)
    loss = (final * final).sum() + sum(ops.sum(y * y * 0.3) for y in outputs)
    leaves = [X, U, H0, E, W, WX, JOINED, BIAS, EMBEDDING.weight]
    gradients = tg.grad(loss, leaves, allow_unused=True)
    return step, [final, *outputs, *gradients]


@pytest.mark.parametrize("name", STEPS)
def test_it_equals_the_loop(name):
    for options in ({}, {"lengths": [6, 0, 1, 4], "reverse": True}):
        step, found = results(name, **options)
        with tg.unrolled():
            _, wanted = results(name, **options)
        for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
            if b is None:
                assert a is None or not a.array.any()
            else:
                np.testing.assert_allclose(a.array, b.array, rtol=1e-9, atol=1e-11, err_msg=str(i))
    assert tg.explain(step, (tg.Tensor(TOKENS), X, U, MASK), H0).reason is None


@pytest.mark.parametrize("name", STEPS)
def test_it_takes_one_node_an_op(name):
    function, expected = STEPS[name]

    def step(h, inputs):
        h = function(h, *inputs)
        return h, h

    names = op_names(tg.scan(step, (tg.Tensor(TOKENS), X, U, MASK), H0)[0])
    assert names.count("scan") == 1
    rest = sorted(n for n in names if n != "scan")
    assert set(expected) <= set(rest)
    assert len(rest) <= 10  # however many steps


def test_an_index_out_of_range_is_an_error():
    def step(h, t):
        return h + ops.take_rows(E, t) @ WX, h

    with pytest.raises(IndexError, match="out of range"):
        tg.scan(step, tg.Tensor(TOKENS + V), H0)


def test_a_joined_product_leaves_only_the_state_in_the_loop():
    def step(h, x):
        return ops.tanh(ops.concat([x, h], axis=-1) @ JOINED[:, :-D].T), h

    for context in (tg.enable_grad(), tg.no_grad()):
        with context:
            told = tg.explain(step, X, H0)
        assert told.plan.count("hoisted before the steps") == 1
        assert "concat" not in told.step
