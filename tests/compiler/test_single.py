"""A cell called one step at a time without gradients: its kernel equals its definition."""

import gc
import threading
import weakref

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn
from tinygrad_seq.compiler import single
from tinygrad_seq.machine import runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

D = 5
CELLS = {
    "rnn": lambda H, **o: nn.RNNCell(D, H, **o),
    "relu": lambda H, **o: nn.RNNCell(D, H, nonlinearity="relu", **o),
    "gru": lambda H, **o: nn.GRUCell(D, H, **o),
    "gru_before": lambda H, **o: nn.GRUCell(D, H, reset_after=False, **o),
    "lstm": lambda H, **o: nn.LSTMCell(D, H, **o),
    "no_bias": lambda H, **o: nn.LSTMCell(D, H, bias=False, **o),
    "projected": lambda H, **o: nn.LSTMCell(D, H, proj_size=3, **o),
}


def normal(*shape, seed=0, dtype="float32"):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def stream(cell, xs):
    """Outputs and last state of a cell called at every step."""
    state, ys = cell.initial_state(tg.Tensor(xs[0])), []
    for x in xs:
        state, y = cell(state, tg.Tensor(x))
        ys.append(y.array.copy())
    return [*ys, *(h.array for h in state)]


def both(cell, xs):
    """What a stream gives, checked against the definition."""
    with tg.no_grad():
        found = stream(cell, xs)
        with tg.unrolled():
            expected = stream(cell, xs)
    tolerance = 1e-12 if xs.dtype == "float64" else 1e-5
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    return found[-1].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("H", [4, 33])
@pytest.mark.parametrize("B", [1, 3, 4, 7, 40])
@pytest.mark.parametrize("name", CELLS)
def test_a_stream_equals_the_definition(name, B, H, dtype):
    cell = CELLS[name](H, dtype=dtype, generator=tg.Generator(0))
    both(cell, normal(3, B, D, dtype=dtype))


def test_threads_share_a_large_weight():
    cell = nn.LSTMCell(D, 129, generator=tg.Generator(0))
    before = runtime._chosen
    try:
        found = []
        for n in (1, 2, 3):
            tg.set_num_threads(n)
            found.append(both(cell, normal(4, 1, D)))
    finally:
        runtime._chosen = before
    assert len(set(found)) == 1


def test_a_layer_of_one_step_equals_the_definition():
    layer = nn.LSTM(D, 9, 2, bidirectional=True, generator=tg.Generator(0))
    x = tg.Tensor(normal(1, 2, D))
    with tg.no_grad():
        found = layer(x)[0].array
        with tg.unrolled():
            np.testing.assert_allclose(found, layer(x)[0].array, rtol=1e-5, atol=1e-6)


def test_what_changes_between_steps_is_noticed():
    xs = normal(2, 3, D)
    cell = nn.GRUCell(D, D, generator=tg.Generator(0))
    found = [both(cell, xs)]
    cell.weight_hh.data *= 2
    found.append(both(cell, xs))
    cell.weight_ih.array[...] += 1
    found.append(both(cell, xs))
    cell.bias_hh.data = normal(3 * D)
    found.append(both(cell, xs))
    cell.weight_ih = nn.Parameter(normal(3 * D, D, seed=3))
    found.append(both(cell, xs))
    cell.bias_ih = None
    found.append(both(cell, xs))
    cell.weight_hh.data = np.asfortranarray(normal(3 * D, D, seed=4))
    found.append(both(cell, xs))
    cell.reset_after = False
    found.append(both(cell, xs))
    assert len(set(found)) == len(found)
    cell.to("float64")
    both(cell, xs.astype("float64"))
    both(cell, normal(2, 1, D, dtype="float64"))


class Leaky(nn.Cell):
    """A cell as a user writes it."""

    rate = 0.25

    def __init__(self, width):
        self.input_size, self.state_sizes = D, (width,)
        self.mix = nn.Linear(D + width, width, generator=tg.Generator(0))

    def forward(self, state, x):
        (h,) = state
        h = h + self.rate * (tg.ops.tanh(self.mix(tg.ops.concat([x, h], axis=-1))) - h)
        return (h,), h


def test_a_users_cell_runs_by_a_kernel_until_it_changes(monkeypatch):
    cell, xs = Leaky(4), normal(3, 2, D)
    first = both(cell, xs)
    with tg.no_grad():
        x = tg.Tensor(xs[0])
        assert single.advance(cell, cell.initial_state(x), x) is not None
    monkeypatch.setattr(Leaky, "rate", 0.5)
    assert both(cell, xs) != first
    cell.rate = 0.25
    assert both(cell, xs) == first


def test_a_users_cell_with_other_effects_is_called_itself():
    class Mine(nn.LSTMCell):
        def forward(self, state, x):
            calls.append(1)
            return super().forward(state, x)

    calls = []
    both(Mine(D, 4, generator=tg.Generator(0)), normal(2, 3, D))
    assert len(calls) == 4


def test_gradients_need_the_definition():
    cell = nn.LSTMCell(D, 4, generator=tg.Generator(0))
    x, state = tg.Tensor(normal(2, D)), (tg.Tensor(normal(2, 4)),) * 2
    with tg.no_grad():
        assert not cell(state, x)[1].requires_grad
        with tg.enable_grad():
            assert cell(state, x)[1].requires_grad
        cell.weight_hh.array[...] = 1e38
        with tg.detect_anomaly(), np.errstate(all="ignore"), pytest.raises(FloatingPointError):
            cell((tg.Tensor(np.full((2, 4), 1e38, "f4")),) * 2, x)
    assert cell(state, x)[1].requires_grad


def test_bad_input_is_named_as_ever():
    cell = nn.LSTMCell(D, 4)
    state = (tg.Tensor(normal(2, 4)),) * 2
    with tg.no_grad():
        cell(state, tg.Tensor(normal(2, D)))
        with pytest.raises(ValueError, match="the input is"):
            cell(state, tg.Tensor(normal(2, D + 1)))
        with pytest.raises(ValueError, match="the state is"):
            cell(state[:1], tg.Tensor(normal(2, D)))
        with pytest.raises(TypeError, match="float64"):
            cell(state, tg.Tensor(normal(2, D, dtype="float64")))
        with pytest.raises(TypeError, match="Tensor"):
            cell(state, normal(2, D))


def test_one_sequence_without_a_batch():
    cell = nn.GRUCell(D, 4, generator=tg.Generator(0))
    both(cell, normal(3, D))


def test_what_earlier_steps_gave_stays():
    cell = nn.LSTMCell(D, 4, generator=tg.Generator(0))
    kept, copies = [], []
    with tg.no_grad():
        state = cell.initial_state(tg.Tensor(normal(2, D)))
        for x in normal(20, 2, D):
            state, y = cell(state, tg.Tensor(x))
            kept += [y, *state]
            copies += [t.array.copy() for t in kept[-3:]]
    for a, b in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(a.array, b)


def test_a_cell_is_not_kept_alive():
    cell = nn.LSTMCell(D, 4)
    x = tg.Tensor(normal(3, D))
    with tg.no_grad():
        assert single.advance(cell, cell.initial_state(x), x) is not None
        stream(cell, normal(2, 3, D))
    weight = weakref.ref(cell.weight_hh.array)
    del cell
    gc.collect()
    assert weight() is None


def test_threads_of_python_may_step_at_once():
    cell = nn.LSTMCell(D, 200, generator=tg.Generator(0))
    xs, results = normal(30, 1, D), []

    def work():
        with tg.no_grad():
            results.append(stream(cell, xs)[-1].tobytes())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1
