"""The backend switch, moves between backends, and what is refused."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.engine import backend as backends


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def restored():
    before = backends._default
    yield
    backends._default = before


def test_new_tensors_are_made_by_the_default_backend(restored):
    assert tg.tensor([1.0]).backend == tg.zeros(2).backend == "numpy"
    with tg.backend("strict"):
        assert {t.backend for t in (tg.tensor([1.0]), tg.zeros(2), tg.ones(2))} == {"strict"}
        with tg.backend("numpy"):
            assert tg.zeros(2).backend == "numpy"
        assert tg.zeros(2).backend == "strict"
    assert tg.zeros(2).backend == "numpy"
    tg.use_backend("strict")
    assert tg.zeros(2).backend == "strict"
    assert tg.tensor(np.ones(2)).backend == "strict"  # host data go where new tensors are made
    tg.use_backend("numpy")
    assert tg.tensor(backends.get_backend("strict").from_numpy(np.ones(2))).backend == "strict"


def test_use_backend_holds_in_every_thread_and_with_backend_in_one(restored):
    seen = []

    def look():
        seen.append(tg.zeros(1).backend)

    for context in (tg.backend("strict"), None):
        if context is None:
            tg.use_backend("strict")
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
        else:
            with context:
                thread = threading.Thread(target=look)
                thread.start()
                thread.join()
    assert seen == ["numpy", "strict"]


def test_unknown_backends_are_refused():
    for call in (
        lambda: tg.use_backend("jax"),
        lambda: tg.backend("jax").__enter__(),
        lambda: tg.tensor([1.0]).to("jax"),
        lambda: ops.to_backend(tg.tensor([1.0]), "jax"),
    ):
        with pytest.raises(ValueError, match=r"jax.*(numpy|cupy)"):
            call()
    assert tg.zeros(1).backend == "numpy"


def test_the_environment_names_the_backend():
    code = "import tinygrad_seq as tg; print(tg.zeros(1).backend)"
    assert run(code, TINYGRAD_SEQ_BACKEND="numpy").stdout == "numpy\n"
    wrong = run(code, TINYGRAD_SEQ_BACKEND="jax")
    assert "ValueError" in wrong.stderr
    assert "'jax'" in wrong.stderr


def test_a_missing_library_is_a_clear_error():
    code = "import sys; sys.modules['cupy'] = None; import tinygrad_seq as tg; tg.zeros(1)"
    missing = run(code, TINYGRAD_SEQ_BACKEND="cupy")
    assert "RuntimeError: backend 'cupy' needs CuPy: pip install" in missing.stderr


def test_importing_loads_no_heavy_library():
    code = (
        "import sys, tinygrad_seq; heavy = {'numba', 'cupy', 'matplotlib', 'torch', 'scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run(code).stdout == "[]\n"


def test_gradients_cross_a_move():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2).to("strict")
    assert y.backend == "strict"
    (y * y).sum().to("numpy").backward()
    assert (x.grad.backend, x.grad.tolist()) == ("numpy", [8, 16])
    assert "backend='strict'" in repr(y)


def test_backends_do_not_mix_silently():
    x, y = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.0]).to("strict")
    raw = np.ones(2, np.float32)
    for call in (
        lambda: x + y,
        lambda: y + x,
        lambda: y * raw,
        lambda: raw * y,
        lambda: x @ y,
        lambda: ops.concat([x, y]),
        lambda: ops.where(x > 0, y, y),
        lambda: ops.where(y > 0, x, x),
        lambda: ops.maximum(x, y),
        lambda: ops.take_rows(y, np.array([0])),
        lambda: ops.einsum("i,i->", x, y),
    ):
        with pytest.raises(TypeError, match="numpy and strict, expected one backend"):
            call()
    with pytest.raises(TypeError, match=r"use \.to"):
        np.asarray(y)


def test_cotangents_of_another_backend_are_refused():
    x = tg.tensor([1.0, 2.0], requires_grad=True).to("strict")
    with pytest.raises(TypeError, match="numpy"):
        (x * 2).backward(np.ones(2, np.float32))


def test_an_operation_stays_on_its_backend_whatever_the_default(backend_name):
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with tg.backend("numpy"):
        loss = ops.cross_entropy(ops.dropout(x @ x, 0.3), tg.tensor([0, 1]).to(backend_name))
        loss = loss + ops.one_hot(tg.tensor([0, 1]).to(backend_name), 2).sum() + x[[0]].sum()
        loss.backward()
    assert {loss.backend, x.grad.backend} == {backend_name}


def test_numpy_shows_values_of_every_backend(backend_name):
    x = tg.tensor([1.0, 2.0])
    assert x.numpy().tolist() == x.tolist() == [1, 2]
    assert type(x.numpy()) is np.ndarray
    assert x.sum().item() == float(x.sum()) == 3


def test_dlpack_shares_memory_both_ways():
    source = np.arange(3.0)
    x = tg.from_dlpack(source)
    source[0] = 7
    assert x.tolist() == [7, 1, 2]
    assert np.shares_memory(np.from_dlpack(x), source)
    with pytest.raises(TypeError, match="__dlpack__"):
        tg.from_dlpack([1.0])


def test_the_strict_backend_is_strict():
    """What the other tests rest on: NumPy cannot take these arrays, nor they NumPy's."""
    x = tg.tensor([1.0, 2.0]).to("strict").array
    for call in (
        lambda: np.asarray(x),
        lambda: np.exp(x),
        lambda: np.concatenate([x, x]),
        lambda: x + np.ones(2),
        lambda: np.ones(2) + x,
        lambda: x[np.array([0])],
        lambda: backends.xp(x).maximum(x, np.ones(2)),
        lambda: np.ones(2).__iadd__(x),
    ):
        with pytest.raises(TypeError):
            call()
