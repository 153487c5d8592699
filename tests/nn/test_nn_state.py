"""state_dict, load_state_dict, to, and copies of modules."""

import copy

import numpy as np
import pytest
from nn_layers import host, random

import tinygrad_seq as tg
from tinygrad_seq import nn


class Model(nn.Module):
    """An embedding and a linear layer with its weights."""

    def __init__(self, dtype=np.float32):
        self.embedding = nn.Embedding(4, 3, dtype=dtype, generator=tg.Generator(1))
        self.rnn = nn.GRU(3, 3, dtype=dtype, generator=tg.Generator(2))
        self.decoder = nn.Linear(3, 4, dtype=dtype, generator=tg.Generator(3))
        self.decoder.weight = self.embedding.weight

    def forward(self, indices):
        return self.decoder(self.rnn(self.embedding(indices))[0])


def test_state_dict_is_a_copy():
    layer = nn.Linear(2, 2)
    state = layer.state_dict()
    before = {name: array.copy() for name, array in state.items()}
    nn.init.ones_(layer.weight)
    np.testing.assert_array_equal(state["weight"], before["weight"])
    state["bias"][:] = 9
    np.testing.assert_array_equal(host(layer.bias), before["bias"])


def test_what_is_loaded_is_copied():
    layer, weight = nn.Linear(2, 1, bias=False), np.ones((1, 2), np.float32)
    layer.load_state_dict({"weight": weight})
    weight[:] = 5
    np.testing.assert_array_equal(host(layer.weight), [[1, 1]])


def test_loading_keeps_the_parameters_and_their_places(backend_name):
    layer, other = Model(), Model()
    for parameter in other.parameters():
        nn.init.normal_(parameter, generator=tg.Generator(4))
    before = list(layer.parameters())
    layer.load_state_dict(other.state_dict())
    assert all(a is b for a, b in zip(before, layer.parameters(), strict=True))
    assert {p.backend for p in layer.parameters()} == {backend_name}
    np.testing.assert_array_equal(host(layer([[0, 1]])), host(other([[0, 1]])))


def test_every_misfit_is_listed_and_nothing_is_changed():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1), nn.Linear(1, 1))
    before = model.state_dict()
    state = {name: np.zeros_like(array) for name, array in before.items()}
    del state["0.bias"], state["2.weight"]
    state["0.weight"] = state["0.weight"].T.copy()
    state["1.bias"] = state["1.bias"].astype(np.float64)
    state |= {"extra": np.zeros(1), "3.weight": np.zeros(1)}
    with pytest.raises(ValueError, match=r"^Sequential: the state does not fit") as caught:
        model.load_state_dict(state)
    for fault in (
        "0.bias is missing",
        "2.weight is missing",
        "extra is not expected",
        "3.weight is not expected",
        "0.weight is float32(2, 3), expected float32(3, 2)",
        "1.bias is float64(1,), expected float32(1,)",
    ):
        assert fault in str(caught.value)
    assert "1.weight" not in str(caught.value)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_not_strict_ignores_names_but_not_shapes():
    layer = nn.Linear(2, 1)
    bias = host(layer.bias)
    weight = np.ones((1, 2), np.float32)
    layer.load_state_dict({"weight": weight, "extra": weight}, strict=False)
    np.testing.assert_array_equal(host(layer.weight), weight)
    np.testing.assert_array_equal(host(layer.bias), bias)
    with pytest.raises(ValueError, match="weight is float32"):
        layer.load_state_dict({"weight": weight.T}, strict=False)


@pytest.mark.parametrize("state", [None, [("weight", 1)], "path.safetensors"])
def test_what_is_no_mapping_is_refused(state):
    with pytest.raises(TypeError, match=r"load_state_dict: got a .+, expected a mapping"):
        nn.Linear(2, 1).load_state_dict(state)


def test_tensors_and_lists_are_loaded_too():
    layer = nn.Linear(1, 1, dtype="float64")
    layer.load_state_dict({"weight": tg.tensor(np.array([[2.0]])), "bias": [3.0]})
    assert layer(tg.tensor(np.array([[5.0]]))).item() == 13


def test_loading_between_forward_and_backward_is_detected():
    layer = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    loss = layer(tg.ones(1, 2)).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="written into"):
        loss.backward()


def test_to_a_dtype_keeps_ties_modes_and_gradients():
    model = Model().eval()
    model([[0, 1]]).sum().backward()
    gradient = host(model.decoder.weight.grad)
    assert model.to("float64") is model
    assert {str(p.dtype) for p in model.parameters()} == {"float64"}
    assert model.decoder.weight is model.embedding.weight
    assert model.embedding.weight.grad.dtype == np.float64
    np.testing.assert_allclose(host(model.embedding.weight.grad), gradient)
    assert not model.training
    assert model([[0, 1]]).dtype == np.float64
    assert model.to(np.float32).rnn.weight_ih_l0.dtype == np.float32


def test_to_a_backend_moves_tied_weights_once():
    model = Model("float64")
    wanted = host(model([[0, 1]]))
    model.to("strict")
    assert {p.backend for p in model.parameters()} == {"strict"}
    assert model.decoder.weight is model.embedding.weight
    output = model([[0, 1]])
    assert output.backend == "strict"
    np.testing.assert_allclose(host(output), wanted, rtol=1e-12)
    output.sum().backward()
    assert {p.grad.backend for p in model.parameters()} == {"strict"}
    model.to("numpy")
    assert {p.grad.backend for p in model.parameters()} == {"numpy"}
    assert {p.backend for p in model.parameters()} == {"numpy"}
    np.testing.assert_array_equal(host(model([[0, 1]])), wanted)


@pytest.mark.parametrize(
    ("error", "target"), [(ValueError, "tpu"), (TypeError, "int64"), (TypeError, bool)]
)
def test_to_refuses_other_targets_and_changes_nothing(error, target):
    model = Model()
    with pytest.raises(error, match="to:"):
        model.to(target)
    assert {(p.backend, str(p.dtype)) for p in model.parameters()} == {("numpy", "float32")}


@pytest.mark.parametrize(
    "make",
    [
        Model,
        lambda: nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 4)),
        lambda: nn.Sequential(nn.Embedding(4, 3, sparse=True)),
    ],
)
def test_a_deep_copy_lives_on_its_own(make):
    model = make()
    model([[0, 1]]).sum().backward()
    copied = copy.deepcopy(model)
    names = [name for name, _ in copied.named_parameters()]
    assert names == [name for name, _ in model.named_parameters()]
    for one, other in zip(model.parameters(), copied.parameters(), strict=True):
        assert one is not other
        np.testing.assert_array_equal(host(one), host(other))
        np.testing.assert_array_equal(host(one.grad), host(other.grad))
    gradients = [host(p.grad) for p in model.parameters()]
    copied.zero_grad()
    (copied([[0, 1]]) * 2).sum().backward()
    for one, other, gradient in zip(
        model.parameters(), copied.parameters(), gradients, strict=True
    ):
        np.testing.assert_array_equal(host(one.grad), gradient)
        np.testing.assert_allclose(host(other.grad), 2 * gradient, rtol=1e-5, atol=1e-6)
    before = [host(p) for p in model.parameters()]
    for parameter in copied.parameters():
        nn.init.zeros_(parameter)
    for parameter, values in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(host(parameter), values)


def test_a_deep_copy_keeps_ties_frozen_parameters_and_forms():
    model = Model()
    model.rnn.requires_grad_(False)
    copied = copy.deepcopy(model)
    assert copied.decoder.weight is copied.embedding.weight
    assert [p.requires_grad for p in copied.parameters()] == [
        p.requires_grad for p in model.parameters()
    ]
    cell = nn.GRUCell(2, 3, reset_after=False)
    other = copy.deepcopy(cell)
    x = tg.tensor(random(1, 2).astype(np.float32))
    before = host(cell(cell.initial_state(x), x)[1])
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    assert not host(other(other.initial_state(x), x)[1]).any()  # its own weights, not the first's
    np.testing.assert_array_equal(host(cell(cell.initial_state(x), x)[1]), before)
