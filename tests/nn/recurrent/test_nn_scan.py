"""scan: any step over time, with tuples in every place, and gradients for what it closes over."""

import numpy as np
import pytest
from nn_layers import constant, host, leaf, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.testing import check_grads

X = tg.tensor(random(3, 2, 4))


def test_it_is_the_loop(backend_name):
    w, x, h = leaf(random(4, 4) / 2), leaf(random(5, 3, 4)), leaf(random(3, 4, seed=1))
    final, outputs = tg.scan(lambda h, x: ((a := ops.tanh(h @ w + x)), 2 * a), x, h)
    wanted, state = [], host(h)
    for t in range(5):
        state = np.tanh(state @ host(w) + host(x)[t])
        wanted.append(2 * state)
    np.testing.assert_allclose(host(outputs), np.stack(wanted), rtol=1e-12)
    np.testing.assert_allclose(host(final), state, rtol=1e-12)
    assert outputs.backend == backend_name


def two_series(state, x):
    """A step with tuples of inputs, states and outputs."""
    (h, total), (a, b) = state, x
    h = ops.tanh(h + a * b)
    return (h, total + h), (h * b, total, h.sum(axis=-1))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [2, 0, 4]])
def test_tuples_of_inputs_states_and_outputs(lengths, reverse):
    a, b, h, total = random(4, 3, 2), random(4, 3, 1), random(3, 2), random(3, 2, seed=1)
    state, outputs = tg.scan(
        two_series,
        tuple(map(tg.tensor, (a, b))),
        tuple(map(tg.tensor, (h, total))),
        lengths=lengths,
        reverse=reverse,
    )
    assert isinstance(state, tuple)
    assert [o.shape for o in outputs] == [(4, 3, 2), (4, 3, 2), (4, 3)]
    for i, length in enumerate(lengths or [4, 4, 4]):
        one = (tg.tensor(h[i]), tg.tensor(total[i]))
        for t in reversed(range(length)) if reverse else range(length):
            one, y = two_series(one, (tg.tensor(a[t, i]), tg.tensor(b[t, i])))
            for found, wanted in zip(outputs, y, strict=True):
                np.testing.assert_allclose(host(found)[t, i], host(wanted), rtol=1e-12)
        for found, wanted in zip(state, one, strict=True):
            np.testing.assert_allclose(host(found)[i], host(wanted), rtol=1e-12)
        assert not any(host(o)[length:, i].any() for o in outputs)


@pytest.mark.parametrize("lengths", [None, [2, 0, 4]])
def test_gradients_of_everything_that_goes_in(lengths):
    def run(a, b, h, total, w):
        state, outputs = tg.scan(
            lambda s, x: two_series(s, (x[0] @ w, x[1])), (a, b), (h, total), lengths=lengths
        )
        return (*state, *outputs)

    shapes = [(4, 3, 2), (4, 3, 1), (3, 2), (3, 2), (2, 2)]
    check_grads(run, [leaf(random(*s, seed=i)) for i, s in enumerate(shapes)], order=2)


class Attended(nn.Module):
    """A recurrence that reads a memory: parameters and a computed tensor in the step's closure."""

    def __init__(self):
        self.memory = nn.Linear(3, 4, dtype="float64", generator=tg.Generator(1))
        self.query = nn.Parameter(random(4, 4, seed=3))
        self.cell = nn.GRUCell(3 + 4, 4, dtype="float64", generator=tg.Generator(2))

    def forward(self, x, source, lengths=None):
        keys = self.memory(source)  # (B, S, 4)

        def step(state, x_t):
            (h,) = state
            scores = ops.einsum("bsk,bk->bs", keys, h @ self.query)
            read = ops.einsum("bs,bsk->bk", ops.softmax(scores, axis=-1), keys)
            return self.cell(state, ops.concat([x_t, read], axis=-1))

        state = (constant(np.zeros((x.shape[1], 4))),)
        return tg.scan(step, x, state, lengths=lengths)[1]


def test_a_modules_parameters_in_the_closure_get_their_gradients():
    model, x, source = Attended(), tg.tensor(random(4, 2, 3)), leaf(random(2, 5, 3))
    weights = random(4, 2, 4, seed=9)
    (model(x, source, [4, 2]) * weights).sum().backward()
    eps = 1e-6
    for name, parameter in model.named_parameters():
        direction = random(*parameter.shape, seed=1)
        start, ends = host(parameter), []
        for sign in (1, -1):
            model.load_state_dict({name: start + sign * eps * direction}, strict=False)
            ends.append((host(model(x, source, [4, 2])) * weights).sum())
        model.load_state_dict({name: start}, strict=False)
        difference = (ends[0] - ends[1]) / (2 * eps)
        assert abs(difference) > 1e-4
        found = (host(parameter.grad) * direction).sum()
        assert found == pytest.approx(difference, rel=1e-6), name
    assert host(source.grad).any()


def test_integer_inputs_stay_integers():
    table = leaf(random(6, 2))
    seen = []

    def step(h, token):
        seen.append(token.dtype)
        return h + ops.take_rows(table, token), h

    tokens = tg.tensor(np.array([[1, 5], [2, 0], [4, 4]]))
    final, _ = tg.scan(step, tokens, tg.tensor(np.zeros((2, 2))), lengths=[3, 1])
    assert set(seen) == {np.dtype("int64")}
    np.testing.assert_allclose(host(final)[0], host(table)[[1, 2, 4]].sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(host(final)[1], host(table)[5], rtol=1e-12)


def test_dtypes_of_outputs_are_kept_in_the_padding():
    def step(h, x):
        return h + 1, (ops.argmax(x, axis=-1), x > 0, x.astype("float32"))

    count = tg.tensor(np.zeros(2, int))
    final, (best, sign, single) = tg.scan(step, X, count, lengths=[1, 3])
    assert final.tolist() == [1, 3]
    assert [o.dtype for o in (best, sign, single)] == [np.int64, np.bool_, np.float32]
    np.testing.assert_array_equal(host(best)[:, 1], host(X)[:, 1].argmax(axis=-1))
    assert not host(best)[1:, 0].any()


def test_no_grad_records_nothing():
    x = leaf(random(3, 2, 2))
    with tg.no_grad():
        final, outputs = tg.scan(lambda h, x: (h + x, h), x, x[0])
    assert not final.requires_grad
    assert not outputs.requires_grad


def test_a_long_sequence_is_no_recursion():
    x = leaf(np.full((3000, 1), 1.0))
    final, _ = tg.scan(lambda h, x: (h + x, h), x, tg.tensor(np.zeros(1)))
    final.sum().backward()
    assert final.item() == 3000
    np.testing.assert_array_equal(host(x.grad), np.ones((3000, 1)))


def keep(h, x):
    return h, x


BAD = [
    (ValueError, "at least 1", lambda: tg.scan(keep, X[:0], X[0])),
    (ValueError, r"\[2, 3\] steps", lambda: tg.scan(keep, (X, X[:2]), X[0])),
    (ValueError, "at least 1", lambda: tg.scan(keep, (), X[0])),
    (ValueError, "at least 1", lambda: tg.scan(keep, X[0, 0, 0], X[0])),
    (TypeError, "inputs: got a list", lambda: tg.scan(keep, [X], X[0])),
    (TypeError, "state: got a list", lambda: tg.scan(keep, X, [X[0]])),
    (TypeError, "state: got a NoneType", lambda: tg.scan(keep, X, None)),
    (TypeError, "float64, expected integers", lambda: tg.scan(keep, X, X[0], lengths=[1.0, 2])),
    (TypeError, "bool, expected integers", lambda: tg.scan(keep, X, X[0], lengths=[True, False])),
    (ValueError, r"\(3,\), expected \(2,\)", lambda: tg.scan(keep, X, X[0], lengths=[1, 2, 3])),
    (ValueError, "is -1, expected 0 to 3", lambda: tg.scan(keep, X, X[0], lengths=[-1, 2])),
    (ValueError, "is 4, expected 0 to 3", lambda: tg.scan(keep, X, X[0], lengths=[0, 4])),
    (ValueError, r"expected \(T, B", lambda: tg.scan(keep, X[:, 0, 0], X[0, 0, 0], lengths=[1])),
]


BAD += [
    (ValueError, message, lambda step=step: tg.scan(step, X, (X[0],), lengths=[1, 2]))
    for message, step in (
        (r"are \(2, \.\.\.\), got \(\)", lambda s, x: (s, x.sum())),
        (r"are \(2, \.\.\.\), got \(4,\)", lambda s, x: (s, x.sum(axis=0))),
    )
]
BAD += [
    (
        TypeError,
        "state of another form",
        lambda step=step: tg.scan(step, X, (X[0],), lengths=[1, 2]),
    )
    for step in (
        lambda s, x: (s[0], x),
        lambda s, x: ((s[0], s[0]), x),
        lambda s, x: (((s[0],),), x),
    )
]


@pytest.mark.parametrize("i", range(len(BAD)))
def test_bad_input_is_refused(i):
    error, message, call = BAD[i]
    with pytest.raises(error, match=message):
        call()
