"""Graphs put together at random have the derivatives that differences give, at two orders."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.testing import check_grads

ONE = (
    ops.tanh,
    lambda x: x * x * 0.5,
    lambda x: x.T,
    lambda x: ops.exp(x * 0.3),
    lambda x: ops.softmax(x, 0),
    lambda x: x[::-1],
    lambda x: x[np.array([0, 0, 2])],
    lambda x: ops.concat(ops.split(x, 3, axis=1)[::-1], 1),
    lambda x: ops.stack(ops.unbind(x, 1)),
    lambda x: ops.split(x, [1, 1])[2].sum(0) + x * 0.5,
    lambda x: ops.unbind(x)[1][0] * x,
    lambda x: ops.cumsum(x, 1),
    lambda x: ops.take_rows(x, np.array([2, 1, 2]), sparse=True),
    lambda x: ops.layer_norm(x, (3,)),
    lambda x: ops.linear(x, x, x[0]) * 0.3,
    lambda x: tg.checkpoint(lambda y: ops.tanh(y) * y, x),
)
TWO = (
    lambda x, y: x * y,
    lambda x, y: x - y,
    lambda x, y: x @ y * 0.3,
    lambda x, y: ops.where(x > y, x, y * 0.5),
    lambda x, y: ops.einsum("ij,kj->ik", x, y) * 0.3,
    lambda x, y: tg.checkpoint(lambda a, b: (a * b, a + b), x, y)[1],
)


@pytest.mark.parametrize("seed", range(60))
def test_derivatives_of_a_random_graph(seed):
    rng = np.random.default_rng(seed)
    plan = rng.integers(0, 1000, (6, 4))

    def graph(x, y):
        values = [x, y]
        for kind, op, i, j in plan:
            first, second = values[i % len(values)], values[j % len(values)]
            if kind % 2:
                values.append(ONE[op % len(ONE)](first))
            else:
                values.append(TWO[op % len(TWO)](first, second))
        return values[-1] + values[-2] * 0.5, values[-3]

    leaves = [tg.tensor(rng.standard_normal((3, 3)), requires_grad=True) for _ in range(2)]
    check_grads(graph, leaves, rtol=1e-4, atol=1e-5)
