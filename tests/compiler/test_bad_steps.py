"""Steps that cannot be: one error that names the step and the op, compiled and unrolled alike."""

import gc
import logging
import weakref

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.machine import runtime

T, B, H = 3, 2, 4
X = tg.Tensor(np.ones((T, B, H)), requires_grad=True)
H0 = tg.Tensor(np.ones((B, H)), requires_grad=True)
FLOAT32 = tg.Tensor(np.ones(H, "f4"))


def widens(h, x):
    return ops.concat([h, x], axis=1), x


def sums_up(h, x):
    return ops.sum(h * x, axis=0, keepdims=True), x


def narrows(h, x):
    return ops.astype(h * 2, np.float32), x


def returns_a_tuple(h, x):
    return (h, x), x


def returns_a_number(h, x):
    return h, 1.0


def returns_no_pair(h, x):
    return h + x


def multiplies_dtypes(h, x):
    return h * FLOAT32, x


BAD = [
    (widens, ValueError, r"step widens returns state 0 as float64\(2, 8\) \(made by concat\), "
     r"expected float64\(2, 4\), as it takes it"),
    (sums_up, ValueError, r"step sums_up returns state 0 as float64\(1, 4\) \(made by sum\)"),
    (narrows, TypeError, r"step narrows returns state 0 as float32\(2, 4\) \(made by astype\), "
     r"expected float64\(2, 4\)"),
    (returns_a_tuple, TypeError, r"step returns_a_tuple returns a state of another form than the "
     r"one it takes: \(Tensor, Tensor\), expected Tensor"),
    (returns_a_number, TypeError, r"step returns_a_number returned \(Tensor, float\)"),
    (returns_no_pair, TypeError, r"step returns_no_pair returned Tensor, expected a pair"),
    (multiplies_dtypes, TypeError, r"mul: inputs are float32 and float64"),
]  # fmt: skip


CONTEXTS = {"compiled": tg.enable_grad, "unrolled": tg.unrolled}


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(("step", "kind", "message"), BAD, ids=lambda v: getattr(v, "__name__", ""))
def test_the_error_names_the_step_and_the_op(step, kind, message, context):
    with CONTEXTS[context](), pytest.raises(kind, match=message) as caught:
        tg.scan(step, X, H0)
    told = [str(caught.value), *getattr(caught.value, "__notes__", [])]
    assert any(step.__name__ in line for line in told)


@pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
def test_without_gradients_the_op_is_named_too():
    with tg.no_grad(), pytest.raises(ValueError, match="made by concat"):
        tg.scan(widens, X, H0)


def test_mixed_backends_name_the_step_and_the_op():
    other = tg.Tensor(np.ones(H)).to("strict")

    def mixes(h, x):
        return h * other, x

    for context in (tg.enable_grad(), tg.unrolled()):
        with (
            context,
            pytest.raises(TypeError, match="mul: inputs are on numpy and strict") as error,
        ):
            tg.scan(mixes, X, H0)
        assert "in the step test_mixed_backends" in error.value.__notes__[0]


@pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
def test_a_branch_on_a_value_runs_unrolled_and_says_so_once(caplog):
    def branches(h, x):
        return (h + x if (x * 2).sum() > 3 else h - x), h

    caplog.set_level(logging.WARNING, logger="tinygrad_seq")
    for _ in range(2):
        found = tg.scan(branches, X, H0)[0]
    with tg.unrolled():
        np.testing.assert_array_equal(found.array, tg.scan(branches, X, H0)[0].array)
    (record,) = caplog.records
    assert "branches runs unrolled" in record.message
    assert "looks at the value of greater" in record.message


def test_what_runs_unrolled_is_not_kept():
    def mixes_rows(h, x):
        return h + ops.flip(h, 0), x

    x = tg.Tensor(np.ones((T, B, H)))
    for _ in range(2):
        tg.scan(mixes_rows, x, H0.detach())
    left = weakref.ref(x)
    del x
    gc.collect()
    assert left() is None


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(
    ("lengths", "kind", "message"),
    [
        ([1, 4], ValueError, "a length is 4, expected 0 to 3"),
        ([-1, 3], ValueError, "a length is -1, expected 0 to 3"),
        ([1, 2, 3], ValueError, r"lengths are \(3,\), expected \(2,\)"),
        ([1.0, 2.0], TypeError, "lengths are float64, expected integers"),
    ],
)
def test_lengths_are_checked_before_any_step(lengths, kind, message, context):
    def never(h, x):
        raise AssertionError

    for every in (None, 2):
        with CONTEXTS[context](), pytest.raises(kind, match=message):
            tg.scan(never, X, H0, lengths=lengths, checkpoint_every=every)


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("lengths", [None, [1, 3]])
def test_conditions_come_out_as_booleans(context, lengths):
    with CONTEXTS[context]():
        outputs = tg.scan(lambda h, x: (h - x, h > x), X, H0 * 2, lengths=lengths)[1]
    assert outputs.dtype == bool
    expected = np.array([[True, True], [False, False], [False, False]])
    np.testing.assert_array_equal(outputs.array, np.repeat(expected[..., None], H, axis=-1))


@pytest.mark.parametrize("context", CONTEXTS)
def test_fused_conditions_come_out_as_booleans(context, monkeypatch):
    monkeypatch.setattr("tinygrad_seq.compiler.fuse.SMALL", 1)
    rows = tg.Tensor(np.arange(12.0).reshape(3, 4))
    with CONTEXTS[context]():
        found = tg.fuse(lambda x: x * 2 > 7)(rows)
    assert found.dtype == bool
    assert found.array.sum() == 8


@pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
@pytest.mark.parametrize(
    "use",
    [
        lambda t: t + 1,
        lambda t: ops.stack([t, t]),
        lambda t: t.sum().backward(),
        lambda t: t.detach().numpy(),
        lambda t: float(t.sum()),
        repr,
    ],
)
def test_a_value_that_a_compiled_step_left_behind_is_an_error(use):
    left = []

    def leaves_behind(h, x):
        left.append(h * x)
        return left[-1], h

    tg.scan(leaves_behind, X, H0)
    with pytest.raises(RuntimeError, match="return it as an output of the step"):
        use(left[0])


@pytest.mark.parametrize("every", [None, 2, np.int64(2)])
def test_lengths_need_a_batch_also_in_pieces(every):
    with pytest.raises(ValueError, match=r"lengths for inputs \(3,\), expected \(T, B, ...\)"):
        tg.scan(lambda h, x: (h + x, h), X[:, 0, 0], H0, lengths=[1, 2], checkpoint_every=every)


def test_explain_says_what_it_takes():
    with pytest.raises(TypeError, match=r"got a step and 1 arguments, expected explain\(step"):
        tg.explain(widens, X)
