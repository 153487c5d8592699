"""Layers, cells and lookups equal PyTorch's stored results, forwards and in every gradient."""

import numpy as np
import pytest
from golden.cases import CELLS, RECURRENT
from golden.loss_cases import FUNCTIONS, result_weight
from golden.store import DTYPES, read
from nn_layers import constant, host, leaf

from tinygrad_seq import nn

TOLERANCE = {"float64": 1e-11, "float32": 1e-5}
EMBEDDINGS = [
    case
    for case in FUNCTIONS
    if case.function == "embedding" and "scale_grad_by_freq" not in case.options
]
LAYER_NORMS = [case for case in FUNCTIONS if case.function == "layer_norm"]


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def assert_golden(results, wanted, dtype):
    assert results.keys() == wanted.keys()
    for key, tensor in results.items():
        array, tolerance = host(tensor), TOLERANCE[dtype]
        assert array.dtype == dtype, key
        assert array.shape == wanted[key].shape, key
        np.testing.assert_allclose(array, wanted[key], tolerance, tolerance, err_msg=key)


def weighted_loss(results, weights):
    loss = 0.0
    for name, weight in weights.items():
        loss = loss + (results[name] * constant(weight)).sum()
    return loss


def gradients(module, inputs):
    found = {f"{name}.grad": tensor.grad for name, tensor in inputs.items()}
    return found | {f"{name}.grad": p.grad for name, p in module.named_parameters()}


def hx_of(inputs):
    states = tuple(inputs[key] for key in ("h_0", "c_0") if key in inputs)
    return states if len(states) == 2 else (states or (None,))[0]


def test_all_configurations_are_here():
    assert len(RECURRENT) >= 60
    assert len(EMBEDDINGS) == 4
    assert len(LAYER_NORMS) == 4


@pytest.mark.parametrize("dtype", DTYPES)
@named(RECURRENT)
def test_layer_equals_pytorch(case, dtype, backend_name):
    layer = getattr(nn, case.class_name)(**case.constructor(), dtype=dtype)
    layer.load_state_dict(case.parameters(dtype))
    inputs = {name: leaf(array) for name, array in case.inputs(dtype).items()}
    output, final = layer(inputs["input"], hx_of(inputs), lengths=case.lengths)
    results = {"output": output}
    if isinstance(final, tuple):
        results["h_n"], results["c_n"] = final
    else:
        results["h_n"] = final
    loss = weighted_loss(results, case.loss_weights(dtype))
    loss.backward()
    found = {**results, "loss": loss, **gradients(layer, inputs)}
    assert {tensor.backend for tensor in found.values()} == {backend_name}
    assert_golden(found, read(case.file, case.name, dtype), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@named(CELLS)
def test_cell_equals_pytorch(case, dtype, backend_name):
    cell = getattr(nn, case.class_name)(**case.constructor(), dtype=dtype)
    cell.load_state_dict(case.parameters(dtype))
    inputs = {name: leaf(array) for name, array in case.inputs(dtype).items()}
    given = tuple(inputs[key] for key in ("h_0", "c_0") if key in inputs)
    state, y = cell(given or cell.initial_state(inputs["input"]), inputs["input"])
    assert y is state[0]
    results = dict(zip(("h_n", "c_n"), state, strict=False))
    loss = weighted_loss(results, case.loss_weights(dtype))
    loss.backward()
    wanted = read(case.file, case.name, dtype)
    assert_golden({**results, "loss": loss, **gradients(cell, inputs)}, wanted, dtype)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@named(EMBEDDINGS)
def test_embedding_equals_pytorch(case, dtype, sparse, backend_name):
    arrays = case.arrays(dtype)
    table = constant(arrays["weight"])
    layer = nn.Embedding.from_pretrained(table, freeze=False, sparse=sparse, **case.options)
    value = layer(constant(arrays["input"]))
    (value * constant(result_weight(value.shape, dtype))).sum().backward()
    found = {"value": value, "weight.grad": layer.weight.grad}
    if "max_norm" in case.options:
        found["weight.after"] = layer.weight
        np.testing.assert_array_equal(host(table), arrays["weight"])  # it has a copy
    assert_golden(found, read(case.file, case.name, dtype), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@named(LAYER_NORMS)
def test_layer_norm_equals_pytorch(case, dtype, backend_name):
    arrays = case.arrays(dtype)
    affine = {name: arrays[name] for name in ("weight", "bias") if name in arrays}
    layer = nn.LayerNorm(**case.options, elementwise_affine=bool(affine), dtype=dtype)
    layer.load_state_dict(affine)
    x = leaf(arrays["input"])
    value = layer(x)
    (value * constant(result_weight(value.shape, dtype))).sum().backward()
    found = {"value": value, **gradients(layer, {"input": x})}
    assert_golden(found, read(case.file, case.name, dtype), dtype)
