"""Numbers beside tensors never change a dtype; two floating dtypes never mix silently."""

import operator

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops

OPERATORS = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.pow,
    ops.maximum,
    ops.minimum,
]
SCALARS = [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), np.bool_(True)]


@pytest.mark.parametrize("number", SCALARS, ids=lambda n: f"{type(n).__name__}")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_numbers_on_either_side_keep_the_dtype(op, dtype, number):
    for data in ([0.5, 1.5, 3.0], 1.5):
        x = tg.tensor(np.array(data, dtype), requires_grad=True)
        for y, wanted in (
            (op(x, number), op(np.array(data), float(number))),
            (op(number, x), op(float(number), np.array(data))),
        ):
            if op in (ops.maximum, ops.minimum):
                wanted = getattr(np, op.__name__)(np.array(data), float(number))
            assert y.dtype == dtype
            np.testing.assert_allclose(y.detach(), wanted, rtol=2e-3)
            (g,) = tg.grad(y.sum(), [x])
            assert g.dtype == dtype


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5)])
@pytest.mark.parametrize(
    "function",
    [
        lambda x, n: ops.clip(x, -n, n),
        lambda x, n: ops.clip(x, max=n),
        lambda x, n: ops.leaky_relu(x, negative_slope=n),
        lambda x, n: ops.leaky_relu(x, n),
        lambda x, n: ops.elu(x, n),
        lambda x, n: ops.softplus(x, beta=n, threshold=n),
        lambda x, n: ops.where(x > n, x, n),
        lambda x, n: ops.masked_fill(x, x > 0, n),
        lambda x, n: ops.pad(x, 1, constant_values=n),
        lambda x, n: ops.dropout(x, n),
        lambda x, n: ops.mul(x, y=n),
        lambda x, n: ops.layer_norm(x, (4,), eps=n),
        lambda x, n: ops.cosine_similarity(x, x, eps=n),
        lambda x, n: ops.cross_entropy(ops.stack([x, x]), np.array([0, 1]), label_smoothing=n),
    ],
)
def test_numpy_scalars_as_options_keep_the_dtype(function, number):
    x = tg.tensor([-2.0, -0.3, 0.4, 2.0], requires_grad=True)
    y = function(x, number)
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_numpy_integers_as_axes_and_counts():
    x = tg.tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    axis = np.int64(1)
    for y in (
        ops.sum(x, axis=axis),
        ops.var(x, axis=axis, ddof=np.int64(1)),
        ops.max(x, axis=axis),
        ops.softmax(x, axis=axis),
        ops.concat(ops.split(x, np.int64(2), axis=axis), axis),
        x[np.int64(1)],
    ):
        (g,) = tg.grad(y.sum(), [x])
        assert g.dtype == np.float64


@pytest.mark.parametrize(
    "op", [*OPERATORS[:4], operator.matmul, ops.maximum], ids=lambda op: op.__name__
)
def test_two_floating_dtypes_do_not_mix(op):
    x, y = tg.tensor(np.ones(3, np.float32)), np.ones(3)
    for a, b in ((x, tg.tensor(y)), (tg.tensor(y), x), (x, y), (y, x)):
        if isinstance(a, np.ndarray) and op is ops.maximum:
            continue
        with pytest.raises(TypeError, match="float32 and float64"):
            op(a, b)


def test_two_floating_dtypes_do_not_mix_in_joins_and_keywords():
    x, y = tg.tensor(np.ones((1, 3), np.float32)), tg.tensor(np.ones((1, 3)))
    for call in (
        lambda: ops.concat([x, y]),
        lambda: ops.stack([x, y]),
        lambda: ops.mul(x, y=y.data),
        lambda: ops.linear(x, x, bias=np.ones(1)),
        lambda: ops.einsum("ij,ij->", x, y),
    ):
        with pytest.raises(TypeError, match="float32 and float64"):
            call()


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.bool_])
def test_whole_numbers_take_the_dtype_of_floats_beside_them(kind):
    x = tg.tensor([0.5, 1.5], requires_grad=True)
    whole = np.array([1, 0]).astype(kind)
    for y in (x * tg.tensor(whole), whole + x, ops.where(x > 1, whole, x), x - whole):
        assert y.dtype == np.float32
        (g,) = tg.grad(y.sum(), [x])
        assert g.dtype == np.float32


def test_numpy_arrays_and_scalars_on_the_left_give_tensors():
    x = tg.tensor([1.0, 2.0])
    for y in (np.ones(2, np.float32) + x, np.float64(2) * x, np.float32(1) - x, 2 / x):
        assert isinstance(y, tg.Tensor)
        assert y.dtype == np.float32
    assert isinstance(np.eye(2, dtype=np.float32) @ x, tg.Tensor)
    assert (np.float64(1.5) < x).tolist() == [False, True]


def test_errors_name_the_op_and_its_inputs():
    x = tg.tensor(np.ones((2, 3), np.float32))
    for kind, text, call in (
        (ValueError, r"matmul: .*float32\(2, 3\)", lambda: x @ x),
        (ValueError, r"add: .*\(2, 3\).*\(2,\)", lambda: x + tg.tensor([1.0, 2.0])),
        (ValueError, "reshape: ", lambda: x.reshape(4)),
        (ValueError, "sum: ", lambda: x.sum(axis=2)),
        (ValueError, "split: 3 along axis 1", lambda: ops.split(x, 2, axis=1)),
        (ValueError, "ascending", lambda: ops.split(x, [2, 1], axis=1)),
        (ValueError, "no arrays", lambda: ops.concat([])),
        (ValueError, "unbind: ", lambda: ops.unbind(tg.tensor(1.0))),
        (TypeError, "maximum: ", lambda: ops.maximum(x, "a")),
        (TypeError, "add: ", lambda: x + None),
        (IndexError, "getitem: ", lambda: x[2]),
        (IndexError, "index 2 is out of range", lambda: ops.take_rows(x, np.array([0, 2]))),
        (IndexError, "index -1 is out of range", lambda: ops.take_rows(x, np.array([-1]))),
        (TypeError, "indices are list", lambda: ops.take_rows(x, [0, 1])),
        (TypeError, "indices are float64", lambda: ops.take_rows(x, np.zeros(2))),
        (IndexError, "index 5", lambda: ops.one_hot(np.array([5]), 5)),
        (TypeError, "float", lambda: ops.one_hot([0.5], 5)),
        (IndexError, "index 3", lambda: ops.add_rows(x, np.array([0, 3]), 3)),
        (ValueError, "dropout: p is 1.5", lambda: ops.dropout(x, 1.5)),
        (ValueError, "einsum: ", lambda: ops.einsum("ij", x, x)),
        (ValueError, "einsum: ", lambda: ops.einsum("ijk->k", x)),
        (ValueError, "dots", lambda: ops.einsum("...i->i", x)),
        (TypeError, "targets are list", lambda: ops.cross_entropy(x, [0, 1])),
        (ValueError, r"targets are \(3,\)", lambda: ops.cross_entropy(x, np.array([0, 1, 2]))),
        (IndexError, "index 3", lambda: ops.cross_entropy(x, np.array([0, 3]))),
        (ValueError, "reduction", lambda: ops.mse_loss(x, x, reduction="avg")),
        (ValueError, "targets are", lambda: ops.mse_loss(x, x[0])),
        (ValueError, "layer_norm", lambda: ops.layer_norm(x, (2,))),
        (ValueError, "weight is", lambda: ops.nll_loss(x, np.array([0, 1]), np.ones(3))),
        (ValueError, "label_smoothing", lambda: ops.cross_entropy(x, x, label_smoothing=2.0)),
        (ValueError, "lengths are", lambda: ops.scan(lambda h, x: (h, x), x, x[0], lengths=[1])),
        (ValueError, "steps", lambda: ops.scan(lambda h, x: (h, x), x[:0], x[0])),
    ):
        with pytest.raises(kind, match=text):
            call()
