"""What was made for a function is found again by what it depends on and the forms of its values."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq.tracing.recognise import recognised
from tinygrad_seq.tracing.trace import Memory, Untraceable

W = tg.Tensor(np.ones((3, 3)), requires_grad=True)


class Maker:
    """Something to make: counts how often it was, and tells of these leaves."""

    def __init__(self, *leaves, again=True):
        self.leaves, self.again, self.count = leaves, again, 0

    def __call__(self):
        self.count += 1
        return f"made {self.count}", self.leaves, self.again


def by_closure(w):
    return lambda x: x @ w


def rows(*shape, dtype="float64", **options):
    return tg.Tensor(np.zeros(shape, dtype), **options)


def test_equal_forms_are_made_once():
    make, function = Maker(W), by_closure(W)
    assert recognised(function, "once", [rows(5, 3)], make) == ("made 1", [W])
    assert recognised(function, "once", [rows(5, 3)], make) == ("made 1", [W])
    assert recognised(by_closure(W), "once", [rows(5, 3)], make) == ("made 1", [W])
    assert make.count == 1


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ("forms", rows(6, 3)),
        ("forms", rows(5, 3, dtype="float32")),
        ("forms", rows(5, 3, requires_grad=True)),
        ("forms", np.zeros((5, 3))),
        ("forms", 2.0),
        ("others", rows(5, 3)),
    ],
)
def test_other_forms_are_made_anew(options, value):
    make, function = Maker(W), by_closure(W)
    recognised(function, "forms", [rows(5, 3)], make)
    made = make.count
    recognised(function, options, [value], make)
    assert make.count == made + 1


def test_series_may_have_any_length():
    make, function = Maker(W), by_closure(W)
    for steps in (2, 7):
        assert recognised(function, "series", [rows(steps, 5, 3)], make, series=1)[0] == "made 1"
    recognised(function, "series", [rows(2, 5, 4)], make, series=1)
    assert make.count == 2


def test_leaves_are_those_of_the_call():
    make, function = Maker(W), by_closure(W)
    recognised(function, "leaves", [1.0], make)
    other = rows(3, 3, requires_grad=True)
    found = recognised(by_closure(other), "leaves", [1.0], make)
    assert found[1][0] is other
    assert make.count == 1


def test_without_gradients_it_is_another_form():
    make, function = Maker(W), by_closure(W)
    recognised(function, "recording", [1.0], make)
    with tg.no_grad():
        recognised(function, "recording", [1.0], make)
    assert make.count == 2


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (Maker(W, again=False), []),
        (Maker(rows(3, 3)), []),  # a leaf from nowhere
        (Maker(W), [W]),  # one array twice
        (Maker(W), [object()]),
    ],
)
def test_what_cannot_be_told_apart_is_made_each_time(make, values):
    for count in (1, 2):
        assert recognised(by_closure(W), "each time", values, make)[0] == f"made {count}"


def test_an_error_is_raised_again():
    class Special(Untraceable):
        pass

    calls = []

    def make():
        calls.append(1)
        raise Special("why not")

    for _ in range(2):
        with pytest.raises(Special, match="why not"):
            recognised(by_closure(W), "error", [], make)
    assert len(calls) == 1


def test_a_memory_that_is_full_forgets():
    memory = Memory(2)
    for i in range(3):
        memory[i] = i
    assert dict(memory) == {2: 2}
