"""Cases of products: matmul, linear, einsum, outer."""

import numpy as np

from ops.cases.table import case, real
from tinygrad_seq import ops

MATMUL = (
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (2, 3, 4)),
    ((2, 4, 3), (3,)),
    ((2, 4, 3), (3, 5)),
    ((4, 3), (2, 3, 5)),
    ((2, 4, 3), (2, 3, 5)),
    ((2, 1, 4, 3), (5, 3, 2)),
    ((1, 4, 3), (2, 3, 2)),
    ((2, 1, 4, 3), (3, 2)),
    ((1, 1), (1, 1)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((2, 3, 0), (0, 4)),
    ((2, 3), (3, 0)),
    ((2, 2, 3), (3, 0)),
    ((0,), (0,)),
    ((0, 2, 3), (3, 2)),
)
PATHS = {
    (True, True): "j,j->",
    (True, False): "j,...jk->...k",
    (False, True): "...ij,j->...i",
    (False, False): "...ij,...jk->...ik",
}

EINSUM = (
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ji,jk", (3, 2), (3, 4)),
    ("ba", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iii->i", (2, 2, 2)),
    ("iij->j", (3, 3, 2)),
    ("ij->", (2, 3)),
    ("ij->i", (2, 3)),
    ("ij,ij,ij->j", (2, 3), (2, 3), (2, 3)),
    ("i,j->ij", (2,), (3,)),
    ("ii,i->i", (3, 3), (3,)),
    ("...ij,...jk", (2, 3, 4), (2, 4, 2)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (2, 3, 2)),
    ("...ij,jk->...ik", (2, 2, 3), (3, 4)),
    ("i...->...i", (2, 3, 4)),
    ("...ii->...i", (2, 3, 3)),
    ("...,...", (2, 3), (3,)),
    ("bthd,bshd->bhts", (2, 3, 2, 2), (2, 4, 2, 2)),
    (" i j , j k -> i k ", (2, 3), (3, 4)),
    (",i->i", (), (3,)),
    (",->", (), ()),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("ij,jk->ik", (0, 2), (2, 3)),
    ("ij->ji", (1, 1)),
    ("Za,aZ->Za", (2, 3), (3, 2)),
    ("a,b,c->abc", (1,), (2,), (3,)),
    ("a,a->a", (1,), (3,)),
)


def _einsum_cases():
    for subscripts, *shapes in EINSUM:
        yield case(
            "einsum",
            [real(*shape) for shape in shapes],
            lambda *xs, s=subscripts: np.array(np.einsum(s, *xs)),
            lambda *xs, s=subscripts: ops.einsum(s, *xs),
            subscripts,
        )


def _linear_cases():
    for x, w in (
        ((2, 3), (4, 3)),
        ((3,), (4, 3)),
        ((2, 5, 3), (4, 3)),
        ((0, 3), (4, 3)),
        ((1, 1), (1, 1)),
        ((2, 3, 0), (4, 0)),
    ):
        inputs = [real(*x), real(*w)]
        yield case("linear", inputs, lambda x, w: np.einsum("...d,hd->...h", x, w))
        yield case(
            "linear",
            [*inputs, real(w[0])],
            lambda x, w, b: np.einsum("...d,hd->...h", x, w) + b,
        )


def _matmul_cases():
    for x, y in MATMUL:
        path = PATHS[len(x) == 1, len(y) == 1]
        yield case("matmul", [real(*x), real(*y)], lambda x, y, p=path: np.einsum(p, x, y))


def _outer_cases():
    for x, y in (((2,), (3,)), ((1,), (1,)), ((0,), (2,)), ((2, 2), (3,))):
        inputs = [real(*x), real(*y)]
        yield case("outer", inputs, lambda x, y: np.multiply.outer(x.ravel(), y.ravel()))


CASES = [*_matmul_cases(), *_einsum_cases(), *_linear_cases(), *_outer_cases()]
