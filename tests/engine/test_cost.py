"""Time linear in the nodes, memory freed with the loss, deep graphs, slices step by step."""

import gc
import time
import weakref

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.engine import graph
from tinygrad_seq.engine.primitive import Primitive


def leaf(shape=(2,)):
    return tg.tensor(np.ones(shape), requires_grad=True)


def chain(n):
    x = leaf()
    y = x
    for _ in range(n):
        y = y + 1.0
    return x, y.sum()


def fan(n):
    x = leaf()
    return x, ops.stack([x * float(k) for k in range(n)]).sum()


def ladder(n):
    """Return a graph whose paths double at every step."""
    x = leaf()
    y = x
    for _ in range(n):
        y = y * 0.5 + y * 0.5
    return x, y.sum()


@pytest.mark.parametrize(("make", "n"), [(chain, 20_000), (fan, 8_000), (ladder, 2_000)])
def test_every_node_is_pulled_once(make, n, monkeypatch):
    pulls = []
    plain = Primitive.pull

    def counted(self, *args):
        pulls.append(self.name)
        return plain(self, *args)

    monkeypatch.setattr(Primitive, "pull", counted)
    x, loss = make(n)
    loss.backward()
    nodes = {chain: n + 1, fan: n + 2, ladder: 3 * n + 1}[make]
    assert len(pulls) == nodes
    assert x.grad.tolist() == [{chain: 1, fan: n * (n - 1) / 2, ladder: 1}[make]] * 2


def seconds(work):
    """Return the least of three times, without what the collector does."""
    gc.disable()
    try:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)
    finally:
        gc.enable()


def step_by_step(T, *, by_index):
    x = leaf((T, 500))
    total = 0
    for t in range(T):
        total = total + (x[t] if by_index else x[t : t + 1])
    total.sum().backward()


@pytest.mark.parametrize(
    ("work", "n"),
    [
        (lambda n: chain(n)[1].backward(), 1500),
        (lambda n: fan(n)[1].backward(), 1000),
        (lambda n: step_by_step(n, by_index=True), 300),
        (lambda n: step_by_step(n, by_index=False), 300),
    ],
    ids=["chain", "fan", "index", "slice"],
)
def test_four_times_as_much_takes_at_most_twelve_times_as_long(work, n):
    work(n)
    assert seconds(lambda: work(4 * n)) < 12 * seconds(lambda: work(n))


def test_slices_make_one_dense_gradient(monkeypatch):
    """T slices add into one array; T dense gradients would cost T²."""
    made = []
    plain = graph.LazyCotangent.__subclasses__()
    for kind in plain:
        dense = kind.dense
        monkeypatch.setattr(kind, "dense", lambda self, d=dense: made.append(1) or d(self))
    x = leaf((50, 3))
    sum((x[t] * float(t) for t in range(50)), start=tg.tensor(np.zeros(3))).sum().backward()
    assert x.grad.tolist() == [[t] * 3 for t in range(50)]
    assert len(made) == 1


def test_unbind_and_iteration_are_one_node():
    x = leaf((5, 3))
    for parts in (ops.unbind(x), list(x), ops.split(x, 5)):
        assert len({part.place[0] for part in parts}) == 1
        assert [part.place[1] for part in parts] == [0, 1, 2, 3, 4]


def test_a_graph_is_freed_with_its_loss_without_the_collector():
    x = leaf((100,))
    gc.collect()
    gc.disable()
    try:
        for build in (
            lambda x: ops.tanh(x * 2),
            lambda x: tg.checkpoint(ops.exp, x),
            lambda x: ops.concat(ops.split(ops.exp(x), 4)),
            lambda x: ops.cross_entropy_rows(ops.exp(x).reshape(10, 10), np.zeros(10, int)),
            lambda x: tg.grad((ops.exp(x) ** 2).sum(), x, create_graph=True),
        ):
            for walked in (False, True):
                y = build(x)
                y.register_hook(lambda g: g * 2)
                y.retain_grad()
                loss = (y * y).sum()
                watched = [weakref.ref(y.array), weakref.ref(loss.array), weakref.ref(y)]
                if walked:
                    loss.backward()
                    x.grad = None
                del y, loss
                assert [w() for w in watched if w() is not None] == []
    finally:
        gc.enable()


def test_backward_frees_what_was_kept_while_the_loss_lives():
    x = leaf((100,))
    y = ops.exp(x)
    kept = weakref.ref(y.array)
    loss = (y * 2).sum()
    del y
    assert kept() is not None
    loss.backward()
    assert kept() is None


def test_a_chain_of_200_000_nodes_is_walked_and_freed():
    x, loss = chain(200_000)
    loss.backward(retain_graph=True)
    assert x.grad.tolist() == [1, 1]
    last = weakref.ref(loss)
    del loss, x
    assert last() is None


def test_a_buffer_that_the_engine_does_not_own_is_never_added_into():
    x = leaf()
    seed = np.ones(2)
    y = x * 1.0
    z = y + y + y  # y's cotangent arrives three times, first as the seed itself
    z.backward(seed)
    assert seed.tolist() == [1, 1]
    assert x.grad.tolist() == [3, 3]
