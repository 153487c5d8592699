"""Optimisers and clipping give the same on every backend, and mix none."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import optim
from tinygrad_seq.engine.backend import convert, get_backend
from tinygrad_seq.ops.rows import RowSparse, RowSparseTensor

KINDS = [
    ("SGD", {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"maximize": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("RMSprop", {"weight_decay": 0.1}),
    ("Adagrad", {"lr_decay": 0.1}),
]


def run(backend, name, options):
    """Return a table, a scalar and the norm, after steps on arrays of this backend."""
    rng = np.random.default_rng(0)

    def array(*shape):
        return convert(np.asarray(rng.normal(size=shape), np.float32), get_backend(backend))

    def rows(*numbers):
        return convert(np.array(numbers), get_backend(backend))

    leaves = [tg.Tensor(array(6, 2), requires_grad=True), tg.Tensor(array(), requires_grad=True)]
    optimizer = getattr(optim, name)(leaves, **options)
    for step in range(4):
        parts = [(rows(5, 1, 5), array(3, 2)), (rows(0), array(1, 2))]
        sparse = RowSparseTensor(RowSparse(parts, (6, 2), True))
        leaves[0].grad = sparse if step % 2 else tg.Tensor(array(6, 2))
        leaves[1].grad = tg.Tensor(array())
        optim.clip_grad_value_(leaves, 0.9)
        norm = optim.clip_grad_norm_(leaves, 0.5, 3)
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
    assert [p.backend for p in leaves] == [backend, backend]
    assert [p.dtype for p in leaves] == [np.float32, np.float32]
    return [convert(p.array, get_backend("numpy")) for p in leaves], norm


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_backends_agree(backend_name, name, options):
    """Strict arrays stand in for CuPy's: they are never turned into NumPy's unasked."""
    found, norm = run(backend_name, name, options)
    wanted, wanted_norm = run("numpy", name, options)
    assert norm == pytest.approx(wanted_norm, rel=1e-6)
    for here, there in zip(found, wanted, strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-7)


def test_a_gradient_or_a_state_elsewhere_is_refused():
    strict = get_backend("strict")
    p = tg.tensor(np.ones(2, np.float32), requires_grad=True)
    optimizer = optim.Adam([p])
    p.grad = tg.tensor(np.ones(2, np.float32))
    optimizer.step()
    p.array = convert(p.array, strict)
    with pytest.raises(
        TypeError, match=r"\.grad of parameter 0 is numpy float32\(2,\), expected s"
    ):
        optimizer.step()
    p.grad = tg.Tensor(convert(np.ones(2, np.float32), strict))
    with pytest.raises(TypeError, match=r"exp_avg is numpy .* moves the state too"):
        optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.step()
    assert optimizer.state[p]["step"] == 2
    assert type(optimizer.state[p]["exp_avg"]) is strict.array_type
