"""Derivatives of compiled gradients: the backward pass is a scan too, and so is its own."""

import numpy as np
import pytest
from compiled_cells import make
from engine.graphs import op_names

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.machine import runtime
from tinygrad_seq.testing import check_grads

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

T, B, D, H = 4, 3, 3, 5
LAYERS = {
    "rnn": lambda: nn.RNN(D, H, dtype=np.float64, generator=tg.Generator(0)),
    "rnn_relu": lambda: nn.RNN(D, H, nonlinearity="relu", dtype="f8", generator=tg.Generator(3)),
    "gru": lambda: nn.GRU(D, H, dtype=np.float64, generator=tg.Generator(1)),
    "gru_before": lambda: nn.GRU(D, H, reset_after=False, dtype="f8", generator=tg.Generator(1)),
    "lstm": lambda: nn.LSTM(D, H, dtype=np.float64, generator=tg.Generator(2)),
    "lstm_proj": lambda: nn.LSTM(D, H, proj_size=2, dtype=np.float64, generator=tg.Generator(2)),
}


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


@pytest.mark.parametrize("name", LAYERS)
def test_second_products_of_a_layer_equal_the_loops(name):
    layer = LAYERS[name]()
    x = tg.Tensor(normal(T, B, D), requires_grad=True)
    leaves = [x, *layer.parameters()]
    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            loss = (layer(x, lengths=[4, 0, 2])[0] ** 2).sum()
            first = tg.grad(loss, leaves, create_graph=True)
            found.append([*first, *tg.grad(sum((g * g).sum() for g in first), leaves)])
    for a, b in zip(*found, strict=True):
        scale = max(1, np.abs(b.array).max())
        np.testing.assert_allclose(a.array / scale, b.array / scale, atol=1e-12)


def test_the_graph_of_a_gradient_has_scans_and_no_steps():
    layer = nn.LSTM(D, H, generator=tg.Generator(0))
    x = tg.Tensor(normal(50, B, D).astype("f4"), requires_grad=True)
    (gx,) = tg.grad((layer(x)[0] ** 2).sum(), [x], create_graph=True)
    names = op_names(gx)
    assert names.count("scan") == 3  # forwards, forwards for the states before, backwards
    assert len(names) < 50


@pytest.mark.parametrize("name", ["layer_norm_lstm", "peephole_zoneout", "several", "joined"])
def test_second_derivatives_of_a_users_cell_equal_finite_differences(name):
    step, xs, hs, parameters = make(name, 3, 2, "float64")

    def run(*leaves):
        final, outputs = tg.scan(step, tuple(leaves[: len(xs)]), tuple(leaves[len(xs) :]))
        return (*final, *(outputs if isinstance(outputs, tuple) else (outputs,)))

    check_grads(run, [*xs, *hs], order=2)
    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            loss = sum((o * o).sum() for o in run(*xs, *hs))
            first = tg.grad(loss, parameters, create_graph=True)
            found.append(tg.grad(sum((g * g).sum() for g in first), [*xs, *hs, *parameters]))
    for a, b in zip(*found, strict=True):
        scale = max(1, np.abs(b.array).max())
        np.testing.assert_allclose(a.array / scale, b.array / scale, atol=1e-11)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_second_products_of_weights_equal_finite_differences(kind):
    layer = kind(D, 3, dtype=np.float64, generator=tg.Generator(4))
    x, weights = tg.Tensor(normal(3, 2, D)), list(layer.parameters())
    directions = [tg.Tensor(normal(*w.shape, seed=i)) for i, w in enumerate(weights)]

    def slope():
        first = tg.grad((layer(x)[0] ** 2).sum(), weights, create_graph=True)
        return sum((g * d).sum() for g, d in zip(first, directions, strict=True))

    product = tg.grad(slope(), weights)
    predicted = sum(float((g * d).sum()) for g, d in zip(product, directions, strict=True))
    ends = []
    for eps in (1e-5, -1e-5):
        for w, d in zip(weights, directions, strict=True):
            w.data[...] += eps * d.array
        ends.append(float(slope()))
        for w, d in zip(weights, directions, strict=True):
            w.data[...] -= eps * d.array
    np.testing.assert_allclose(predicted, (ends[0] - ends[1]) / 2e-5, rtol=1e-7)


@pytest.mark.parametrize(("batch", "order"), [(1, 2), (3, 3)])
def test_third_derivatives(batch, order):
    w = tg.Tensor(normal(H, H) / 3, requires_grad=True)
    b, fixed = (tg.Tensor(normal(*s), requires_grad=True) for s in ((H,), (batch, H)))
    x = tg.Tensor(normal(T, batch, H, seed=1), requires_grad=True)
    h = tg.Tensor(normal(batch, H, seed=2), requires_grad=True)

    def step(h, x):
        h = ops.tanh(h @ w + x * b + fixed)
        return h, h

    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            gs = [(tg.scan(step, x, h)[1] ** 3).sum()]
            results = []
            for _ in range(order):
                gs = tg.grad(sum((g * g).sum() for g in gs), [x, h, w, b, fixed], create_graph=True)
                results += gs
            found.append(results)
    for a, c in zip(*found, strict=True):
        scale = max(1, np.abs(c.array).max())
        np.testing.assert_allclose(a.array / scale, c.array / scale, atol=1e-12)
