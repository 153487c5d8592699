"""Edges of modules and scan that once went wrong without a word."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn, ops


@pytest.mark.parametrize("function", [ops.log, lambda x: ops.sqrt((x * x).sum(axis=-1))])
def test_a_step_that_is_not_smooth_at_zero_has_finite_gradients_with_padding(function):
    w = tg.tensor(np.array([0.5, 2.0]), requires_grad=True)
    x = tg.tensor(np.full((3, 3, 2), 1.5))
    x[1:, 1] = 0.0  # padding

    def step(state, x_t):
        return state, function(x_t * w)

    for lengths in ([3, 1, 0], [1, 1, 1]):
        w.grad = None
        _, outputs = tg.scan(step, x, tg.zeros(3, 1), lengths=lengths)
        outputs.sum().backward()
        assert np.isfinite(w.grad.numpy()).all()
        assert (w.grad.numpy() != 0).all()


def test_lengths_that_are_all_zero():
    x = tg.tensor(np.full((2, 2, 3), np.nan, np.float32))
    output, h = nn.GRU(3, 4)(x, lengths=[0, 0])
    assert not output.detach().numpy().any()
    assert not h.detach().numpy().any()


def test_dropout_of_a_stack_can_be_set_in_evaluation():
    layer = nn.GRU(2, 3, num_layers=2).eval()
    layer.dropout = 0.5
    x = tg.ones(4, 1, 2)
    np.testing.assert_array_equal(layer(x)[0].detach().numpy(), layer(x)[0].detach().numpy())
    assert layer.dropout == 0.5
    with pytest.raises(ValueError, match="Dropout: p is 2"):
        layer.dropout = 2


def test_a_step_returns_a_pair():
    x, h = tg.ones(2, 1, 3), tg.ones(1, 3)
    with pytest.raises(TypeError, match="expected a pair"):
        tg.scan(lambda h, x: h, x, h)
    with pytest.raises(TypeError, match="NoneType"):
        tg.scan(lambda h, x: (h, None), x, h)


def test_unmatched_names_are_returned():
    layer = nn.Linear(2, 2)
    missing, unexpected = layer.load_state_dict({"head": np.zeros(1)}, strict=False)
    assert (missing, unexpected) == (["weight", "bias"], ["head"])


def test_apply_and_children():
    model = nn.Sequential(nn.Linear(2, 2), ops.tanh, nn.Linear(2, 1))
    seen = []
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    assert seen == ["Linear", "Linear", "Sequential"]
    assert [name for name, _ in model.named_children()] == ["0", "2"]


def test_loading_a_module_s_own_arrays_crossed_over():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    first, second = (p.item() for p in model.parameters())
    model.load_state_dict({"0.weight": model[1].weight, "1.weight": model[0].weight})
    assert [p.item() for p in model.parameters()] == [second, first]


def test_two_parameters_of_one_name_are_refused():
    model = nn.Module()
    model.held = {1: nn.Parameter(np.zeros(1)), "1": nn.Parameter(np.ones(1))}
    with pytest.raises(ValueError, match=r"called held\.1"):
        model.state_dict()


def test_layers_take_cells_and_cells_have_widths():
    with pytest.raises(TypeError, match=r"expected an nn\.Cell"):
        nn.Recurrent(nn.Linear(3, 3))
    with pytest.raises(ValueError, match="state_sizes"):
        nn.Recurrent(nn.Cell())(tg.ones(2, 1, 3))
