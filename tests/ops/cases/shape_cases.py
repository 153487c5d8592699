"""Cases of shapes, joins and cuts."""

from itertools import pairwise

import numpy as np

from ops.cases.table import case, real
from tinygrad_seq import ops


def _shapes():
    for shape, to in (
        ((3, 4), (2, 6)),
        ((2, 3, 4), (-1, 4)),
        ((4,), (2, 1, 2)),
        ((), (1, 1)),
        ((1,), ()),
        ((0, 3), (3, 0)),
        ((2, 3), -1),
    ):
        yield case(
            "reshape",
            [real(*shape)],
            lambda x, s=to: np.ravel(x).reshape(s),
            lambda x, s=to: ops.reshape(x, s),
            to,
        )
    for shape, axes, path in (
        ((3, 4), None, "ij->ji"),
        ((2, 3, 4), (1, 2, 0), "ijk->jki"),
        ((2, 3, 4), (-1, 0, 1), "ijk->kij"),
        ((2, 3, 4), (-2, -3, -1), "ijk->jik"),
        ((2, 3, 4), None, "ijk->kji"),
        ((3,), None, "i->i"),
        ((3,), (0,), "i->i"),
        ((), None, "->"),
        ((0, 2), (1, 0), "ij->ji"),
        ((3, 3, 3), (-1, 0, 1), "ijk->kij"),
    ):
        yield case(
            "transpose",
            [real(*shape)],
            lambda x, p=path: np.einsum(p, x).copy(),
            lambda x, a=axes: ops.transpose(x, a),
            axes,
        )
    for shape, a, b, path in (
        ((2, 3, 4), 0, -1, "ijk->kji"),
        ((2, 3, 4), -2, 0, "ijk->jik"),
        ((2, 3), 1, 1, "ij->ij"),
        ((0, 1), 0, 1, "ij->ji"),
    ):
        yield case(
            "swapaxes",
            [real(*shape)],
            lambda x, p=path: np.einsum(p, x).copy(),
            lambda x, a=a, b=b: ops.swapaxes(x, a, b),
            (a, b),
        )
    for shape, axis, index in (
        ((3,), 0, None),
        ((3, 4), -1, (..., None)),
        ((3, 4), (0, 2), (None, slice(None), None)),
        ((), 0, None),
        ((0,), 1, (..., None)),
    ):
        yield case(
            "expand_dims",
            [real(*shape)],
            lambda x, i=index: x[i],
            lambda x, a=axis: ops.expand_dims(x, a),
            axis,
        )
    for shape, axis, to in (
        ((1, 3, 1), None, (3,)),
        ((1, 3, 1), 0, (3, 1)),
        ((1, 3, 1), -1, (1, 3)),
        ((1, 3, 1), (0, -1), (3,)),
        ((), None, ()),
        ((1, 0), 0, (0,)),
    ):
        yield case(
            "squeeze",
            [real(*shape)],
            lambda x, s=to: x.reshape(s),
            lambda x, a=axis: ops.squeeze(x, a),
            axis,
        )
    for shape, to in (
        ((3,), (2, 3)),
        ((3, 1), (2, 3, 4)),
        ((), (2, 2)),
        ((1,), (0,)),
        ((2, 3), (2, 3)),
    ):
        yield case(
            "broadcast_to",
            [real(*shape)],
            lambda x, s=to: x + np.zeros(s),
            lambda x, s=to: ops.broadcast_to(x, s),
            to,
        )
    for shape, axis, index in (
        ((3, 4), None, (slice(None, None, -1),) * 2),
        ((3, 4), 0, slice(None, None, -1)),
        ((2, 3, 4), (-1, 0), (slice(None, None, -1), slice(None), slice(None, None, -1))),
        ((1,), 0, ...),
        ((0, 2), -1, ...),
    ):
        yield case(
            "flip", [real(*shape)], lambda x, i=index: x[i], lambda x, a=axis: ops.flip(x, a), axis
        )


def _joins():
    for shapes, axis in (
        (((2, 3), (4, 3)), 0),
        (((2, 3), (2, 1), (2, 2)), -1),
        (((3,),), 0),
        (((0, 2), (1, 2)), 0),
        (((2, 0), (2, 0)), 1),
    ):
        inputs = [real(*s) for s in shapes]
        yield case(
            "concat",
            inputs,
            lambda *xs, a=axis: np.concatenate(xs, a),
            lambda *xs, a=axis: ops.concat(xs, a),
            axis,
        )
    for count, shape, axis in (
        (3, (2, 3), 0),
        (2, (2, 3), -1),
        (2, (3,), 1),
        (1, (), 0),
        (2, (0, 2), 1),
    ):
        inputs = [real(*shape)] * count
        yield case(
            "stack",
            inputs,
            lambda *xs, a=axis: np.moveaxis(np.array(xs), 0, a),
            lambda *xs, a=axis: ops.stack(xs, a),
            axis,
        )
    yield case("stack", [real(3, 2)], lambda x: x, lambda x: ops.stack(list(x)), "of slices")
    for shape, parts, axis, bounds in (
        ((4, 3), 2, 0, (0, 2, 4)),
        ((2, 6), 3, -1, (0, 2, 4, 6)),
        ((5,), [1, 3], 0, (0, 1, 3, 5)),
        ((2, 5), (2, 2), 1, (0, 2, 2, 5)),
        ((0, 3), 4, 0, (0,) * 5),
        ((3,), 1, 0, (0, 3)),
        ((5,), [-2], 0, (0, 3, 5)),
        ((3,), [2, 9], 0, (0, 2, 3, 3)),
    ):
        yield case(
            "split",
            [real(*shape)],
            lambda x, b=bounds, a=axis: tuple(np.take(x, range(i, j), a) for i, j in pairwise(b)),
            lambda x, p=parts, a=axis: ops.split(x, p, axis=a),
            (parts, axis),
        )
    for shape, axis in (
        ((3, 4), 0),
        ((3, 4), -1),
        ((2, 3, 4), 1),
        ((3,), 0),
        ((1, 2), 0),
        ((2, 0), 0),
    ):
        yield case(
            "unbind",
            [real(*shape)],
            lambda x, a=axis: tuple(np.take(x, i, a) for i in range(x.shape[a])),
            lambda x, a=axis: ops.unbind(x, a),
            axis,
        )


def _padded(x, widths, value=0.0):
    out = np.full([n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)], value)
    out[tuple(slice(a, a + n) for n, (a, _) in zip(x.shape, widths, strict=True))] = x
    return out


def _borders():
    for shape, given, widths in (
        ((2, 3), 1, ((1, 1),) * 2),
        ((2, 3), (0, 2), ((0, 2),) * 2),
        ((2, 3), ((1, 0), (2, 3)), ((1, 0), (2, 3))),
        ((3,), ((0, 0),), ((0, 0),)),
        ((0,), 2, ((2, 2),)),
    ):
        yield case(
            "pad",
            [real(*shape)],
            lambda x, w=widths: _padded(x, w),
            lambda x, w=given: ops.pad(x, w),
            given,
        )
    yield case(
        "pad",
        [real(2)],
        lambda x: _padded(x, ((1, 2),), 5.0),
        lambda x: ops.pad(x, (1, 2), constant_values=5.0),
        "constant",
    )
    for shape, reps in (
        ((3,), 2),
        ((2, 3), 3),
        ((2, 3), (2, 1)),
        ((3,), (2, 3)),
        ((2, 2), (2, 1, 3)),
        ((2, 1, 3), (2, 2)),
        ((), 3),
        ((0,), 2),
        ((3,), 0),
    ):
        yield case(
            "tile",
            [real(*shape)],
            lambda x, r=reps: np.kron(np.ones(r), x) if x.size else np.zeros(x.shape),
            lambda x, r=reps: ops.tile(x, r),
            reps,
        )


CASES = [*_shapes(), *_joins(), *_borders()]
