"""What the lecture writes out by hand equals what the engine does to the unrolled loop.

Its pages "Backpropagation Through Time", "Gated Recurrent Unit", "Long Short-Term Memory",
"Bidirectional Recurrent Neural Networks" and "Deeper RNNs", as loops over time in NumPy.
"""

import numpy as np
import pytest
from nn_layers import host, make_cell, make_layer, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops

T, V, H, N = 6, 5, 4, 3
TARGETS = np.random.default_rng(3).integers(0, V, (T, N))
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lecture_bptt(W_h, W_x, W_y, x, targets):
    """The page's formulas, for one sequence x (T, V): dh_t of every step, dW_h, dW_x, dW_y.

    φ = tanh and σ = softmax. φ'_t is 1 - h_t², elementwise. The page's σ'_t ⊙ dŷ_t is for a
    softmax, whose outputs all depend on all inputs, the product of its Jacobian
    diag(ŷ_t) - ŷ_t ŷ_tᵀ with dŷ_t. The loss is -Σ_t y_t · log ŷ_t, so dŷ_t = -y_t / ŷ_t.
    The page's "[dh_t ⊙ φ'_t] h_(t-1)" is an outer product, its h transposed as in dW_y.
    """
    h, y = [np.zeros(H)], []  # h[t] is the page's h_t, h[0] the start; x[t - 1] its x_t
    for t in range(1, T + 1):
        h.append(np.tanh(W_h @ h[t - 1] + W_x @ x[t - 1]))
        e = np.exp(W_y @ h[t])
        y.append(e / e.sum())
    dW_h, dW_x, dW_y = np.zeros_like(W_h), np.zeros_like(W_x), np.zeros_like(W_y)
    dh = np.zeros((T + 2, H))
    phi = np.zeros((T + 2, H))  # φ'_(T+1) multiplies dh_(T+1) = 0
    for t in range(T, 0, -1):
        phi[t] = 1 - h[t] ** 2
        y_t = np.eye(V)[targets[t - 1]]
        dy = -y_t / y[t - 1]
        through_softmax = (np.diag(y[t - 1]) - np.outer(y[t - 1], y[t - 1])) @ dy
        dh[t] = W_h.T @ (phi[t + 1] * dh[t + 1]) + W_y.T @ through_softmax
        dW_h += np.outer(dh[t] * phi[t], h[t - 1])
        dW_x += np.outer(dh[t] * phi[t], x[t - 1])
        dW_y += np.outer(through_softmax, h[t])
    return dh[1 : T + 1], dW_h, dW_x, dW_y


def by_hand(cell, x, states):
    state = cell.initial_state(x[0])
    for t in range(T):
        state, h = cell(state, x[t])
        states.append(h)


def by_scan(cell, x, states):
    def step(state, x_t):
        state, h = cell(state, x_t)
        states.append(h)
        return state, h

    ops.scan(step, x, cell.initial_state(x[0]))


@pytest.mark.parametrize("unroll", [by_hand, by_scan])
def test_backpropagation_through_time_is_the_lectures(unroll):
    cell = nn.RNNCell(V, H, bias=False, dtype="float64", generator=tg.Generator(1))
    head = nn.Linear(H, V, bias=False, dtype="float64", generator=tg.Generator(2))
    x, states = random(T, N, V), []
    unroll(cell, tg.tensor(x), states)
    for h in states:
        h.retain_grad()
    logits = head(ops.stack(states))
    ops.cross_entropy(logits.reshape(T * N, V), TARGETS.reshape(-1), reduction="sum").backward()
    weights = [host(p) for p in (cell.weight_hh, cell.weight_ih, head.weight)]
    by_sequence = [lecture_bptt(*weights, x[:, i], TARGETS[:, i]) for i in range(N)]
    dh, dW_h, dW_x, dW_y = zip(*by_sequence, strict=True)
    found_dh = np.stack([host(h.grad) for h in states])
    assert np.abs(found_dh).min() > 1e-6
    np.testing.assert_allclose(found_dh, np.stack(dh, axis=1), **EXACT)
    np.testing.assert_allclose(host(cell.weight_hh.grad), sum(dW_h), **EXACT)
    np.testing.assert_allclose(host(cell.weight_ih.grad), sum(dW_x), **EXACT)
    np.testing.assert_allclose(host(head.weight.grad), sum(dW_y), **EXACT)


def gates(cell, names):
    """Each gate's (W for the input, W for the state, both biases added)."""
    biases = host(cell.bias_ih) + host(cell.bias_hh)
    parts = (np.split(a, len(names)) for a in (host(cell.weight_ih), host(cell.weight_hh), biases))
    return dict(zip(names, zip(*parts, strict=True), strict=True))


def gate(parts, x, h):
    W, U, b = parts
    return x @ W.T + h @ U.T + b


def test_gru_with_reset_before_is_the_lectures():
    cell, x, h = make_cell("gru_before"), random(2, 3), random(2, 4, seed=1)
    of = gates(cell, "rzn")
    r, z = sigmoid(gate(of["r"], x, h)), sigmoid(gate(of["z"], x, h))
    candidate = np.tanh(gate(of["n"], x, r * h))
    _, y = cell((tg.tensor(h),), tg.tensor(x))
    np.testing.assert_allclose(host(y), z * h + (1 - z) * candidate, **EXACT)


def test_gru_with_reset_after_resets_the_product():
    cell, x, h = make_cell("gru"), random(2, 3), random(2, 4, seed=1)
    of = gates(cell, "rzn")
    r, z = sigmoid(gate(of["r"], x, h)), sigmoid(gate(of["z"], x, h))
    product = h @ of["n"][1].T + host(cell.bias_hh)[8:]
    n = np.tanh(x @ of["n"][0].T + host(cell.bias_ih)[8:] + r * product)
    _, y = cell((tg.tensor(h),), tg.tensor(x))
    np.testing.assert_allclose(host(y), (1 - z) * n + z * h, **EXACT)


def test_the_two_forms_of_gru_differ_after_the_first_step_only():
    after, before = make_layer("gru"), make_layer("gru_before")
    for layer in (after, before):
        nn.init.zeros_(layer.bias_hh_l0)
    before.load_state_dict(after.state_dict())
    x = tg.tensor(random(3, 2, 3))
    one, other = host(after(x)[0]), host(before(x)[0])
    np.testing.assert_allclose(one[0], other[0], **EXACT)  # h = 0: nothing to reset
    assert (np.abs(one[1:] - other[1:]) > 1e-6).all()


def test_lstm_is_the_lectures():
    cell = make_cell("lstm")
    x, h, c = random(2, 3), random(2, 4, seed=1), random(2, 4, seed=2)
    of = gates(cell, "ifgo")
    i, f, o = (sigmoid(gate(of[name], x, h)) for name in "ifo")
    c_next = f * c + i * np.tanh(gate(of["g"], x, h))
    (h_found, c_found), y = cell((tg.tensor(h), tg.tensor(c)), tg.tensor(x))
    np.testing.assert_allclose(host(c_found), c_next, **EXACT)
    np.testing.assert_allclose(host(h_found), o * np.tanh(c_next), **EXACT)
    assert y is h_found


def tanh_over_time(cell, x, order):
    h, out = np.zeros((x.shape[1], 4)), np.zeros((*x.shape[:2], 4))
    for t in order:
        h = np.tanh(gate(gates(cell, "h")["h"], x[t], h))
        out[t] = h
    return out


def test_bidirectional_is_the_lectures():
    there, back = make_cell("rnn_tanh"), make_cell("rnn_tanh")
    nn.init.normal_(back.weight_hh, generator=tg.Generator(9))
    x = random(5, 2, 3)
    outputs, _ = nn.Bidirectional(there, back)(tg.tensor(x))
    forward = tanh_over_time(there, x, range(5))
    backward = tanh_over_time(back, x, reversed(range(5)))
    np.testing.assert_allclose(host(outputs), np.concatenate([forward, backward], 2), **EXACT)


def test_a_deeper_rnn_feeds_each_layer_with_the_one_below():
    layer, x = make_layer("rnn_tanh", "two"), random(5, 2, 3)
    lower, upper = (cell for _, cell in layer.cells.items())
    below = tanh_over_time(lower, x, range(5))
    above = tanh_over_time(upper, below, range(5))
    outputs, final = layer(tg.tensor(x))
    np.testing.assert_allclose(host(outputs), above, **EXACT)
    np.testing.assert_allclose(host(final), np.stack([below[-1], above[-1]]), **EXACT)
