"""A step is traced once for what it depends on, and again when any of that has changed."""

import functools
import operator
import random
import types
from time import perf_counter

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.compiler import scan as scanning
from tinygrad_seq.machine import runtime
from tinygrad_seq.tracing import recognise
from tinygrad_seq.tracing.contents import contents

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

generator = np.random.default_rng(7)
X = tg.tensor(generator.standard_normal((3, 2, 4)))
H = tg.tensor(generator.standard_normal((2, 4)))
W = tg.tensor(generator.standard_normal((4, 4)), requires_grad=True)
FACTOR = 0.5


def squash(a):
    return ops.tanh(a * FACTOR)


@pytest.fixture
def traces(monkeypatch):
    """The number of times that a step was traced, in a list."""
    count = [0]
    original = scanning.traced

    def counting(*args):
        count[0] += 1
        return original(*args)

    monkeypatch.setattr(scanning, "traced", counting)
    monkeypatch.setattr(recognise, "_known", {})
    return count


def same(step, state=H):
    """Return whether the compiled scan gives what the loop gives, after asserting that it does."""
    _, y = tg.scan(step, X, state)
    with tg.unrolled():
        _, expected = tg.scan(step, X, state)
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=0)
    return y.detach().numpy()


def test_an_element_that_moves_to_the_next_list_is_noticed():
    factors = [tg.tensor(np.full(4, k)) for k in (0.5, -0.7)]
    terms = [tg.tensor(np.full(4, 0.3))]

    def step(h, x):
        for factor in factors:
            h = h * factor
        for term in terms:
            h = h + term + x
        return h, h

    before = same(step)
    terms.insert(0, factors.pop())  # one after the other, they are as they were
    assert np.abs(same(step) - before).max() > 0.1


class Scaled(nn.Module):
    """A module with a step that uses all that a module may have."""

    floor = -0.5

    def __init__(self):
        self.weight = nn.Parameter(tg.tensor(generator.standard_normal((4, 4))))
        self.linear = nn.Linear(4, 4, dtype=np.float64)
        self.scale, self.parts = 2.0, [W, None]

    def step(self, h, x):
        h = self.activation(x @ self.weight + self.linear(h) * self.scale + h @ self.parts[0])
        return h, h

    def activation(self, a):
        return ops.maximum(ops.tanh(a), self.floor)

    def unused(self):
        self.scale = generator.standard_normal()


def by_closure():
    def step(h, x):
        h = squash(x @ W + h)
        return h, h

    return step


def by_namespace():
    p = types.SimpleNamespace(w=W, k=3, f=[lambda a: ops.sigmoid(a)])
    return lambda h, x: (p.f[0](x @ p.w * p.k + h), h)


def by_partial():
    return functools.partial(lambda w, h, x, *, k: (ops.tanh(x @ w + h * k), h), W, k=2).func


def loops(h, x):
    for i in range(3):
        h = ops.tanh(h + x @ W[:] * i) if i else h
    return h, h


class Callable(Scaled):
    """A module that is a step."""

    def __call__(self, h, x):
        return super().step(h, x)


MAKERS = {
    "closure": by_closure,
    "namespace": by_namespace,
    "module": lambda: Scaled().step,
    "callable": Callable,
    "cell": lambda: nn.GRUCell(4, 4, dtype=np.float64).forward,
}


def as_step(maker):
    step = MAKERS[maker]()
    if maker != "cell":
        return step, H
    return step, (H,)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_step_is_traced_once(maker, traces):
    step, state = as_step(maker)
    first = same(step, state)
    before = traces[0]
    np.testing.assert_array_equal(same(step, state), first)
    assert traces[0] == before > 0


def test_a_step_made_anew_is_not_traced_anew(traces):
    same(by_closure())
    before = traces[0]
    same(by_closure())
    same(by_namespace())
    between = traces[0]
    same(by_namespace())  # with other lists and functions of the same contents
    assert before < between == traces[0]


def test_parameters_that_were_replaced_are_those_that_are_used(traces):
    module = Scaled()
    first = same(module.step)
    before = traces[0]
    module.weight = nn.Parameter(tg.tensor(generator.standard_normal((4, 4))))
    assert not np.array_equal(same(module.step), first)
    assert traces[0] == before
    _, y = tg.scan(module.step, X, H)
    y.sum().backward()
    assert module.weight.grad is not None
    assert W.grad is not None


def changed(module, name, value):
    setattr(module, name, value)


CHANGES = {
    "a number": lambda m: changed(m, "scale", 3.0),
    "its sign alone": lambda m: changed(m, "scale", -2.0),
    "an int for a float": lambda m: changed(m, "scale", 1),
    "an element of a list": lambda m: m.parts.__setitem__(0, tg.tensor(np.eye(4))),
    "a submodule": lambda m: changed(m, "linear", nn.Linear(4, 4, bias=False, dtype=np.float64)),
    "an attribute of a submodule": lambda m: changed(m.linear, "bias", None),
    "a method of the object": lambda m: changed(m, "activation", ops.sigmoid),
    "an attribute of the object over the class's": lambda m: changed(m, "floor", 0.25),
    "requires_grad": lambda m: m.weight.requires_grad_(False),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changed_in_an_object_is_noticed(change, traces):
    module = Scaled()
    assert np.array_equal(same(module.step), same(module.step))
    before = traces[0]
    change(module)
    same(module.step)
    assert traces[0] > before


def test_what_changed_in_a_class_is_noticed(monkeypatch):
    module = Scaled()
    first = same(module.step)
    monkeypatch.setattr(Scaled, "floor", 0.1)
    second = same(module.step)
    assert second.min() >= 0.1 > first.min()
    monkeypatch.setattr(Scaled, "activation", lambda self, a: ops.sigmoid(a) * self.scale)
    assert not np.array_equal(same(module.step), second)


def test_another_class_of_an_object_is_noticed():
    class Steeper(Scaled):
        def activation(self, a):
            return ops.sigmoid(a)

    module = Scaled()
    first = same(module.step)
    module.__class__ = Steeper
    assert not np.array_equal(same(module.step), first)


def test_what_changed_behind_a_name_of_the_package_is_noticed(monkeypatch):
    @functools.wraps(tg.set_num_threads)
    def under_another_name(a):
        return squash(a)

    under_another_name.__qualname__ = "set_num_threads"
    step = lambda h, x: (under_another_name(x + h), h)  # noqa: E731
    first = same(step)
    monkeypatch.setitem(globals(), "FACTOR", -0.5)
    assert not np.array_equal(same(step), first)


def test_what_changed_in_a_global_is_noticed(monkeypatch):
    step = by_closure()
    first = same(step)
    monkeypatch.setitem(globals(), "FACTOR", -0.5)
    second = same(step)
    assert not np.array_equal(second, first)
    monkeypatch.setitem(globals(), "squash", ops.sigmoid)
    assert not np.array_equal(same(step), second)


def test_what_changed_in_a_function_is_noticed():
    def step(h, x, k=1.0):
        h = ops.tanh(x * k + h)
        return h, h

    first = same(step)
    step.k = 1.0
    by_attribute = lambda h, x: (ops.tanh(x * step.k + h), h)  # noqa: E731
    third = same(by_attribute)
    step.k = 3.0
    assert not np.array_equal(same(by_attribute), third)
    step.__defaults__ = (2.0,)
    second = same(step)
    step.__code__ = (lambda h, x, k: (ops.sigmoid(x * k + h), h)).__code__
    assert len({first.tobytes(), second.tobytes(), same(step).tobytes()}) == 3


@pytest.mark.parametrize(
    "values", [(0.0, -0.0), (1, True), (1, 1.0), ("tanh", "sigmoid"), (None, 2.0)], ids=str
)
def test_what_changed_in_a_closure_is_noticed(values, traces):
    k = values[0]

    def step(h, x):
        f = ops.sigmoid if isinstance(k, str) and k == "sigmoid" else ops.tanh
        h = f(x + h) if k is None or isinstance(k, str) else f(x * k + h)
        return h, h

    same(step)
    same(step)
    before = traces[0]
    k = values[1]
    same(step)
    assert traces[0] > before


def test_two_tensors_and_one_twice_are_two_forms():
    def make(a, b):
        def step(h, x):
            return ops.tanh(x @ a + h @ b), h

        return step

    other = tg.tensor(np.eye(4), requires_grad=True)
    for a, b in [(W, W), (W, other), (other, W), (other, other)]:
        same(make(a, b))
        (g,) = tg.grad(tg.scan(make(a, b), X, H)[0].sum(), [a])
        with tg.unrolled():
            (expected,) = tg.grad(tg.scan(make(a, b), X, H)[0].sum(), [a])
        np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-12)


def test_two_objects_and_one_twice_are_two_forms():
    def make(a, b):
        return lambda h, x: (h + x if a is b else h - x, h)

    one = []
    assert not np.array_equal(same(make(one, one)), same(make(one, [])))


def reads_a_value(h, x):
    return (h + x if float(SIGN) > 0 else h - x), h


def reads_an_array(h, x):
    return (h + x if SIGN.numpy()[0] > 0 else h - x), h


def reads_a_list(h, x):
    return (h + x if SIGN.tolist()[0] > 0 else h - x), h


SIGN = tg.tensor(np.ones(1))


@pytest.mark.parametrize("step", [reads_a_value, reads_an_array, reads_a_list])
def test_a_step_that_reads_values_is_traced_each_time(step):
    with tg.no_grad():
        first = same(step)
        SIGN[0] = -1.0
        assert not np.array_equal(same(step), first)
        SIGN[0] = 1.0


def test_a_constant_of_no_axes_is_read_each_time():
    k = tg.tensor(2.0, dtype=np.float64)
    step = lambda h, x: (ops.tanh(x * k + h), h)  # noqa: E731
    first = same(step)
    k[...] = 3.0
    assert not np.array_equal(same(step), first)


class Marked(tg.Tensor):
    """A tensor with an attribute of its own."""

    mark = 2.0


class Words(dict):
    """A container of a user's own."""


def knows_nothing_of():
    made, slots, stream, words, choice = [], {}, iter([1.0, 2.0]), Words(k=1.0), random.Random(0)
    own = Marked(np.ones(4))

    def appends(h, x):
        made.append(1)
        return h + x, h

    def draws(h, x):
        return h + x * next(stream), h

    def looks_up(h, x):
        return h + x * words["k"], h

    def writes(h, x):
        nonlocal made
        made = [h]
        return h + x, h

    def stores(h, x):
        slots["k"] = x
        return h + x, h

    def array(h, x):
        return h + X.array[0], h

    rows = np.ones(4)

    def has_a_gradient(h, x):
        return (h + x if W.grad is None else h), h

    def marked(h, x):
        return h + x * own.mark, h

    def chosen(h, x):
        return h + x * choice.uniform(0, 1), h

    module, by_name, of = Scaled(), operator.attrgetter("floor"), getattr

    def clock(h, x):
        return (h + x if perf_counter() > 0 else h), h

    def by_pattern(h, x):
        match module:
            case Scaled(floor=floor):
                return h + x * floor, h

    def by_alias(h, x):
        return h + x * of(module, "floor"), h

    steps = [appends, draws, looks_up, writes, stores, array, has_a_gradient, marked, chosen]
    steps += [clock, by_pattern, by_alias, lambda h, x: (h + x * by_name(module), h)]
    return [*steps, lambda h, x: (h + rows, x), functools.partial(reads_a_value), len]


@pytest.mark.parametrize(
    "step", knows_nothing_of(), ids=lambda step: getattr(step, "__name__", "partial")
)
def test_nothing_is_said_of_what_cannot_be_compared(step):
    assert contents(step) is None


def test_contents_do_not_keep_a_cell_alive():
    import gc
    import weakref

    cell = Scaled()
    same(cell.step)
    left = weakref.ref(cell)
    del cell
    gc.collect()
    assert left() is None
