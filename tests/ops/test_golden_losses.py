"""Losses, activations, softmaxes, layer_norm and cosine_similarity equal PyTorch's values."""

import numpy as np
import pytest
from golden.loss_cases import FUNCTIONS, result_weight
from golden.store import DTYPES, read

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.testing import check_grads

CASES = [case for case in FUNCTIONS if case.function != "embedding"]  # nn's
TOLERANCE = {"float64": 1e-11, "float32": 1e-5}
RENAMED = {"dim": "axis", "keepdim": "keepdims"}
ORDER = ("input", "x1", "x2", "input1", "input2", "anchor", "positive", "negative", "target")

CLAMPED = "cosine_similarity-eps"
"""Below eps PyTorch's gradient is not the derivative of its value; ours is, where they differ."""


def doubles(case):
    return [tg.Tensor(array, requires_grad=True) for array in case.arrays().values()]


def call(case, tensors):
    """Return the value of a case, whose names are PyTorch's."""
    options = {RENAMED.get(key, key): value for key, value in case.options.items()}
    name = case.function.replace("triplet_margin_loss", "triplet_loss")
    if name == "gelu" and options.pop("approximate") == "tanh":
        name = "gelu_tanh"
    rest = dict(tensors)
    first = [rest.pop(key) for key in ORDER if key in rest]
    if name == "ctc_loss":
        first[0] = ops.log_softmax(first[0])
    if name == "layer_norm":
        return ops.layer_norm(*first, **options, **rest)
    return getattr(ops, name)(*first, **rest, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_and_gradients(case, dtype):
    wanted = read(case.file, case.name, dtype)
    tensors = {
        key: tg.Tensor(array, requires_grad=key in case.differentiable)
        for key, array in case.arrays(dtype).items()
    }
    value = call(case, tensors)
    near = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    assert value.dtype == dtype
    np.testing.assert_allclose(value.detach(), wanted["value"], **near)
    if case.name == CLAMPED:
        check_grads(lambda *xs: call(case, dict(zip(tensors, xs, strict=True))), doubles(case))
        return
    value.backward(result_weight(value.shape, dtype))
    for key in case.differentiable:
        assert tensors[key].grad.dtype == dtype
        np.testing.assert_allclose(tensors[key].grad, wanted[f"{key}.grad"], **near)
