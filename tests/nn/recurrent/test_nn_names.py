"""PyTorch's flat names on RNN, GRU and LSTM; subclasses; and cells that users write."""

import copy

import numpy as np
import pytest
from nn_layers import D, H, flat, host, make_layer, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops


def names_of(layers, directions, projected=False):
    each = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", *["weight_hr"] * projected]
    ends = [f"_l{i}{end}" for i in range(layers) for end in ("", "_reverse")[:directions]]
    return [name + end for end in ends for name in each]


@pytest.mark.parametrize("shape", ["one", "two", "both_ways", "two_both_ways"])
@pytest.mark.parametrize("kind", ["rnn_tanh", "gru", "lstm", "lstm_proj"])
def test_names_are_pytorchs_in_its_order(kind, shape):
    layer = make_layer(kind, shape)
    names = names_of(layer.num_layers, 1 + layer.bidirectional, kind == "lstm_proj")
    assert list(layer.state_dict()) == names
    assert [name for name, _ in layer.named_parameters()] == names
    for name, parameter in layer.named_parameters():
        assert getattr(layer, name) is parameter
    outer = nn.Sequential(layer)
    assert list(outer.state_dict()) == [f"0.{name}" for name in names]


def test_shapes_by_gate():
    for kind, gates in (("rnn_relu", 1), ("gru", 3), ("lstm", 4)):
        layer = make_layer(kind, "two_both_ways")
        assert layer.weight_ih_l0.shape == (gates * H, D)
        assert layer.weight_ih_l1_reverse.shape == (gates * H, 2 * H)
        assert layer.weight_hh_l1.shape == (gates * H, H)
        assert layer.bias_hh_l0_reverse.shape == (gates * H,)
    projected = make_layer("lstm_proj", "two")
    assert projected.weight_hr_l1.shape == (2, H)
    assert projected.weight_hh_l0.shape == (4 * H, 2)
    assert projected.weight_ih_l1.shape == (4 * H, 2)


@pytest.mark.parametrize(
    "name",
    [
        "weight_ih_l1", "weight_ih_l0_reverse", "weight_hr_l0", "weight_xx_l0", "weight_ih_l",
        "bias_hr_l0", "weights", "hidden", "weight_ih", "stacks",
    ],
)  # fmt: skip
def test_wrong_names_are_attribute_errors(name):
    layer = make_layer("lstm")
    with pytest.raises(AttributeError, match=f"LSTM has no attribute '{name}'"):
        getattr(layer, name)
    assert not hasattr(layer, name)
    assert getattr(layer, name, 5) == 5


def test_without_biases_their_names_are_absent():
    layer = nn.GRU(2, 3, bias=False)
    assert list(layer.state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    assert not hasattr(layer, "bias_ih_l0")


def test_set_by_flat_name_goes_into_the_cell():
    layer = make_layer("gru", "both_ways")
    parameter = nn.Parameter(random(3 * H, H))
    layer.weight_hh_l0_reverse = parameter
    assert layer.weight_hh_l0_reverse is parameter
    assert dict(layer.named_parameters())["weight_hh_l0_reverse"] is parameter
    output, _ = layer(tg.tensor(random(2, 1, D)))
    output.sum().backward()
    assert parameter.grad is not None
    with pytest.raises(TypeError, match="expected a Parameter"):
        layer.weight_hh_l0 = tg.tensor(random(3 * H, H))


def test_weights_can_be_tied_between_layers():
    layer = nn.RNN(4, 4, 2)
    layer.weight_hh_l1 = layer.weight_hh_l0
    assert "weight_hh_l1" not in dict(layer.named_parameters())
    assert "weight_hh_l1" in layer.state_dict()
    assert layer.num_parameters() == 2 * (32 + 8) - 16


def test_orthogonal_initialisation_by_name_as_in_pytorch():
    layer = make_layer("rnn_tanh", "two")
    for name, parameter in layer.named_parameters():
        if "weight_hh" in name:
            nn.init.orthogonal_(parameter)
        elif "bias" in name:
            nn.init.zeros_(parameter)
    product = host(layer.weight_hh_l1) @ host(layer.weight_hh_l1).T
    np.testing.assert_allclose(product, np.eye(H), atol=1e-12)
    assert not host(layer.bias_ih_l0).any()


def test_deep_copy_of_a_layer():
    layer = make_layer("lstm", "two_both_ways")
    copied = copy.deepcopy(layer)
    x = tg.tensor(random(3, 2, D))
    np.testing.assert_array_equal(host(copied(x)[0]), host(layer(x)[0]))
    copied(x)[0].sum().backward()
    assert all(p.grad is None for p in layer.parameters())
    assert all(p.grad is not None for p in copied.parameters())
    nn.init.zeros_(copied.weight_ih_l0)
    assert host(layer.weight_ih_l0).all()


class Tagger(nn.LSTM):
    """A subclass with parts of its own."""

    def __init__(self):
        super().__init__(3, 4, 2, dropout=0.5)
        self.head = nn.Linear(4, 2)
        self.scale = nn.Parameter(tg.ones(1))

    def forward(self, x):
        return self.head(super().forward(x)[0]) * self.scale


def test_a_subclass_has_its_own_parameters_too():
    model = Tagger()
    own = ["scale", "head.weight", "head.bias"]
    assert [name for name, _ in model.named_parameters()] == names_of(2, 1) + own
    assert list(model.state_dict()) == names_of(2, 1) + own
    model(tg.ones(2, 1, 3)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    x = tg.ones(2, 1, 3)
    np.testing.assert_array_equal(host(model(x)), host(model(x)))
    assert "  head: Linear(4, 2)" in repr(model)


class MinimalGatedCell(nn.Cell):
    """f = σ(W [x, h] + b);  h' = f h + (1 - f) V x: a user's cell of ten lines."""

    def __init__(self, input_size, width):
        self.input_size, self.state_sizes = input_size, (width,)
        self.gate = nn.Linear(input_size + width, width)
        self.candidate = nn.Linear(input_size, width, bias=False)

    def forward(self, state, x):
        (h,) = state
        f = ops.sigmoid(self.gate(ops.concat([x, h], axis=-1)))
        h = f * h + (1 - f) * self.candidate(x)
        return (h,), h


LAYERS = {
    "recurrent": lambda: nn.Recurrent(MinimalGatedCell(3, 4)),
    "reversed": lambda: nn.Recurrent(MinimalGatedCell(3, 4), reverse=True),
    "bidirectional": lambda: nn.Bidirectional(
        MinimalGatedCell(3, 4), MinimalGatedCell(3, 4), merge=lambda a, b: a + b
    ),
    "mixed": lambda: nn.Bidirectional(MinimalGatedCell(3, 2), nn.LSTMCell(3, 2)),
    "stack": lambda: nn.Stack(
        nn.Recurrent(MinimalGatedCell(3, 5)), nn.Recurrent(MinimalGatedCell(5, 4)), dropout=0.1
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_users_cell_trains(name):
    tg.manual_seed(3)
    layer = LAYERS[name]()
    x = tg.tensor(random(6, 8, 3).astype(np.float32))
    lengths = [6, 3, 0, 1, 5, 2, 4, 6]
    wanted = 0.5 * np.tanh(np.cumsum(random(6, 8, 3), axis=0)).sum(axis=-1, keepdims=True)
    wanted = np.where(np.arange(6)[:, None, None] < np.array(lengths)[:, None], wanted, 0)
    target = tg.tensor(np.repeat(wanted, 4, axis=-1).astype(np.float32))
    optimiser = tg.optim.Adam(layer.parameters(), lr=0.03)
    losses = []
    for _ in range(30):
        output, final = layer(x, lengths=lengths)
        loss = ops.mse_loss(output, target)
        layer.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in layer.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    again, _ = layer.eval()(x, final, lengths=lengths)  # the states fit back in
    assert again.shape == (6, 8, 4)
    assert len(flat(final)) == len([m for m in layer.modules() if isinstance(m, nn.Cell)]) + (
        name == "mixed"
    )


def test_a_users_initial_state_is_learned():
    class Learned(MinimalGatedCell):
        def __init__(self):
            super().__init__(3, 4)
            self.start = nn.Parameter(tg.zeros(4))

        def initial_state(self, x):
            return (ops.broadcast_to(self.start, (*x.shape[:-1], 4)),)

    layer = nn.Recurrent(Learned())
    layer(tg.ones(2, 3, 3), lengths=[2, 0, 1])[0].sum().backward()
    assert host(layer.cell.start.grad).all()
