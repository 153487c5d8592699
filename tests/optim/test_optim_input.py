"""What optimisers refuse, and that they then have changed nothing."""

import math

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import optim

NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"]


def leaf(*shape, dtype=np.float32):
    return tg.tensor(np.ones(shape, dtype), requires_grad=True)


P = leaf(2)

PARAMS = [
    ([], ValueError, "params is empty"),
    (iter([]), ValueError, "params is empty"),
    (P, TypeError, "params is a Tensor, expected an iterable"),
    ({"params": [P]}, TypeError, "params is a dict, expected an iterable"),
    (3, TypeError, "params is a int"),
    ("weights", TypeError, "params is a str"),
    ([P, np.ones(2)], TypeError, r"params\[1\] is a ndarray, expected a Tensor"),
    ([P, P], ValueError, r"params\[1\] is given twice"),
    ([P, P * 2], ValueError, r"params\[1\] is the result of an op"),
    ([P, {"params": [leaf(1)]}], TypeError, r"params\[0\] is a Tensor, expected a group"),
    ([{"params": []}], ValueError, "group 0: params is empty"),
    ([{"params": 3}], TypeError, "group 0: params is a int"),
    ([{"lr": 0.1}], ValueError, "group 0: expected a mapping with 'params'"),
    ([{"params": P}, {"params": [leaf(1), P]}], ValueError, r"group 1: params\[1\] is given twice"),
    ([{"params": P, "learning_rate": 1}], ValueError, r"unknown options \['learning_rate'\]"),
    ([{"params": P, "lr": -1.0}], ValueError, "lr is -1.0"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("params", "error", "named"), PARAMS, ids=range(len(PARAMS)))
def test_bad_parameters(name, params, error, named):
    with pytest.raises(error, match=f"^{name}: .*" + named):
        getattr(optim, name)(params)


OPTIONS = [
    *[(name, "lr", bad, ValueError) for name in NAMES for bad in (-0.1, math.nan, math.inf)],
    *[(name, "lr", bad, TypeError) for name in NAMES for bad in ("0.1", True, [0.1], None)],
    *[(name, "weight_decay", -0.1, ValueError) for name in NAMES],
    *[(name, "maximize", 1, TypeError) for name in NAMES],
    ("SGD", "momentum", -0.1, ValueError),
    ("SGD", "dampening", "x", TypeError),
    ("SGD", "nesterov", True, ValueError),
    *[
        (name, "betas", bad, ValueError)
        for name in ("Adam", "AdamW")
        for bad in ((0.9, 1.0), (-0.1, 0.9), (math.nan, 0.9), (0.9,), 0.9, "ab", (0.9, 0.9, 0.9))
    ],
    ("Adam", "betas", (0.9, "x"), TypeError),
    ("Adam", "eps", -1e-8, ValueError),
    ("Adam", "amsgrad", None, TypeError),
    ("RMSprop", "alpha", 1.5, ValueError),
    ("RMSprop", "alpha", -0.5, ValueError),
    ("RMSprop", "eps", math.nan, ValueError),
    ("RMSprop", "momentum", -1, ValueError),
    ("RMSprop", "centered", "yes", TypeError),
    ("Adagrad", "lr_decay", -1, ValueError),
    ("Adagrad", "initial_accumulator_value", -1, ValueError),
    ("Adagrad", "eps", -1, ValueError),
]


@pytest.mark.parametrize(("name", "option", "bad", "error"), OPTIONS)
def test_bad_options(name, option, bad, error):
    with pytest.raises(error, match=f"^{name}: {option}"):
        getattr(optim, name)([leaf(1)], **{option: bad})
    optimizer = getattr(optim, name)([leaf(1)])
    with pytest.raises(error, match=f"^{name}: {option}"):
        optimizer.add_param_group({"params": leaf(2), option: bad})
    assert len(optimizer.param_groups) == 1


def test_nesterov_does_not_go_with_dampening():
    with pytest.raises(ValueError, match=r"nesterov with momentum 0.9 and dampening 0.1"):
        optim.SGD([leaf(1)], momentum=0.9, dampening=0.1, nesterov=True)


def rejected(optimizer, leaves, error, named):
    """Check that a step raises this, and that nothing has moved."""
    before = [p.array.copy() for p in leaves]
    kept = optimizer.state_dict()
    with pytest.raises(error, match=named):
        optimizer.step()
    for p, array in zip(leaves, before, strict=True):
        np.testing.assert_array_equal(p.array, array)
    np.testing.assert_equal(optimizer.state_dict(), kept)


@pytest.mark.parametrize(
    ("gradient", "error", "named"),
    [
        (
            tg.tensor(np.ones((3, 1), "f4")),
            ValueError,
            r"1 is numpy float32\(3, 1\), expected .*3,",
        ),
        (tg.tensor(np.ones(3)), TypeError, r"1 is numpy float64\(3,\), expected numpy float32\(3"),
        (np.ones(3, "f4"), TypeError, "is a ndarray, expected a Tensor"),
    ],
)
def test_a_gradient_that_does_not_fit(gradient, error, named):
    leaves = [leaf(2), leaf(3)]
    optimizer = optim.Adam(leaves)
    leaves[0].grad, leaves[1].grad = tg.tensor([1.0, 2.0]), gradient
    rejected(optimizer, leaves, error, named)


def test_an_option_spoilt_later():
    leaves = [leaf(2), leaf(3)]
    optimizer = optim.SGD([{"params": leaves[0]}, {"params": leaves[1]}])
    for p in leaves:
        p.grad = tg.tensor(np.ones_like(p.array))
    optimizer.param_groups[1]["lr"] = math.nan
    before = [p.array.copy() for p in leaves]
    with pytest.raises(ValueError, match="SGD: lr is nan"):
        optimizer.step()
    assert all(np.array_equal(p.array, b) for p, b in zip(leaves, before, strict=True))


def test_a_read_only_parameter():
    fixed = np.ones(2, np.float32)
    fixed.flags.writeable = False
    leaves = [leaf(3), tg.Tensor(fixed, requires_grad=True)]
    optimizer = optim.SGD(leaves)
    for p in leaves:
        p.grad = tg.tensor(np.ones_like(p.array))
    rejected(optimizer, leaves, ValueError, "parameter 1 is a read-only array")


def test_a_parameter_of_another_dtype_than_its_state():
    p = leaf(2)
    optimizer = optim.Adam([p])
    p.grad = tg.tensor([1.0, 2.0])
    optimizer.step()
    p.array = p.array.astype(np.float64)
    p.grad = tg.tensor(np.ones(2))
    rejected(optimizer, [p], TypeError, r"is now numpy float64\(2,\), its exp_avg is numpy float32")


def test_a_frozen_parameter_is_left_alone() -> None:
    frozen, free = tg.tensor([1.0]), tg.tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([frozen, free], lr=0.5)
    (free * 2.0).sum().backward()
    optimizer.step()
    assert frozen.item() == 1.0
    assert free.item() == 0.0
