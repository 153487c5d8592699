"""Shapes drawn by Hypothesis: broadcasting, matmul, reshape, split, concat, indices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.testing import check_grads

FEW = settings(max_examples=40)


def leaf(shape, seed=0):
    drawn = np.random.default_rng(seed).uniform(0.5, 2.0, shape)
    return tg.Tensor(np.asarray(drawn), requires_grad=True)


@FEW
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0))
def test_broadcasting(shapes):
    x, y = (leaf(shape, i) for i, shape in enumerate(shapes.input_shapes))
    for op, f in ((ops.add, np.add), (ops.mul, np.multiply), (ops.div, np.divide)):
        np.testing.assert_array_equal(op(x, y).detach(), f(x.data, y.data))
    check_grads(lambda x, y: x * y + x / y, [x, y])


@FEW
@given(
    hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_side=3, min_side=0)
)
def test_matmul(shapes):
    x, y = (leaf(shape, i) for i, shape in enumerate(shapes.input_shapes))
    np.testing.assert_allclose((x @ y).detach(), np.matmul(x.data, y.data), rtol=1e-12)
    check_grads(ops.matmul, [x, y])


@FEW
@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4), st.data())
def test_concat_of_split_is_identity(shape, data):
    x = leaf(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    n = shape[axis]
    cuts = data.draw(
        st.one_of(
            st.lists(st.integers(0, n), max_size=3).map(sorted),
            st.integers(1, max(n, 1)).filter(lambda k: n % k == 0),
        )
    )
    parts = ops.split(x, cuts, axis=axis)
    for part, wanted in zip(parts, np.split(x.data, cuts, axis=axis), strict=True):
        np.testing.assert_array_equal(part.detach(), wanted)
    np.testing.assert_array_equal(ops.concat(parts, axis).detach(), x.detach())
    check_grads(lambda x: ops.concat([p * p for p in ops.split(x, cuts, axis=axis)], axis), [x])


@FEW
@given(
    st.permutations([2, 3, 4]),
    st.permutations([0, 1, 2]),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_transpose_with_axes_of_either_sign(lengths, axes, negative):
    x = leaf(lengths)
    signed = [a - 3 if minus else a for a, minus in zip(axes, negative, strict=True)]
    np.testing.assert_array_equal(ops.transpose(x, signed).detach(), x.data.transpose(axes))
    check_grads(lambda x: ops.transpose(x * x, signed), [x])


@FEW
@given(hnp.array_shapes(min_dims=0, max_dims=3, max_side=4), st.data())
def test_reshape_round_trip(shape, data):
    x = leaf(shape)
    divisor = data.draw(st.sampled_from([d for d in range(1, x.size + 1) if x.size % d == 0]))
    y = ops.reshape(x, (divisor, -1))
    np.testing.assert_array_equal(y.detach(), x.data.reshape(divisor, -1))
    (g,) = tg.grad(ops.reshape(y, shape), [x], x.data)
    np.testing.assert_array_equal(g, x.detach())


@FEW
@given(
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=4).flatmap(
        lambda s: st.tuples(st.just(s), hnp.basic_indices(s, allow_newaxis=True))
    )
)
def test_basic_indices(shape_and_index):
    shape, index = shape_and_index
    x = leaf(shape)
    np.testing.assert_array_equal(x[index].detach(), x.data[index])
    check_grads(lambda x: (x * x)[index], [x])


@FEW
@given(
    hnp.array_shapes(min_dims=1, max_dims=2, max_side=4).flatmap(
        lambda s: st.tuples(st.just(s), hnp.integer_array_indices(s))
    )
)
def test_integer_array_indices(shape_and_index):
    shape, index = shape_and_index
    x = leaf(shape)
    np.testing.assert_array_equal(x[index].detach(), x.data[index])
    check_grads(lambda x: (x * x)[index], [x])


@FEW
@given(
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=3).flatmap(
        lambda s: st.tuples(st.just(s), st.none() | hnp.valid_tuple_axes(len(s)), st.booleans())
    )
)
def test_reductions(form):
    shape, axis, keepdims = form
    x = leaf(shape)
    for op, f in ((ops.sum, np.sum), (ops.mean, np.mean), (ops.max, np.max), (ops.var, np.var)):
        wanted = f(x.data, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(op(x, axis=axis, keepdims=keepdims).detach(), wanted, rtol=1e-12)
    check_grads(lambda x: ops.logsumexp(x, axis, keepdims) * ops.var(x, axis, 0, keepdims), [x])


def test_the_method_reshape_is_the_op():
    x = leaf((2, 6))
    for y in (x.reshape(3, 4), x.reshape((3, 4)), x.reshape(-1, 4), ops.reshape(x, (3, 4))):
        assert y.shape == (3, 4)
        assert y.place[0].op.name == "reshape"
        (first,) = tg.grad((y**3).sum(), [x], create_graph=True)
        np.testing.assert_allclose(first.detach(), 3 * x.data**2, rtol=1e-12)
        (second,) = tg.grad(first.sum(), [x])
        np.testing.assert_allclose(second.detach(), 6 * x.data, rtol=1e-12)
    with tg.no_grad():
        assert not x.reshape(12).requires_grad
    assert not x.detach().reshape(12).requires_grad
    with pytest.raises(ValueError, match=r"reshape: .*x float64\(2, 6\)"):
        x.reshape(5, 2)
