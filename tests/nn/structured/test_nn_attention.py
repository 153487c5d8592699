"""Attention: scores by their formulas, padding that is not attended to, gradients, scans."""

import numpy as np
import pytest
from nn_layers import constant, host, leaf, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.testing import check_grads

T, B, S, Q, K, D = 5, 4, 3, 4, 6, 2
LENGTHS = np.array([5, 2, 0, 1])


def additive(layer, q, k):
    W_q, W_k, b = (host(p) for p in (layer.query.weight, layer.key.weight, layer.key.bias))
    return np.tanh(W_q @ q + W_k @ k + b) @ host(layer.v)


KINDS = {
    "additive": (lambda: nn.AdditiveAttention(Q, K, 3, dtype="float64"), additive),
    "general": (
        lambda: nn.GeneralAttention(Q, K, dtype="float64"),
        lambda layer, q, k: q @ host(layer.key.weight) @ k,
    ),
    "scaled general": (
        lambda: nn.GeneralAttention(Q, K, dtype="float64", scale=0.5),
        lambda layer, q, k: q @ host(layer.key.weight) @ k / 2,
    ),
    "dot": (lambda: nn.DotAttention(Q), lambda layer, q, k: q @ k),
    "scaled dot": (lambda: nn.DotAttention(Q, scale=0.5), lambda layer, q, k: q @ k / 2),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def inputs(layer, wrap=leaf):
    """Queries (S, B, Q), keys (T, B, K) and values (T, B, D)."""
    return [wrap(random(*s)) for s in ((S, B, layer.query_size), (T, B, layer.key_size), (T, B, D))]


@pytest.mark.parametrize("lengths", [None, LENGTHS, LENGTHS.tolist()])
def test_context_and_weights_by_the_formula(kind, lengths, backend_name):
    make, formula = KINDS[kind]
    layer = make()
    query, keys, values = inputs(layer)
    context, weights = layer(query, layer.memory(keys, values, lengths))
    assert (context.shape, weights.shape) == ((S, B, D), (S, B, T))
    for b, n in enumerate([T] * B if lengths is None else LENGTHS):
        for s in range(S):
            each = [formula(layer, host(query)[s, b], k) for k in host(keys)[:n, b]]
            p = np.exp(each) / np.exp(each).sum()
            np.testing.assert_allclose(host(weights)[s, b], [*p, *[0] * (T - n)], rtol=1e-12)
            wanted = p @ host(values)[:n, b]
            np.testing.assert_allclose(host(context)[s, b], wanted, rtol=1e-12, atol=1e-15)


def test_steps_at_once_are_steps_one_by_one(kind):
    layer = KINDS[kind][0]()
    query, keys, values = inputs(layer)
    memory = layer.memory(keys, values, LENGTHS)
    for s, together in enumerate(zip(*layer(query, memory), strict=True)):
        for one, other in zip(layer(query[s], memory), together, strict=True):
            np.testing.assert_allclose(host(one), host(other), rtol=1e-13, atol=1e-16)


def test_values_are_the_keys_unless_given(kind):
    layer = KINDS[kind][0]()
    query, keys, _ = inputs(layer)
    first, second = (layer(query, layer.memory(*given)) for given in ((keys,), (keys, keys)))
    np.testing.assert_array_equal(host(first[0]), host(second[0]))
    assert first[0].shape == (S, B, layer.key_size)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients_of_two_orders(kind, lengths):
    layer = KINDS[kind][0]()

    def attend(query, keys, values):
        return layer(query, layer.memory(keys, values, lengths))

    check_grads(attend, inputs(layer))
    for name, parameter in layer.named_parameters():
        loss = sum((x * constant(random(*x.shape))).sum() for x in attend(*inputs(layer, constant)))
        (gradient,) = tg.grad(loss, [parameter])
        moved, ends = random(*parameter.shape, seed=3), []
        for eps in (1e-6, -1e-6):
            with tg.no_grad():
                parameter[...] = constant(host(parameter) + eps * moved)
                each = attend(*inputs(layer, constant))
                ends.append(sum((x * constant(random(*x.shape))).sum() for x in each).item())
                parameter[...] = constant(host(parameter) - eps * moved)
        difference = (ends[0] - ends[1]) / 2e-6
        assert (host(gradient) * moved).sum() == pytest.approx(difference, rel=1e-6), name


def test_padding_is_invisible(kind, backend_name):
    layer, outside = KINDS[kind][0](), np.arange(T)[:, None] >= LENGTHS
    query, *rest = inputs(layer, np.asarray)
    found = []
    for filler in (0.0, np.nan):
        keys, values = (leaf(np.where(outside[:, :, None], filler, x)) for x in rest)
        q = leaf(query)
        context, weights = layer(q, layer.memory(keys, values, LENGTHS))
        (context.sum() + (weights * weights).sum()).backward()
        assert not host(keys.grad)[outside].any()
        assert not host(values.grad)[outside].any()
        found.append([host(x) for x in (context, weights, q.grad, keys.grad, values.grad)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not host(context)[:, 2].any()


def test_large_scores_do_not_overflow():
    layer = nn.DotAttention(2)
    keys = tg.tensor([[[3e4, 0.0]], [[0.0, 1.0]]])
    context, weights = layer(tg.tensor([[1e4, 0.0]]), layer.memory(keys))
    assert weights.tolist() == [[1.0, 0.0]]
    assert context.tolist() == [[3e4, 0.0]]


def test_inside_a_scan_and_step_by_step(kind):
    """A step that attends has its gradients in a scan, which runs it unrolled."""
    layer, cell = KINDS[kind][0](), nn.GRUCell(D + D, Q, dtype="float64")
    _, keys, values = inputs(layer)
    x, start = leaf(random(S, B, D)), constant(np.zeros((B, Q)))

    def step_over(memory):
        def step(state, x):
            context, weights = layer(state[0], memory)
            state, h = cell(state, ops.concat([x, context], axis=-1))
            return state, (h, weights)

        return step

    found = []
    for how in ("scan", "loop"):
        step = step_over(layer.memory(keys, values, LENGTHS))
        if how == "scan":
            (h,), (_, weights) = tg.scan(step, x, (start,))
            assert "runs unrolled" in str(tg.explain(step, x, (start,)))
        else:
            state, each = (start,), []
            for t in range(S):
                state, (_, w) = step(state, x[t])
                each.append(w)
            (h,), weights = state, ops.stack(each)
        leaves = [x, keys, values, *cell.parameters(), *layer.parameters()]
        found.append([h, weights, *tg.grad(h.sum() + (weights**2).sum(), leaves)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(host(a), host(b), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda a, m: a.memory(constant(random(5, 4))), ValueError, r"keys are \(5, 4\), expected"),
        (lambda a, m: a.memory(constant(random(5, 2, 3))), ValueError, r"expected \(T, B, 4\)"),
        (
            lambda a, m: a.memory(constant(random(5, 2, 4)), constant(random(4, 2, 4))),
            ValueError,
            r"values are \(4, 2, 4\), expected \(5, 2, D\)",
        ),
        (
            lambda a, m: a.memory(constant(random(5, 2, 4)), lengths=[6, 1]),
            ValueError,
            "a length is 6, expected 0 to 5",
        ),
        (lambda a, m: a(constant(random(3, 4)), m), ValueError, r"query is \(3, 4\), expected"),
        (lambda a, m: a(constant(random(2, 5)), m), ValueError, r"expected \(2, 4\)"),
        (lambda a, m: nn.DotAttention(0), ValueError, "size is 0"),
        (
            lambda a, m: a.memory(
                constant(random(5, 2, 4)), constant(random(5, 2, 4).astype(np.float32))
            ),
            TypeError,
            "values: the dtype is float32",
        ),
    ],
)
def test_bad_input(call, error, match):
    layer = nn.DotAttention(4)
    with pytest.raises(error, match=match):
        call(layer, layer.memory(constant(random(5, 2, 4))))
