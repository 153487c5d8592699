"""Padding is invisible: no result and no gradient depends on it, in both directions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn_layers import (
    KINDS,
    SHAPES,
    B,
    D,
    T,
    flat,
    host,
    leaf,
    make_layer,
    random,
    run_all,
    states_for,
)

import tinygrad_seq as tg
from tinygrad_seq import nn

LENGTHS = [3, 0, 5, 1]
BEYOND = np.arange(T)[:, None] >= np.array(LENGTHS)  # (T, B)
every_kind = pytest.mark.parametrize("kind", KINDS)
every_shape = pytest.mark.parametrize("shape", SHAPES)


def assert_close(found, wanted, what=""):
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13, err_msg=what)


def assert_all_equal(found, wanted):
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


@every_shape
@every_kind
def test_padding_is_invisible(kind, shape):
    layer = make_layer(kind, shape)
    x = random(T, B, D)
    wanted = run_all(layer, x, states_for(layer), LENGTHS)
    for garbage in (1e3 * random(T, B, D, seed=1), np.nan, -np.inf):
        other = np.where(BEYOND[..., None], garbage, x)
        assert not np.array_equal(x, other)
        assert_all_equal(run_all(layer, other, states_for(layer), LENGTHS), wanted)


@every_shape
@every_kind
def test_outputs_and_gradients_in_the_padding_are_zero(kind, shape):
    layer = make_layer(kind, shape)
    found = run_all(layer, random(T, B, D), lengths=LENGTHS)
    assert not found["output"][BEYOND].any()
    assert not found["x.grad"][BEYOND].any()
    if kind != "rnn_relu":  # whose units may all be off
        assert found["output"][~BEYOND].any(axis=-1).all()
        assert found["x.grad"][~BEYOND].any(axis=-1).all()


@every_shape
@every_kind
def test_each_sequence_alone_equals_the_batch(kind, shape):
    layer = make_layer(kind, shape)
    x, hx = random(T, B, D), states_for(layer)
    output, final = layer(tg.tensor(x), hx, lengths=LENGTHS)
    for b, length in enumerate(LENGTHS):
        if length == 0:
            continue
        own = tuple(s[:, b : b + 1] for s in flat(hx))
        alone, alone_final = layer(
            tg.tensor(x[:length, b : b + 1]), own if len(own) > 1 else own[0]
        )
        assert_close(host(output)[:length, b], host(alone)[:, 0])
        for whole, part in zip(flat(final), flat(alone_final), strict=True):
            assert_close(host(whole)[:, b], host(part)[:, 0])


@every_shape
@every_kind
def test_length_zero_keeps_the_initial_state_and_its_gradient(kind, shape):
    layer = make_layer(kind, shape)
    hx = states_for(layer)
    output, final = layer(tg.tensor(random(T, B, D)), hx, lengths=[0] * B)
    assert not host(output).any()
    weights = [random(*s.shape, seed=3 + i) for i, s in enumerate(flat(hx))]
    sum((s * w).sum() for s, w in zip(flat(final), weights, strict=True)).backward()
    for before, after, weight in zip(flat(hx), flat(final), weights, strict=True):
        np.testing.assert_array_equal(host(after), host(before))
        np.testing.assert_array_equal(host(before.grad), weight)
    assert all(p.grad is None or not host(p.grad).any() for p in layer.parameters())


@every_shape
@every_kind
def test_full_lengths_change_nothing(kind, shape):
    layer = make_layer(kind, shape)
    x = random(T, B, D)
    found, wanted = run_all(layer, x, lengths=[T] * B), run_all(layer, x)
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert_close(found[name], wanted[name], name)


@every_kind
def test_gradients_of_a_ragged_batch_are_the_sums_of_its_sequences(kind):
    layer = make_layer(kind, "both_ways")
    x = random(T, B, D)
    weights = random(T, B, 2 * (2 if kind == "lstm_proj" else 4), seed=2)
    (layer(tg.tensor(x), lengths=LENGTHS)[0] * weights).sum().backward()
    wanted = {name: host(p.grad) for name, p in layer.named_parameters()}
    layer.zero_grad()
    for b, length in enumerate(LENGTHS):
        if length:
            alone, _ = layer(tg.tensor(x[:length, b]))
            (alone * weights[:length, b]).sum().backward()
    for name, p in layer.named_parameters():
        assert_close(host(p.grad), wanted[name], name)


def forms_of(lengths):
    array = np.array(lengths)
    kinds = (np.int32, np.uint8, np.int64)
    return [lengths, tuple(lengths), tg.tensor(array), *(array.astype(kind) for kind in kinds)]


@pytest.mark.parametrize("i", range(6))
def test_lengths_come_in_every_integer_form(i):
    layer, x = make_layer("gru", "both_ways"), tg.tensor(random(T, B, D))
    wanted = host(layer(x, lengths=LENGTHS)[0])
    np.testing.assert_array_equal(host(layer(x, lengths=forms_of(LENGTHS)[i])[0]), wanted)


def test_lengths_with_batch_first_and_unbatched():
    x = random(T, B, D)
    first, plain = (
        make_layer("lstm", "both_ways", batch_first=True),
        make_layer("lstm", "both_ways"),
    )
    first.load_state_dict(plain.state_dict())
    wanted = host(plain(tg.tensor(x), lengths=LENGTHS)[0])
    swapped = host(first(tg.tensor(x.swapaxes(0, 1)), lengths=LENGTHS)[0])
    np.testing.assert_array_equal(swapped.swapaxes(0, 1), wanted)
    alone, _ = plain(tg.tensor(x[:, 0]), lengths=LENGTHS[:1])
    assert_close(host(alone), wanted[:, 0])


def test_padding_is_invisible_on_every_backend(backend_name):
    layer = nn.Bidirectional(nn.LSTMCell(D, 4), nn.GRUCell(D, 4))
    x = random(T, B, D).astype(np.float32)
    results = []
    for padded in (x, np.where(BEYOND[..., None], np.float32(77), x)):
        layer.zero_grad()
        given = leaf(padded)
        output, final = layer(given, lengths=LENGTHS)
        (output * output).sum().backward()
        grads = [p.grad for p in layer.parameters()]
        results.append([host(t) for t in (output, *flat(final), given.grad, *grads)])
        assert output.backend == backend_name
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


PAIRS = [("rnn_tanh", "one"), ("gru", "both_ways"), ("lstm_proj", "two_both_ways")]
LAYERS = {pair: make_layer(*pair) for pair in PAIRS}


@settings(max_examples=30)
@given(data=st.data())
def test_any_lengths(data):
    steps = data.draw(st.integers(1, 6), "steps")
    lengths = data.draw(st.lists(st.integers(0, steps), min_size=1, max_size=5), "lengths")
    layer = LAYERS[data.draw(st.sampled_from(sorted(LAYERS)), "layer")]
    x = random(steps, len(lengths), D)
    found = run_all(layer, x, lengths=lengths)
    beyond = np.arange(steps)[:, None] >= np.array(lengths)
    assert not found["output"][beyond].any()
    assert not found["x.grad"][beyond].any()
    garbage = np.where(beyond[..., None], -50.0, x)
    assert_all_equal(run_all(layer, garbage, lengths=lengths), found)
    b = data.draw(st.integers(0, len(lengths) - 1), "sequence")
    if lengths[b]:
        alone, alone_final = layer(tg.tensor(x[: lengths[b], b]))
        assert_close(found["output"][: lengths[b], b], host(alone))
        for i, part in enumerate(flat(alone_final)):
            assert_close(found[f"final{i}"][:, b], host(part))
