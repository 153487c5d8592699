"""Gradients of initial states, which a layer of one cell takes without their axis of layers."""

import numpy as np
import pytest
from nn_layers import KINDS, B, D, H, T, flat, host, leaf, make_layer, random

import tinygrad_seq as tg
from tinygrad_seq import ops

every_kind = pytest.mark.parametrize("kind", KINDS)


def initial(layer):
    """Return leaves (1, B, width), and the same as a layer takes them."""
    (cell,) = layer.cells.values()
    leaves = [leaf(random(1, B, width, seed=i)) for i, width in enumerate(cell.state_sizes)]
    return leaves, tuple(leaves) if len(leaves) > 1 else leaves[0]


def by_hand(layer, leaves, x):
    """Return the outputs of the cell's own loop, from states that `reshape` has cut."""
    (cell,) = layer.cells.values()
    state = tuple(h.reshape(h.shape[1:]) for h in leaves)
    with tg.unrolled():
        return tg.scan(cell.forward, x, state)[1]


@pytest.mark.parametrize("mode", [tg.enable_grad, tg.unrolled, tg.detect_anomaly])
@every_kind
def test_the_gradient_has_the_axis_and_hooks_see_it(kind, mode):
    layer, x = make_layer(kind, "one"), tg.tensor(random(T, B, D))
    leaves, hx = initial(layer)
    wanted = tg.grad((by_hand(layer, leaves, x) ** 2).sum(), leaves)
    seen = []
    leaves[0].register_hook(lambda g: seen.append(g.shape))
    with mode():
        (layer(x, hx)[0] ** 2).sum().backward()
    assert seen == [(1, B, leaves[0].shape[-1])]
    for h, g in zip(leaves, wanted, strict=True):
        assert h.grad.shape == h.shape
        np.testing.assert_allclose(host(h.grad), host(g), rtol=1e-11, atol=1e-13)


@every_kind
def test_the_second_derivative_equals_that_of_the_loop(kind):
    layer, x = make_layer(kind, "one"), tg.tensor(random(T, B, D))
    leaves, hx = initial(layer)

    def second(outputs):
        first = tg.grad((outputs**2).sum(), leaves, create_graph=True)
        return tg.grad(sum((g * g).sum() for g in first), leaves)

    found, wanted = second(layer(x, hx)[0]), second(by_hand(layer, leaves, x))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(host(one), host(other), rtol=1e-9, atol=1e-11)


@every_kind
def test_a_state_that_was_computed_passes_the_gradient_on(kind):
    layer, x = make_layer(kind, "one"), tg.tensor(random(T, B, D))
    leaves, _ = initial(layer)
    halves = tuple(h * 0.5 for h in leaves)
    (layer(x, halves if len(halves) > 1 else halves[0])[0] ** 2).sum().backward()
    wanted = tg.grad((by_hand(layer, [h * 0.5 for h in leaves], x) ** 2).sum(), leaves)
    for h, g in zip(leaves, wanted, strict=True):
        np.testing.assert_allclose(host(h.grad), host(g), rtol=1e-11, atol=1e-13)


def test_a_layer_inside_a_step_takes_the_steps_state():
    layer, xs = make_layer("gru", "one"), tg.tensor(random(T, B, D))

    def step(h, x):
        _, new = layer(ops.expand_dims(x, 0), ops.expand_dims(h, 0))
        return new[0], new[0]

    h = leaf(random(B, H))
    found = tg.scan(step, xs, h)[1]
    with tg.unrolled():
        wanted = tg.scan(step, xs, h)[1]
    np.testing.assert_allclose(host(found), host(wanted), rtol=1e-12)
    np.testing.assert_allclose(
        host(tg.grad(found.sum(), h)), host(tg.grad(wanted.sum(), h)), rtol=1e-11
    )
    assert len(flat(layer(xs, ops.expand_dims(h, 0))[1])) == 1
