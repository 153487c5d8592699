"""check_grads finds what is wrong, says where, and passes what is right."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.engine.primitive import Primitive, registry
from tinygrad_seq.engine.record import record
from tinygrad_seq.testing import check_grads


def leaf(*shape):
    drawn = np.random.default_rng(0).uniform(0.5, 1.5, shape)
    return tg.Tensor(np.asarray(drawn), requires_grad=True)


def op(forward, **rules):
    """Return an op that is in no registry."""
    made = Primitive(forward, rules)
    return lambda *args: record(made, args, {})


def test_a_wrong_rule_is_found_with_its_argument_and_order():
    wrong = op(lambda x, y: x * y, x=lambda g, y: g * y, y=lambda g, x: g * x * 1.01)
    with pytest.raises(AssertionError, match=r"order 1, argument 1: .* -?\d.*give -?\d"):
        check_grads(wrong, [leaf(3), leaf(3)])


def test_a_rule_whose_own_derivative_is_wrong_is_found_at_order_2():
    def detached(g, x):
        return g * 3 * (x * x).detach() if isinstance(x, tg.Tensor) else g * 3 * x * x

    wrong = op(lambda x: x**3, x=detached)
    check_grads(wrong, [leaf(3)], order=1)
    with pytest.raises(AssertionError, match="order 2, argument 0"):
        check_grads(wrong, [leaf(3)])


def test_a_detached_dependence_is_found():
    with pytest.raises(AssertionError, match="order 1, argument 0"):
        check_grads(lambda x: x * x.detach(), [leaf(2)])


def test_constants_tuples_and_unused_inputs_are_allowed():
    x, unused, constant = leaf(2, 3), leaf(2), tg.tensor(np.arange(3.0))
    check_grads(
        lambda x, u, c, n: (x * c, ops.exp(x[0]) * n, ops.argmax(x)), [x, unused, constant, 2]
    )
    check_grads(lambda x, y: (x + y, x.sum()), [leaf(), leaf(0, 3)], order=3)


def test_it_works_on_every_backend(backend_name):
    x = tg.tensor(np.ones((2, 2))).to_backend(backend_name).requires_grad_()
    check_grads(lambda x: ops.tanh(x @ x).sum(0), [x])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_float64_only(dtype):
    x = leaf(3).detach().astype(dtype).requires_grad_()
    with pytest.raises(TypeError, match=f"argument 0 is {dtype}"):
        check_grads(ops.exp, [x])
    with pytest.raises(TypeError, match=f"result 0 is {dtype}"):
        check_grads(lambda x: x.astype(dtype), [leaf(3)])


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="no argument requires"):
        check_grads(ops.exp, [leaf(3).detach()])
    with pytest.raises(ValueError, match="order is 0"):
        check_grads(ops.exp, [leaf(3)], order=0)


def test_a_rule_that_asks_for_what_the_op_lacks_is_refused():
    with pytest.raises(ValueError, match="which it does not take"):
        Primitive(lambda x: x, {"y": lambda g: g})
    lacking = op(lambda x: x * 1, x=lambda g, slope: g * slope)
    with pytest.raises(ValueError, match="asks for 'slope'"):
        lacking(leaf(2))
    assert "<lambda>" not in registry
