"""Cases of indexing, of rows taken and added, and of one_hot."""

import numpy as np

from ops.cases.table import booleans, case, indices, real
from tinygrad_seq import ops

BASIC = (
    ((4, 5), 1),
    ((4, 5), -1),
    ((4, 5), (2, -3)),
    ((4, 5), slice(1, 3)),
    ((4, 5), (slice(None), slice(None, None, 2))),
    ((4, 5), (slice(None, None, -1), 0)),
    ((4, 5), (..., 2)),
    ((4, 5), (None, 1, ..., None)),
    ((4, 5), ...),
    ((4, 5), ()),
    ((4, 5), slice(3, 3)),
    ((), ()),
    ((), ...),
    ((), None),
    ((1,), 0),
    ((0, 3), (slice(None), 1)),
)
LISTED = (
    ((4, 5), [0, 2, 2]),
    ((4, 5), [True, False, True, True]),
    ((4, 5), []),
    ((4, 5), [[0, 1], [3, 3]]),
    ((3,), [-1, 0, -1]),
)


def _read_one_by_one(x, *where):
    """Return x at arrays of indices, by loops over plain indices."""
    grid = np.broadcast_arrays(*where)
    out = np.array([x[tuple(int(i) for i in at)] for at in zip(*map(np.ravel, grid), strict=True)])
    return out.reshape(grid[0].shape + x.shape[len(where) :])


def _indexing():
    for shape, index in BASIC + LISTED:
        yield case(
            "getitem", [real(*shape)], lambda x, i=index: x[i], lambda x, i=index: x[i], index
        )
    yield case(
        "getitem", [real(3, 4), indices(3, 5)], _read_one_by_one, lambda x, i: x[i], "repeated"
    )
    yield case(
        "getitem",
        [real(3, 4), indices(3, 2, 1), indices(4, 3)],
        _read_one_by_one,
        lambda x, i, j: x[i, j],
        "two arrays",
    )
    yield case(
        "getitem",
        [real(3, 4, 2), indices(4, 6)],
        lambda x, i: np.stack([x[1:, int(n)] for n in i], 1),
        lambda x, i: x[1:, i],
        "slice and array",
    )
    yield case(
        "getitem",
        [real(2, 3, 4), indices(2, 5)],
        lambda x, i: np.stack([x[int(n), :, 1] for n in i]),
        lambda x, i: x[i, :, 1],
        "array, slice, number",
    )
    yield case(
        "getitem",
        [real(3, 4), booleans(3, 4)],
        lambda x, m: np.array([a for a, b in zip(x.flat, m.flat, strict=True) if b]),
        lambda x, m: x[m],
        "mask",
    )
    yield case(
        "getitem",
        [real(3, 4), booleans(3)],
        lambda x, m: x[np.flatnonzero(m)],
        lambda x, m: x[m],
        "row mask",
    )
    yield case("getitem", [real(3), indices(3)], lambda x, i: x[int(i)], lambda x, i: x[i], "0-d")


def _picked(x, columns):
    return np.array([row[c] for row, c in zip(x, columns, strict=True)])


def _rows():
    for op in ("take_rows",):
        for table, where in (
            ((4, 3), (5,)),
            ((4, 3), (2, 3)),
            ((4,), (3,)),
            ((4, 2, 2), (3,)),
            ((4, 3), ()),
            ((4, 3), (0,)),
            ((1, 1), (1,)),
        ):
            yield case(op, [real(*table), indices(table[0], *where)], _read_one_by_one)
    yield case(
        "take_rows",
        [real(4, 3), indices(4, 5)],
        _read_one_by_one,
        lambda t, i: ops.take_rows(t, i, sparse=True),
        "sparse",
    )
    for op in ("add_rows",):
        for row, where, count in (
            ((3,), (5,), 4),
            ((2, 2), (2, 3), 3),
            ((), (4,), 2),
            ((3,), (), 2),
            ((3,), (0,), 2),
            ((1,), (1,), 1),
        ):
            yield case(
                op,
                [real(*where, *row), indices(count, *where)],
                lambda v, i, n=count: np.tensordot(
                    np.eye(n)[i].reshape(-1, n), v.reshape(i.size, *v.shape[i.ndim :]), (0, 0)
                ),
                lambda v, i, op=op, n=count: getattr(ops, op)(v, i, n),
                count,
            )
    for shape, g_shape, index in (
        ((4, 5), (5,), 1),
        ((4, 5), (2, 5), slice(1, 3)),
        ((3,), (2,), slice(None, None, 2)),
        ((), (), ()),
    ):

        def placed(g, s=shape, i=index):
            out = np.zeros(s)
            out[i] = g
            return out

        yield case(
            "place", [real(*g_shape)], placed, lambda g, s=shape, i=index: ops.place(g, s, i), index
        )
    yield case(
        "place",
        [real(4, 2), indices(3, 4)],
        lambda g, i: np.eye(3)[i].T @ g,
        lambda g, i: ops.place(g, (3, 2), i.array),
        "repeated",
    )
    for rows, width in ((5, 4), (1, 1), (0, 3)):
        yield case("pick", [real(rows, width), indices(width, rows)], _picked)
        yield case(
            "place_picked",
            [real(rows), indices(width, rows)],
            lambda g, i, n=width: np.eye(n)[i] * g[:, None],
            lambda g, i, n=width: ops.place_picked(g, i, n),
        )
    for shape in ((3,), (2, 3), (), (0,)):
        yield case(
            "one_hot",
            [indices(4, *shape)],
            lambda i: (i[..., None] == np.arange(4)) * 1.0,
            lambda i: ops.one_hot(i, 4, np.float64),
        )


CASES = [*_indexing(), *_rows()]
