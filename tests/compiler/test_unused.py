"""Gradients of what the loss does not depend on: none, as in the loop and op by op."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_what_does_not_reach_the_loss_has_no_gradient(steps, create_graph):
    """As in the loop: by the step, by what the loss is made of, and by how many steps there are."""
    rng = np.random.default_rng(0)
    x, w, *hs = [
        tg.Tensor(rng.standard_normal(s), requires_grad=True)
        for s in ((steps, 2, 3), (3, 3), *[(2, 3)] * 4)
    ]

    def step(state, x):
        a, delayed, count, fresh = state
        a = ops.tanh(a + x)
        return (a, count, fresh, x * 2.0), (delayed * 3.0, count @ w)

    def gradients(choose):
        final, outputs = tg.scan(step, x, tuple(hs))
        loss = sum((t * t).sum() for t in choose(final, outputs))
        return tg.grad(loss, [x, w, *hs], allow_unused=True, create_graph=create_graph)

    choices = [
        lambda final, outputs: final[:1],
        lambda final, outputs: final[1:3],
        lambda final, outputs: outputs[:1],
        lambda final, outputs: outputs[1:],
        lambda final, outputs: (*final, *outputs),
    ]
    for choose in choices:
        found = gradients(choose)
        with tg.unrolled():
            wanted = gradients(choose)
        assert [g is None for g in found] == [g is None for g in wanted]
        for a, b in zip(found, wanted, strict=True):
            if a is not None:
                np.testing.assert_allclose(a.array, b.array, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("used", [(0,), (1,), (0, 1)])
def test_what_no_used_output_depends_on_has_no_gradient(used):
    @tg.fuse
    def function(x, y, w):
        return x * w, ops.tanh(y) + 1.0

    rng = np.random.default_rng(0)
    leaves = [tg.Tensor(rng.standard_normal(s), requires_grad=True) for s in [(200, 100)] * 2]
    leaves.append(tg.Tensor(rng.standard_normal(100), requires_grad=True))
    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            outs = function(*leaves)
            loss = sum((outs[i] ** 2).sum() for i in used)
            found.append(tg.grad(loss, leaves, allow_unused=True))
    for a, b in zip(*found, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.array, b.array, rtol=1e-10)
