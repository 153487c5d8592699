"""no_grad, enable_grad, detach, detect_anomaly: what is recorded, and by which thread."""

import linecache
import threading

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops


def leaf(data, dtype=np.float64):
    return tg.tensor(np.asarray(data, dtype), requires_grad=True)


def test_no_grad_and_enable_grad_nest():
    x = leaf([1.0])
    assert tg.is_grad_enabled()
    with tg.no_grad():
        assert not tg.is_grad_enabled()
        assert not (x * 2).requires_grad
        with tg.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_modes_are_decorators_that_can_be_called_again():
    @tg.no_grad()
    def doubled(x, depth=2):
        return doubled(x, depth - 1) if depth else x * 2

    @tg.enable_grad()
    def tripled(x):
        return x * 3

    x = leaf([1.0])
    for _ in range(2):
        assert not doubled(x).requires_grad
        with tg.no_grad():
            assert tripled(x).requires_grad


def test_a_mode_ends_with_an_error():
    for mode in (tg.no_grad, tg.detect_anomaly):
        with pytest.raises(KeyError), mode():
            raise KeyError
        assert tg.is_grad_enabled()
    with np.errstate(divide="ignore"):
        assert (leaf([1.0]) / 0.0).requires_grad


def test_no_grad_holds_in_its_own_thread_only():
    x = leaf([1.0])
    inside, checked = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait(10)
        seen.append((tg.is_grad_enabled(), (x * 2).requires_grad))
        with tg.no_grad():
            checked.set()
            seen.append((x * 2).requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    with tg.no_grad():
        inside.set()
        assert checked.wait(10)
        thread.join(10)
        assert not (x * 2).requires_grad
    assert seen == [(True, True), False]


def test_threads_differentiate_at_once():
    """Eight graphs built and walked in eight threads give what one thread gives."""
    gradients = [None] * 8

    def work(k):
        x = leaf(np.full(5, k + 1.0))
        y = x
        for _ in range(200):
            y = y + ops.tanh(x) * 0.1
        y.sum().backward()
        gradients[k] = x.grad.numpy()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, g in enumerate(gradients):
        np.testing.assert_allclose(g, 1 + 20 * (1 - np.tanh(k + 1.0) ** 2), rtol=1e-10)


def test_detach_shares_the_array_and_stops_the_gradient():
    x = leaf([1.0, 2.0])
    y = x * 3
    (y.detach() * x).sum().backward()
    assert x.grad.tolist() == [3, 6]
    assert np.shares_memory(y.detach().data, y.data)


def test_the_backward_pass_is_recorded_only_with_create_graph():
    x = leaf([1.0])
    assert not tg.grad((x**3).sum(), x).requires_grad
    with tg.no_grad():
        first = None
    with tg.enable_grad():
        y = (x**3).sum()
    with tg.no_grad():
        first = tg.grad(y, x, create_graph=True)
    assert tg.grad(first.sum(), x).item() == 6


def test_anomaly_names_the_op_and_the_line_of_the_forward_pass():
    x = leaf([1.0, 0.0])
    with tg.detect_anomaly(), np.errstate(divide="ignore"):
        y = x * 2
        with pytest.raises(FloatingPointError, match=r"log made .*test_modes\.py:(\d+)") as caught:
            ops.log(y)
    line = int(str(caught.value).rpartition(":")[2])
    assert "ops.log(y)" in linecache.getline(__file__, line)


def test_anomaly_names_the_op_and_the_line_of_the_backward_pass():
    x = leaf([1.0, 0.0])
    with tg.detect_anomaly(), np.errstate(divide="ignore", invalid="ignore"):
        loss = ops.sqrt(x).sum()
        with pytest.raises(FloatingPointError, match=r"backward pass of sqrt .*test_modes\.py:\d+"):
            loss.backward()
    assert x.grad is None


def test_anomaly_blames_the_first_op_and_lets_finite_values_pass():
    with tg.detect_anomaly():
        x = leaf([1.0, 2.0])
        ops.cross_entropy(ops.stack([x, x * 2]), np.array([0, 1])).backward()
        assert np.isfinite(x.grad.numpy()).all()
        assert (tg.tensor([np.inf]) * 2).item() == np.inf  # not made here, but given


def test_a_tensor_refuses_what_would_lose_its_gradient():
    x = leaf([1.0, 2.0])
    for call in (
        x.numpy,
        lambda: np.asarray(x),
        lambda: np.exp(x.detach()) * 0 + np.asarray(x * 2),
        x.__dlpack__,
    ):
        with pytest.raises((RuntimeError, TypeError)):
            call()
    with pytest.raises(RuntimeError, match="detach"):
        x[0] = 1.0
    with pytest.raises(RuntimeError, match="detach"):
        (x * 2)[0] = 1.0
    target = tg.zeros(2, dtype=np.float64)
    with pytest.raises(RuntimeError, match="gradient would be lost"):
        target[0] = x[0]
    with pytest.raises(RuntimeError, match="detach it first"):
        (x * 2).requires_grad_(False)
    with tg.no_grad():
        target[0] = x[1]
        x[0] = 5.0
    assert (target.tolist(), x.tolist()) == ([2, 0], [5, 2])
