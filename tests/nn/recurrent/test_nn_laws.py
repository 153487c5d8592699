"""Laws that every recurrent layer keeps: time, batch, direction, depth, dropout."""

import numpy as np
import pytest
from nn_layers import (
    KINDS,
    SHAPES,
    B,
    D,
    H,
    T,
    flat,
    host,
    leaf,
    make_cell,
    make_layer,
    random,
    run_all,
    states_for,
)

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim

every_kind = pytest.mark.parametrize("kind", KINDS)
every_shape = pytest.mark.parametrize("shape", SHAPES)
one_way = pytest.mark.parametrize("shape", ["one", "two"])


def assert_close(found, wanted, what=""):
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13, err_msg=what)


def joined(parts):
    return parts if len(parts) > 1 else parts[0]


@pytest.mark.parametrize("cuts", [(1,), (4,), (2, 3)])
@one_way
@every_kind
def test_chunks_equal_whole(kind, shape, cuts):
    layer = make_layer(kind, shape)
    x, weights = leaf(random(T, B, D)), None
    whole, whole_final = layer(x)
    weights = random(*whole.shape, seed=2)
    (whole * weights).sum().backward()
    wanted = [host(t.grad) for t in (x, *layer.parameters())]
    layer.zero_grad()
    x.grad = None
    state, outputs = None, []
    for part in ops.split(x, cuts):
        output, state = layer(part, state)
        outputs.append(output)
    assert_close(host(ops.concat(outputs)), host(whole))
    for found, expected in zip(flat(state), flat(whole_final), strict=True):
        assert_close(host(found), host(expected))
    (ops.concat(outputs) * weights).sum().backward()
    for tensor, expected in zip((x, *layer.parameters()), wanted, strict=True):
        assert_close(host(tensor.grad), expected)


def test_detached_chunks_cut_the_gradient():
    layer = make_layer("lstm", "two")
    early, late = leaf(random(2, B, D)), leaf(random(2, B, D, seed=1))
    _, state = layer(early)
    cut = nn.detached(state)
    assert isinstance(cut, tuple)
    assert not any(s.requires_grad for s in cut)
    layer(late, cut)[0].sum().backward()
    assert early.grad is None
    assert host(late.grad).any()


@pytest.mark.parametrize("lengths", [None, [3, 0, 5, 1]])
@every_kind
def test_reverse_twice_is_identity(kind, lengths):
    """A layer that runs backwards over a sequence flipped within its length runs forwards."""
    cell, x = make_cell(kind), random(T, B, D)

    def flipped(array):
        out = array.copy()
        for b, length in enumerate(lengths or [T] * B):
            out[:length, b] = array[:length, b][::-1]
        return out

    wanted, final = nn.Recurrent(cell)(tg.tensor(x), lengths=lengths)
    back = nn.Recurrent(cell, reverse=True)
    found, final_back = back(tg.tensor(flipped(x)), lengths=lengths)
    np.testing.assert_array_equal(flipped(host(found)), host(wanted))
    for one, other in zip(flat(final), flat(final_back), strict=True):
        np.testing.assert_array_equal(host(one), host(other))


@every_kind
def test_bidirectional_is_forward_beside_flipped_backward(kind):
    layer, x = make_layer(kind, "both_ways"), random(T, B, D)
    (_, there), (_, back) = layer.cells.items()
    forward, final_there = nn.Recurrent(there)(tg.tensor(x))
    backward, final_back = nn.Recurrent(back)(tg.tensor(x[::-1].copy()))
    output, final = layer(tg.tensor(x))
    np.testing.assert_array_equal(
        host(output), np.concatenate([host(forward), host(backward)[::-1]], axis=-1)
    )
    for both, one, other in zip(flat(final), final_there, final_back, strict=True):
        np.testing.assert_array_equal(host(both), np.stack([host(one), host(other)]))


@every_kind
def test_stack_equals_layer_by_layer(kind):
    layer, x = make_layer(kind, "two_both_ways"), tg.tensor(random(T, B, D))
    lower, upper = layer.stack.layers
    below, final_below = lower(x)
    above, final_above = upper(below)
    output, final = layer(x)
    np.testing.assert_array_equal(host(output), host(above))
    pairs = [final_below[0], final_below[1], final_above[0], final_above[1]]
    for whole, *parts in zip(flat(final), *pairs, strict=True):
        np.testing.assert_array_equal(host(whole), np.stack([host(p) for p in parts]))


@every_shape
@every_kind
def test_permuted_batch_gives_permuted_results(kind, shape):
    layer = make_layer(kind, shape)
    x, order, lengths = random(T, B, D), np.array([2, 0, 3, 1]), np.array([3, 0, 5, 1])
    hx = states_for(layer)
    output, final = layer(tg.tensor(x), hx, lengths=lengths)
    moved = joined(tuple(s[:, order] for s in flat(hx)))
    found, found_final = layer(tg.tensor(x[:, order]), moved, lengths=lengths[order])
    assert_close(host(found), host(output)[:, order])
    for one, other in zip(flat(found_final), flat(final), strict=True):
        assert_close(host(one), host(other)[:, order])


@every_shape
@every_kind
def test_unbatched_equals_a_batch_of_one(kind, shape):
    layer = make_layer(kind, shape)
    x, hx = random(T, 1, D), states_for(layer, 1)
    wanted = run_all(layer, x, hx)
    output, final = layer(tg.tensor(x[:, 0]), joined(tuple(s[:, 0] for s in flat(hx))))
    np.testing.assert_array_equal(host(output), wanted["output"][:, 0])
    for i, part in enumerate(flat(final)):
        np.testing.assert_array_equal(host(part), wanted[f"final{i}"][:, 0])


@every_shape
@every_kind
def test_batch_first_equals_swapped(kind, shape):
    layer, first = make_layer(kind, shape), make_layer(kind, shape, batch_first=True)
    first.load_state_dict(layer.state_dict())
    x, hx = random(T, B, D), states_for(layer)
    output, final = layer(tg.tensor(x), hx)
    found, found_final = first(tg.tensor(x.swapaxes(0, 1)), hx)  # states stay (layers, B, H)
    np.testing.assert_array_equal(host(found).swapaxes(0, 1), host(output))
    for one, other in zip(flat(found_final), flat(final), strict=True):
        np.testing.assert_array_equal(host(one), host(other))
    unbatched, _ = first(tg.tensor(x[:, 0]))  # (T, D): nothing to swap
    assert_close(host(unbatched), host(layer(tg.tensor(x[:, 0]))[0]))


@every_shape
@every_kind
def test_no_initial_state_is_zeros(kind, shape):
    layer, x = make_layer(kind, shape), random(T, B, D)
    zeros = joined(tuple(tg.tensor(0 * host(s)) for s in flat(states_for(layer))))
    given, plain = layer(tg.tensor(x), zeros), layer(tg.tensor(x))
    for one, other in zip(flat(given), flat(plain), strict=True):
        np.testing.assert_array_equal(host(one), host(other))


def test_an_empty_batch_stays_empty():
    for shape in SHAPES:
        layer = make_layer("lstm", shape)
        output, (h, c) = layer(tg.tensor(np.zeros((T, 0, D))), lengths=np.zeros(0, int))
        assert output.shape == (T, 0, H * (1 + layer.bidirectional))
        assert h.shape == c.shape == (layer.num_layers * (1 + layer.bidirectional), 0, H)


# ---- dropout between layers ----------------------------------------------------------------------


def dropped(p, mode, seed=11):
    layer = make_layer("gru", "two", dropout=p)
    layer.train(mode)
    tg.manual_seed(seed)
    return host(layer(tg.tensor(random(T, B, D)))[0])


def test_dropout_acts_in_training_only_and_by_the_seed():
    plain = dropped(0.0, True)
    np.testing.assert_array_equal(dropped(0.6, False), plain)
    assert not np.array_equal(dropped(0.6, True), plain)
    np.testing.assert_array_equal(dropped(0.6, True), dropped(0.6, True))
    assert not np.array_equal(dropped(0.6, True), dropped(0.6, True, seed=12))


def test_dropout_is_between_layers_not_after_the_last():
    layer, x = make_layer("gru", "two", dropout=1.0), random(T, B, D)
    assert host(layer(tg.tensor(x))[0]).any()  # dropped after the last, all would be 0
    (_, lower), (_, upper) = layer.cells.items()
    below, _ = nn.Recurrent(lower)(tg.tensor(x))
    above, _ = nn.Recurrent(upper)(tg.tensor(0 * host(below)))
    np.testing.assert_array_equal(host(layer(tg.tensor(x))[0]), host(above))


def test_dropout_of_one_layer_does_nothing():
    layer, plain = make_layer("lstm", dropout=0.9), make_layer("lstm")
    x = tg.tensor(random(T, B, D))
    np.testing.assert_array_equal(host(layer(x)[0]), host(plain(x)[0]))


@pytest.mark.parametrize(
    "inside", [lambda m: m, lambda m: [m], lambda m: {"a": nn.ModuleList([m])}]
)
def test_eval_of_a_whole_model_reaches_the_dropout_in_its_layers(inside):
    class Model(nn.Module):
        def __init__(self):
            self.held = inside(make_layer("gru", "two", dropout=0.6))

    model = Model()
    layer = next(m for m in model.modules() if isinstance(m, nn.GRU))
    x = tg.tensor(random(T, B, D))
    assert not np.array_equal(host(layer(x)[0]), host(layer(x)[0]))
    model.eval()
    np.testing.assert_array_equal(host(layer(x)[0]), dropped(0.0, True))
    model.train()
    assert not np.array_equal(host(layer(x)[0]), host(layer(x)[0]))


def language_model_losses(steps):
    """Losses of training a small language model, state carried, its gradients clipped; weights."""
    tg.manual_seed(3)
    embedding = nn.Embedding(40, 12, dtype="float64")
    lstm, output = nn.LSTM(12, 16, 2, dtype="float64"), nn.Linear(16, 40, dtype="float64")
    parameters = [p for part in (embedding, lstm, output) for p in part.parameters()]
    optimizer, state, losses = optim.SGD(parameters, lr=1.0), None, []
    rng = np.random.default_rng(4)
    for _ in range(steps):
        ids = rng.integers(0, 40, (9, 5)) // rng.integers(1, 5, (9, 5))
        optimizer.zero_grad()
        h, state = lstm(embedding(ids[:-1]), state)
        loss = ops.cross_entropy(output(h.reshape(-1, 16)), ids[1:].reshape(-1))
        loss.backward()
        optim.clip_grad_norm_(parameters, 0.5)
        optimizer.step()
        losses.append(loss.item())
        state = nn.detached(state)
    return losses, [host(p) for p in parameters]


def test_training_long_equals_training_unrolled():
    losses, weights = language_model_losses(60)
    with tg.unrolled():
        wanted, unrolled = language_model_losses(60)
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_allclose(losses, wanted, rtol=1e-11)
    for one, other in zip(weights, unrolled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
