"""A compiled scan as users meet it: modules, higher derivatives, closures, what runs unrolled."""

import gc
import weakref

import numpy as np
import pytest
from compiled_cells import CELLS, make
from engine.graphs import op_names

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.machine import runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

T, B, D, H = 5, 3, 4, 6
LAYERS = {
    "rnn_tanh": lambda **o: nn.RNN(D, H, **o),
    "rnn_relu": lambda **o: nn.RNN(D, H, nonlinearity="relu", **o),
    "gru": lambda **o: nn.GRU(D, H, **o),
    "gru_before": lambda **o: nn.GRU(D, H, reset_after=False, **o),
    "lstm": lambda **o: nn.LSTM(D, H, **o),
    "lstm_proj": lambda **o: nn.LSTM(D, H, proj_size=3, **o),
}


def normal(*shape, seed=0, dtype="float64"):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def leaf(*shape, seed=0, dtype="float64"):
    return tg.Tensor(normal(*shape, seed=seed, dtype=dtype), requires_grad=True)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_one_node_and_unrolled_it_is_many(name):
    layer = LAYERS[name](generator=tg.Generator(0))
    x = tg.Tensor(normal(T, B, D, dtype="float32"))
    assert op_names(layer(x)[0]).count("scan") == 1
    with tg.unrolled():
        names = op_names(layer(x)[0])
    assert "scan" not in names
    assert names.count("linear") >= 2 * T


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_a_cell_inside_a_users_step_is_compiled(kind):
    cell = kind(D, H, generator=tg.Generator(0))
    state = tuple(leaf(B, H, seed=i, dtype="float32") for i in range(1 + (kind is nn.LSTMCell)))

    def step(state, x):
        state, y = cell(state, x)
        return state, (y[:, :2], x.to("numpy") * 2)

    assert tg.explain(step, leaf(T, B, D, dtype="float32"), state).reason is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [1, 16, 33])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_widths_that_are_and_are_not_whole_vectors(kind, hidden, dtype):
    layer = kind(hidden, hidden, 2, bidirectional=True, dtype=dtype, generator=tg.Generator(1))
    x = tg.Tensor(normal(T, 21, hidden, dtype=dtype), requires_grad=True)
    weights = tg.Tensor(normal(T, 21, 2 * hidden, seed=2, dtype=dtype))
    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            out = layer(x)[0]
            found.append([out, *tg.grad((out * weights).sum(), [x, *layer.parameters()])])
    for a, b in zip(*found, strict=True):
        tolerance = 1e-12 if dtype == "float64" else 2e-5
        scale = max(1.0, np.abs(b.array).max())
        np.testing.assert_allclose(a.array / scale, b.array / scale, atol=tolerance)


def test_functions_of_parameters_inside_the_step_get_their_gradients():
    w, x = tg.Tensor(normal(H, 2 * H) / 3, requires_grad=True), tg.Tensor(normal(T, B, H))

    def step(h, x):
        left, right = ops.split(ops.exp(w), 2, axis=1)
        return ops.tanh(x @ left + h @ right.T * w[0, 0]), h

    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            final, _ = tg.scan(step, x, tg.Tensor(np.zeros((B, H))))
            found += tg.grad((final * final).sum(), [w])
    assert tg.explain(step, x, tg.Tensor(np.zeros((B, H)))).reason is None
    np.testing.assert_allclose(found[0].array, found[1].array, rtol=1e-10)


def test_a_closure_that_changed_is_noticed():
    x, zeros = tg.Tensor(normal(T, B, H)), tg.Tensor(np.zeros((B, H)))
    rate, other = 0.5, tg.Tensor(normal(H))

    def step(h, x):
        return h * rate + x * other, h

    def both():
        compiled = tg.scan(step, x, zeros)[0].array
        with tg.unrolled():
            np.testing.assert_allclose(compiled, tg.scan(step, x, zeros)[0].array, rtol=1e-12)
        return compiled

    first = both()
    np.testing.assert_array_equal(first, both())
    rate = 0.25
    second = both()
    other = tg.Tensor(normal(H, seed=4))
    third = both()
    other = 2.0
    fourth = both()
    assert len({a.tobytes() for a in (first, second, third, fourth)}) == 4


def test_a_flag_or_a_list_that_changed_is_noticed():
    x, zeros = tg.Tensor(normal(T, B, H)), tg.Tensor(np.zeros((B, H)))
    weights = [tg.Tensor(normal(H, seed=i)) for i in range(2)]
    flags = {"squash": False}

    def step(h, x):
        for w in weights:
            h = h * 0.5 + x * w
        return (ops.tanh(h) if flags["squash"] else h), h

    seen = set()
    for change in (
        lambda: None,
        lambda: flags.update(squash=True),
        lambda: weights.append(tg.Tensor(normal(H, seed=9))),
        lambda: weights.reverse(),
        lambda: weights[0].data.fill(0.5),
    ):
        change()
        found = tg.scan(step, x, zeros)[0].array
        with tg.unrolled():
            np.testing.assert_allclose(found, tg.scan(step, x, zeros)[0].array, rtol=1e-12)
        seen.add(found.tobytes())
    assert len(seen) == 5


def test_what_a_step_detaches_stays_detached():
    x, w, zeros = leaf(T, B, H), leaf(H, seed=1), leaf(B, H, seed=2)

    def step(h, x):
        with tg.no_grad():
            gate = ops.sigmoid(h * w)
        return ops.tanh(x * w + h.detach()) * gate, ops.where(h.detach(), h, x).detach() * x

    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            final, out = tg.scan(step, x, zeros)
            found.append(tg.grad(final.sum() + (out * out).sum(), [x, w]))
    assert tg.explain(step, x, zeros).reason is None
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-12)


def in_both_ways(cell, x):
    """The final state of a cell, compiled; checked against the loop."""
    state = cell.initial_state(x[0])
    compiled = tg.scan(cell.forward, x, state)[0][0]
    with tg.unrolled():
        unrolled = tg.scan(cell.forward, x, state)[0][0]
    np.testing.assert_allclose(compiled.array, unrolled.array, rtol=2e-5, atol=1e-6)
    assert compiled.requires_grad == unrolled.requires_grad
    return compiled.array.tobytes()


class Doubled(nn.LSTMCell):
    scale = 2.0

    def from_state(self, h):
        return super().from_state(h) * self.scale


def test_a_cell_that_changed_is_noticed():
    x = tg.Tensor(normal(T, B, D, dtype="float32"))
    cell = nn.GRUCell(D, D, generator=tg.Generator(0))
    found = [in_both_ways(cell, x)]
    cell.reset_after = False
    found.append(in_both_ways(cell, x))
    cell.bias_ih = cell.bias_hh = None
    found.append(in_both_ways(cell, x))
    cell.weight_hh = nn.Parameter(normal(3 * D, D, dtype="float32"))
    found.append(in_both_ways(cell, x))
    cell.weight_hh.data *= 2
    found.append(in_both_ways(cell, x))
    cell.weight_ih = nn.Parameter(cell.weight_hh.array)  # two that share their memory
    found.append(in_both_ways(cell, x))
    assert len(set(found)) == len(found)
    cell.requires_grad_(False)
    assert in_both_ways(cell, x) == found[-1]
    cell.to("float64")
    in_both_ways(cell, x.to("float64"))


def test_a_cell_of_a_users_own_is_traced_each_time():
    x = tg.Tensor(normal(T, B, D, dtype="float32"))
    cell = Doubled(D, D, generator=tg.Generator(0))
    first = in_both_ways(cell, x)
    cell.scale = 3.0
    second = in_both_ways(cell, x)
    plain = nn.LSTMCell(D, D, generator=tg.Generator(0))
    assert len({first, second, in_both_ways(plain, x)}) == 3


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_gradients_are_nobody_elses(kind):
    layer = kind(D, H, generator=tg.Generator(0))
    x = tg.Tensor(normal(T, B, D, dtype="float32"), requires_grad=True)
    grads = []
    for _ in range(3):
        layer.zero_grad()
        x.grad = None
        layer(x)[0].sum().backward()
        grads.append([x.grad, *(p.grad for p in layer.parameters())])
        for a in grads[-1]:
            a.data[...] += len(grads)  # as clipping writes into them
    for a, b, c in zip(*grads, strict=True):
        np.testing.assert_allclose(a.array - 1, b.array - 2, atol=1e-5)
        np.testing.assert_allclose(a.array - 1, c.array - 3, atol=1e-5)
    everything = [a.array for part in grads for a in part]
    for i, a in enumerate(everything):
        assert not any(np.may_share_memory(a, b) for b in everything[:i])


def test_no_grad_keeps_nothing():
    layer = nn.LSTM(D, H, generator=tg.Generator(0))
    with tg.no_grad():
        out, _ = layer(tg.Tensor(normal(T, B, D, dtype="float32")))
    assert not out.requires_grad


def test_an_array_written_into_before_backward_is_noticed():
    layer = nn.GRU(D, H, generator=tg.Generator(0))
    out = layer(tg.Tensor(normal(T, B, D, dtype="float32")))[0].sum()
    layer.weight_hh_l0.data[...] = 0
    with pytest.raises(RuntimeError, match="written into"):
        out.backward()


def test_results_of_earlier_calls_stay_as_they_were():
    layer = nn.LSTM(D, H, generator=tg.Generator(0))
    x = normal(4, T, B, D, dtype="float32")
    kept, copies = [], []
    for part in x:
        t = tg.Tensor(part, requires_grad=True)
        out, final = layer(t)
        out.sum().backward()
        kept += [out, *final, t.grad]
        copies += [a.array.copy() for a in kept[-4:]]
    for a, b in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(a.array, b)


COUNTER = iter(range(100))
UNCOMPILED = {
    "draws random numbers": lambda h, x: (h + ops.dropout(x, 0.5), h),
    "branches": lambda h, x: (h + x if float(x.sum()) > 0 else h - x, h),
    "counts": lambda h, x: (h + x * next(COUNTER), h),
    "no kernel": lambda h, x: (ops.cumsum(h + x, axis=1), h),
    "rows mixed": lambda h, x: (x + h[::-1], h),
    "sums the batch": lambda h, x: (h + x.sum(axis=0), h),
}


@pytest.mark.parametrize("name", UNCOMPILED)
def test_what_cannot_be_compiled_says_why(name):
    x, zeros = tg.Tensor(normal(T, H, H)), tg.Tensor(np.zeros((H, H)))
    step = UNCOMPILED[name]
    reason = tg.explain(step, x, zeros).reason
    assert reason
    assert "random numbers" in reason or name != "draws random numbers"
    assert "runs unrolled" in str(tg.explain(step, x, zeros))
    tg.manual_seed(0)
    found = tg.scan(step, x, zeros)[0].array
    if name not in ("counts",):
        tg.manual_seed(0)
        with tg.unrolled():
            np.testing.assert_array_equal(found, tg.scan(step, x, zeros)[0].array)


def test_explain_shows_every_stage():
    step, xs, hs, _ = make("min_gru", T, B, "float32")
    told = tg.explain(step, xs, hs)
    assert told.reason is None
    assert "linear(x0" in told.step
    assert "hoisted before the steps" in told.plan
    assert "deferred after the steps" in told.plan
    assert "column_loop" in told.source
    assert "dx0 = " in told.derivative
    for title in ("before", "step", "derivative", "plan", "source"):
        assert f"---- {title} ----" in str(told)
    assert told.plan.count("loop:") == 2


def test_explain_takes_what_scan_takes():
    step, xs, hs, _ = make("min_gru", T, B, "float32")
    plain, padded = tg.explain(step, xs, hs), tg.explain(step, xs, hs, lengths=[1, 0, 5])
    assert "where(x1" in padded.step
    assert "where" not in plain.step
    assert tg.explain(step, xs, hs, reverse=True).source == plain.source  # series are turned round
    with pytest.raises(ValueError, match="a length is 6"):
        tg.explain(step, xs, hs, lengths=[1, 0, 6])
    w, x, h = (leaf(*s, dtype="float32") for s in ((H, D + H), (T, B, D), (B, H)))
    told = tg.explain(lambda h, x: (ops.linear(ops.concat([ops.exp(x), h], 1), w), h), x, h)
    assert "w1, w2 = split(w0, [4], axis=1)" in told.before
    assert "%0 = exp(x0)" in told.before


def test_every_cell_of_the_tests_is_in_one_node():
    for name in CELLS:
        step, xs, hs, _ = make(name, 2, 2, "float32")
        names = op_names(tg.scan(step, xs, hs)[0][0])
        assert names.count("scan") == 1, name
        assert set(names) <= {"scan", "transpose", "split"}, name


def test_a_compiled_step_keeps_no_parameters_alive():
    def run():
        w = tg.Tensor(normal(H, H, seed=8), requires_grad=True)
        x, zeros = tg.Tensor(normal(T, B, H)), tg.Tensor(np.zeros((B, H)))
        tg.scan(lambda h, x: (ops.tanh(x + h @ (w * 2)), h), x, zeros)
        return weakref.ref(w), weakref.ref(w.array)

    tensor, array = run()
    gc.collect()
    assert tensor() is None
    assert array() is None


@pytest.mark.parametrize("product", [False, True])
@pytest.mark.parametrize("batch", [1, 5])
def test_many_blocks_of_steps_equal_the_loop(batch, product):
    """Without a product of all rows, the backward loop took its blocks of steps first to last."""
    steps = 700
    x = tg.Tensor(normal(steps, batch, 3), requires_grad=True)
    h = tg.Tensor(normal(batch, 3), requires_grad=True)
    w = tg.Tensor(normal(3, 3) / 3 if product else normal(3) / 3, requires_grad=True)

    def step(h, x):
        h = ops.tanh(h @ w if product else h * w) + x
        return h, h

    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            out = tg.scan(step, x, h)[1]
            found.append(tg.grad((out * out).sum(), [x, h, w]))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-9)


@pytest.mark.parametrize("shapes", [((T, B, 0), (B, 2)), ((T, 0, 2), (0, 2)), ((T, B, 2), (B, 1))])
def test_empty_and_narrow_shapes_equal_the_loop(shapes):
    x, h = (tg.Tensor(normal(*s), requires_grad=True) for s in shapes)

    def step(h, x):
        return ops.tanh(h + ops.sum(x, axis=1, keepdims=True)), h

    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            final, out = tg.scan(step, x, h)
            found.append([final, out, *tg.grad((out * out).sum() + final.sum(), [x, h])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [7, 0, 4]])
@pytest.mark.parametrize("every", [1, 3, 7, 20])
def test_pieces_equal_the_whole(every, lengths, reverse):
    step, xs, hs, parameters = make("several", 7, 3, "float64")
    found = []
    for k in (None, every):
        final, outputs = tg.scan(step, xs, hs, lengths=lengths, reverse=reverse, checkpoint_every=k)
        loss = sum((o * o).sum() for o in (*final, *outputs))
        found.append([*final, *outputs, *tg.grad(loss, [*xs, *hs, *parameters])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-10, atol=1e-12)


def test_a_checkpointed_scan_keeps_little():
    x = tg.Tensor(normal(4000, 1, 8, dtype="float32"), requires_grad=True)
    w, zeros = tg.Tensor(normal(8, 8, dtype="float32") / 4), tg.Tensor(np.zeros((1, 8), "f4"))
    out = tg.scan(lambda h, x: ((a := ops.tanh(x + h @ w)), a[:, :1]), x, zeros,
                  checkpoint_every=100)[1]  # fmt: skip
    arrays, stack, seen = {}, [out.place[0]], set()
    while stack:
        node = stack.pop()
        if node not in seen and node.op is not None:
            seen.add(node)
            arrays.update({id(a): a.nbytes for a in node.kept or () if hasattr(a, "nbytes")})
            stack += [p[0] for p in node.parents if p is not None]
    assert sum(arrays.values()) < 2 * x.array.nbytes


@pytest.mark.parametrize("every", [0, -1, 1.5, True])
def test_checkpoint_every_is_checked(every):
    with pytest.raises(ValueError, match="checkpoint_every"):
        tg.scan(lambda h, x: (h, x), tg.tensor(normal(3, 2, 2)), tg.tensor(normal(2, 2)),
                checkpoint_every=every)  # fmt: skip
