"""Linear, LayerNorm, Dropout, Sequential and ModuleList."""

import numpy as np
import pytest
from nn_layers import constant, host, leaf, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.testing import check_grads


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(), (4,), (5, 4), (0, 2)])
def test_linear_is_the_product(lead, bias, backend_name):
    layer = nn.Linear(3, 2, bias=bias, dtype="float64")
    x = leaf(random(*lead, 3))
    out, weights = layer(x), random(*lead, 2, seed=1)
    wanted = host(x) @ host(layer.weight).T + (host(layer.bias) if bias else 0)
    np.testing.assert_allclose(host(out), wanted, rtol=1e-12)
    (out * constant(weights)).sum().backward()
    rows = weights.reshape(-1, 2)
    np.testing.assert_allclose(
        host(layer.weight.grad), rows.T @ host(x).reshape(-1, 3), rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(host(x.grad), weights @ host(layer.weight), rtol=1e-12)
    assert (layer.bias is None) is not bias
    if bias:
        np.testing.assert_allclose(host(layer.bias.grad), rows.sum(axis=0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [4, (4,), [4], (3, 4)])
def test_layer_norm_normalises_the_last_axes(shape):
    layer = nn.LayerNorm(shape, dtype="float64")
    axes = tuple(range(-len(layer.normalized_shape), 0))
    out = host(layer(tg.tensor(5 + 3 * random(2, 3, 4))))
    np.testing.assert_allclose(out.mean(axis=axes), 0, atol=1e-12)
    np.testing.assert_allclose(out.var(axis=axes), 1, rtol=1e-4)
    assert layer.weight.shape == layer.bias.shape == layer.normalized_shape


def test_layer_norm_options():
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == ["weight"]
    assert not list(nn.LayerNorm(3, elementwise_affine=False).parameters())
    x = random(2, 3)
    out = host(nn.LayerNorm(3, eps=10.0, elementwise_affine=False)(tg.tensor(x)))
    centred = x - x.mean(axis=1, keepdims=True)
    wanted = centred / np.sqrt(x.var(axis=1, keepdims=True) + 10)
    np.testing.assert_allclose(out, wanted, rtol=1e-12)
    constant_rows = host(nn.LayerNorm(3)(tg.tensor(np.full((2, 3), 4, np.float32))))
    np.testing.assert_array_equal(constant_rows, np.zeros((2, 3)))


def test_layer_norm_gradients():
    check_grads(nn.LayerNorm(4, dtype="float64"), [leaf(random(3, 4))], order=2)


# ---- dropout -------------------------------------------------------------------------------------


def test_dropout_zeroes_and_scales(backend_name):
    layer = nn.Dropout(0.2, generator=tg.Generator(1))
    x = leaf(np.full((100, 100), 3.0))
    out = layer(x)
    kept = host(out) != 0
    np.testing.assert_allclose(host(out)[kept], 3 / 0.8, rtol=1e-12)
    assert abs(kept.mean() - 0.8) < 5 * np.sqrt(0.8 * 0.2 / 1e4)
    out.sum().backward()
    np.testing.assert_allclose(host(x.grad), kept / 0.8, rtol=1e-12)
    assert not np.array_equal(host(layer(x)) != 0, kept)


def test_dropout_in_evaluation_or_of_nothing_is_the_input():
    x = tg.ones(3)
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    np.testing.assert_array_equal(host(nn.Dropout(1.0)(x)), np.zeros(3))


def test_dropout_repeats_by_generator_and_by_seed():
    x = tg.ones(50, dtype="float32")
    one, other = (nn.Dropout(0.5, generator=tg.Generator(4)) for _ in "ab")
    np.testing.assert_array_equal(host(one(x)), host(other(x)))
    masks = []
    for _ in "ab":
        tg.manual_seed(4)
        masks.append(host(nn.Dropout(0.5)(x)))
    np.testing.assert_array_equal(*masks)
    assert masks[0].dtype == np.float32


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match=f"Dropout: p is {p}, expected 0 to 1"):
        nn.Dropout(p)


# ---- containers ----------------------------------------------------------------------------------


def test_sequential_applies_modules_and_functions_in_turn():
    model = nn.Sequential(nn.Linear(2, 3), ops.tanh, lambda x: 2 * x, nn.Linear(3, 1))
    x = tg.ones(4, 2)
    wanted = model[3](2 * ops.tanh(model[0](x)))
    np.testing.assert_array_equal(host(model(x)), host(wanted))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert len(model) == 4
    assert model[-1] is list(model)[3]
    assert nn.Sequential()(x) is x


def test_nested_sequentials_have_dotted_names():
    model = nn.Sequential(nn.Sequential(nn.Linear(1, 1, bias=False)), nn.LayerNorm(1, bias=False))
    assert list(model.state_dict()) == ["0.0.weight", "1.weight"]


def test_module_list_holds_parts():
    class Model(nn.Module):
        def __init__(self):
            self.blocks = nn.ModuleList(nn.Linear(2, 2, bias=False) for _ in range(2))
            self.blocks.append(nn.Linear(2, 1, bias=False))

    model = Model()
    names = ["blocks.0.weight", "blocks.1.weight", "blocks.2.weight"]
    assert list(model.state_dict()) == names
    assert len(model.blocks) == 3
    assert model.blocks[-1] is list(model.blocks)[2]
    assert model.blocks.append(nn.Dropout()) is model.blocks
    with pytest.raises(IndexError):
        model.blocks[4]


@pytest.mark.parametrize("item", [ops.tanh, nn.Parameter(np.zeros(1)), None, [nn.Dropout()]])
def test_module_list_takes_modules_only(item):
    modules = nn.ModuleList([nn.Dropout()])
    for call in (lambda: nn.ModuleList([item]), lambda: modules.append(item)):
        with pytest.raises(TypeError, match=r"ModuleList: got a .*, expected a Module"):
            call()
    assert len(modules) == 1


@pytest.mark.parametrize("base", [nn.Sequential, nn.ModuleList])
def test_a_subclass_of_a_container_has_its_own_parameters_too(base):
    class Scaled(base):
        def __init__(self):
            layer = nn.Linear(1, 1, bias=False)
            super().__init__(*([layer] if base is nn.Sequential else [[layer]]))
            self.scale = nn.Parameter(np.ones(1))
            self.extra = nn.Dropout()

    model = Scaled()
    assert set(model.state_dict()) == {"0.weight", "scale"}
    assert not model.eval().extra.training
    assert model.num_parameters() == 2


# ---- over time -----------------------------------------------------------------------------------


def test_largest_and_mean_over_time(backend_name):
    x, lengths = random(5, 3, 2), np.array([5, 1, 3])
    x[3:, 2] = np.nan  # padding is not read
    found = nn.max_and_mean(leaf(x), lengths)
    parts = [x[:n, b] for b, n in enumerate(lengths)]
    wanted = [np.concatenate([part.max(axis=0), part.mean(axis=0)]) for part in parts]
    np.testing.assert_allclose(host(found), wanted, rtol=1e-12)
    np.testing.assert_array_equal(host(nn.max_and_mean(leaf(x[:3]))), host(
        nn.max_and_mean(leaf(x[:3]), [3, 3, 3])))  # fmt: skip


def test_largest_and_mean_gradients():
    x = leaf(random(4, 2, 3))
    check_grads(lambda x: nn.max_and_mean(x, [4, 2]), [x], order=2)
    nn.max_and_mean(x, [4, 2]).sum().backward()
    assert not host(x.grad)[2:, 1].any()


@pytest.mark.parametrize(
    ("shape", "lengths", "error", "match"),
    [
        ((4, 3, 2), [4, 0, 1], ValueError, "sequence 1 has no steps"),
        ((4, 3, 2), [4, 5, 1], ValueError, "a length is 5, expected 0 to 4"),
        ((4, 3, 2), [4.0, 1, 1], TypeError, "lengths are float64"),
        ((0, 3, 2), None, ValueError, r"outputs are \(0, 3, 2\)"),
        ((4, 3), None, ValueError, r"outputs are \(4, 3\), expected \(T, B, H\)"),
    ],
)
def test_largest_and_mean_of_nothing(shape, lengths, error, match):
    with pytest.raises(error, match=match):
        nn.max_and_mean(leaf(random(*shape)), lengths)
