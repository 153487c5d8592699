"""Derivatives of cells and layers, of first and second order, equal central differences."""

import numpy as np
import pytest
from nn_layers import KINDS, H, functional, host, leaf, make_cell, make_layer, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.testing import check_grads


def leaves(module, *arrays):
    """Leaves at the values of the module's parameters, then of the arrays."""
    return [leaf(host(p)) for p in module.parameters()] + [leaf(a) for a in arrays]


@pytest.mark.parametrize("kind", KINDS)
def test_cell_to_second_order(kind):
    cell = make_cell(kind)

    def step(x, *state):
        after, _ = cell(state, x)
        return after

    states = [random(2, width, seed=i) for i, width in enumerate(cell.state_sizes)]
    check_grads(functional(cell, step), leaves(cell, random(2, 3, seed=9), *states), order=2)


@pytest.mark.parametrize("kind", KINDS)
def test_cell_without_biases_to_second_order(kind):
    cell = make_cell(kind, bias=False)
    assert not [name for name, _ in cell.named_parameters() if "bias" in name]

    def two_steps(x):
        state, _ = cell(cell.initial_state(x), x)
        return cell(state, x)[1]

    check_grads(functional(cell, two_steps), leaves(cell, random(2, 3, seed=9)), order=2)


@pytest.mark.parametrize("shape", ["two", "both_ways"])
@pytest.mark.parametrize("kind", KINDS)
def test_layer_with_lengths_to_second_order(kind, shape):
    layer = make_layer(kind, shape)

    def call(x):
        output, final = layer(x, lengths=[2, 0, 3, 1])
        return (output, *final) if isinstance(final, tuple) else (output, final)

    check_grads(functional(layer, call), leaves(layer, random(3, 4, 3)), order=2)


def penalty(layer, x):
    """|d loss / dx|², itself a loss."""
    output, _ = layer(x)
    loss = (output * random(*output.shape, seed=8)).sum()
    g = tg.grad(loss, x, create_graph=True)
    return (g * g).sum()


def test_gradient_penalty_of_an_lstm_equals_central_differences():
    layer = nn.LSTM(2, 3, dtype="float64", generator=tg.Generator(3))
    x = leaf(2 * random(4, 2, 2))
    layer.zero_grad()
    penalty(layer, x).backward()
    eps = 1e-5
    for name, parameter in layer.named_parameters():
        start, found = host(parameter), host(parameter.grad)
        assert np.abs(found).max() > 1e-4, name
        for index in np.ndindex(start.shape):
            ends = []
            for sign in (1, -1):
                moved = start.copy()
                moved[index] += sign * eps
                layer.load_state_dict({name: moved}, strict=False)
                ends.append(penalty(layer, x).item())
            layer.load_state_dict({name: start}, strict=False)
            difference = (ends[0] - ends[1]) / (2 * eps)
            assert found[index] == pytest.approx(difference, rel=1e-6, abs=1e-8), (name, index)


def test_third_order_of_a_gru_step():
    cell = make_cell("gru_before")

    def step(x, h):
        return cell((h,), x)[1]

    check_grads(step, [leaf(random(2, 3)), leaf(random(2, H))], order=3)


def test_gradients_reach_what_only_the_merge_uses():
    scale = nn.Parameter(np.array([0.3, -0.7]))
    layer = nn.Bidirectional(
        make_cell("gru"), make_cell("lstm"), merge=lambda a, b: scale[0] * a + scale[1] * b
    )
    x = random(3, 2, 3)

    def call(given, *parameters):
        scale.array, scale.place = given.array, given.place
        return functional(layer, lambda: layer(tg.tensor(x))[0])(*parameters)

    check_grads(call, [leaf(host(scale)), *leaves(layer)], order=1)


def test_checkpointed_layer_has_the_same_gradients():
    layer, x = make_layer("lstm", "both_ways"), leaf(random(4, 2, 3))
    output = layer(x)[0]
    weights = random(*output.shape, seed=4)
    (output * weights).sum().backward()
    wanted = [host(t.grad) for t in (x, *layer.parameters())]
    layer.zero_grad()
    x.grad = None
    (tg.checkpoint(lambda x: layer(x)[0], x) * weights).sum().backward()
    for tensor, expected in zip((x, *layer.parameters()), wanted, strict=True):
        np.testing.assert_allclose(host(tensor.grad), expected, rtol=1e-12, atol=1e-14)


def test_embedding_and_layer_norm_to_second_order():
    embedding = nn.Embedding(4, 3, padding_idx=1, dtype="float64", generator=tg.Generator(1))
    norm = nn.LayerNorm(3, dtype="float64")
    nn.init.normal_(norm.weight, generator=tg.Generator(2))
    model = nn.Sequential(embedding, norm, ops.tanh)
    frozen = host(embedding.weight)[1]

    def call(table, *rest):
        # The padding row is a constant for the gradient, so the differences must not move it.
        given = ops.where(np.arange(4)[:, None] == 1, frozen, table)
        return functional(model, lambda: model([[0, 2], [1, 2]]))(given, *rest)

    check_grads(call, leaves(model), order=2)
