"""Wrong arguments and inputs of recurrent layers: the documented errors, which name what came."""

import numpy as np
import pytest
from nn_layers import host

import tinygrad_seq as tg
from tinygrad_seq import nn

KINDS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
every_kind = pytest.mark.parametrize("kind", KINDS)


def zeros(*shape, dtype=np.float32):
    return tg.zeros(*shape, dtype=dtype)


SIZES = [
    ({"input_size": 0}, "input_size is 0, expected at least 1"),
    ({"input_size": -3}, "input_size is -3"),
    ({"hidden_size": 0}, "hidden_size is 0"),
    ({"hidden_size": -1}, "hidden_size is -1"),
    ({"num_layers": 0}, "num_layers is 0"),
    ({"num_layers": -1}, "num_layers is -1"),
    ({"dropout": 1.5}, "is 1.5, expected 0 to 1"),
    ({"dropout": -0.1}, "is -0.1, expected 0 to 1"),
]


@every_kind
@pytest.mark.parametrize(("options", "message"), SIZES, ids=lambda value: str(value))
def test_sizes_out_of_range(kind, options, message):
    with pytest.raises(ValueError, match=message):
        KINDS[kind](**{"input_size": 3, "hidden_size": 4} | options)


@pytest.mark.parametrize("make", [nn.RNNCell, nn.GRUCell, nn.LSTMCell, nn.Linear])
def test_sizes_of_cells_and_linear_out_of_range(make):
    name = make.__name__
    for sizes in ((0, 4), (3, 0), (-1, 4), (3, -1)):
        with pytest.raises(ValueError, match=rf"{name}: \w+ is {min(sizes)}, expected at least 1"):
            make(*sizes)


@pytest.mark.parametrize("proj_size", [-1, 4, 5])
def test_projection_out_of_range(proj_size):
    for make in (nn.LSTM, nn.LSTMCell):
        with pytest.raises(ValueError, match=f"proj_size is {proj_size}, expected 0 to 3"):
            make(3, 4, proj_size=proj_size)


def test_unknown_nonlinearity():
    for make in (nn.RNN, nn.RNNCell):
        with pytest.raises(ValueError, match="nonlinearity is 'elu', expected 'tanh' or 'relu'"):
            make(3, 4, nonlinearity="elu")


def test_integer_parameters():
    with pytest.raises(TypeError, match="int64"):
        nn.GRU(3, 4, dtype=np.int64)


INPUTS = [
    (ValueError, r"\(5, 2, 4\), expected \(\.\.\., 3\)", zeros(5, 2, 4)),
    (ValueError, r"\(4,\), expected \(\.\.\., 3\)", zeros(4)),
    (ValueError, "expected 2 or 3 axes", zeros(3)),
    (ValueError, "expected 2 or 3 axes", zeros(5, 2, 2, 3)),
    (ValueError, r"\(\), expected", zeros()),
    (ValueError, "at least 1", zeros(0, 2, 3)),
    (ValueError, "at least 1", zeros(0, 3)),
    (TypeError, "input is float64, expected float32", zeros(5, 2, 3, dtype=np.float64)),
    (TypeError, "input is int64, expected float32", zeros(5, 2, 3, dtype=np.int64)),
    (TypeError, "input is bool", zeros(5, 2, 3, dtype=bool)),
    (TypeError, "input is a ndarray, expected a Tensor", np.zeros((5, 2, 3), np.float32)),
    (TypeError, "input is a list", [[1.0, 2.0, 3.0]]),
]


@every_kind
@pytest.mark.parametrize("i", range(len(INPUTS)))
def test_inputs_that_do_not_fit(kind, i):
    error, message, x = INPUTS[i]
    with pytest.raises(error, match=message):
        KINDS[kind](3, 4)(x)


def test_batch_first_without_steps():
    with pytest.raises(ValueError, match="at least 1"):
        nn.LSTM(3, 4, batch_first=True)(zeros(2, 0, 3))


H0 = r"expected \(2, 2, 4\)"
STATES = [
    (ValueError, H0, zeros(1, 2, 4)),
    (ValueError, H0, zeros(2, 1, 4)),  # would broadcast
    (ValueError, H0, zeros(2, 2, 1)),
    (ValueError, H0, zeros(2, 4)),
    (ValueError, H0, zeros(2, 2, 4, 1)),
    (TypeError, "float64, expected float32", zeros(2, 2, 4, dtype=np.float64)),
    (TypeError, "int64, expected float32", zeros(2, 2, 4, dtype=np.int64)),
    (TypeError, "ndarray, expected a Tensor", np.zeros((2, 2, 4), np.float32)),
    (TypeError, "tuple, expected a Tensor", (zeros(2, 2, 4),)),
]


@pytest.mark.parametrize("i", range(len(STATES)))
def test_initial_states_that_do_not_fit(i):
    error, message, state = STATES[i]
    with pytest.raises(error, match=message):
        nn.GRU(3, 4, 2)(zeros(5, 2, 3), state)
    good = zeros(2, 2, 4)
    for pair in ((state, good), (good, state)):
        with pytest.raises(error, match=message):
            nn.LSTM(3, 4, 2)(zeros(5, 2, 3), pair)


def test_initial_states_of_the_wrong_number_or_rank():
    good = zeros(1, 2, 4)
    for state in (good, (good,), (good, good, good), 3):
        with pytest.raises(ValueError, match=r"hx has \d parts, expected 2"):
            nn.LSTM(3, 4)(zeros(5, 2, 3), state)
    with pytest.raises(ValueError, match=r"\(1, 1, 4\), expected \(1, 4\)"):
        nn.GRU(3, 4)(zeros(5, 3), zeros(1, 1, 4))  # an unbatched input has unbatched states
    with pytest.raises(ValueError, match=r"\(1, 2, 4\), expected \(1, 2, 2\)"):
        nn.LSTM(3, 4, proj_size=2)(zeros(5, 2, 3), (good, good))


LENGTHS = [
    (ValueError, "a length is -1, expected 0 to 5", [-1, 2]),
    (ValueError, "a length is 6, expected 0 to 5", [5, 6]),
    (ValueError, r"lengths are \(3,\), expected \(2,\)", [1, 2, 3]),
    (ValueError, r"lengths are \(\), expected \(2,\)", 2),
    (ValueError, r"lengths are \(1, 2\), expected \(2,\)", [[1, 2]]),
    (TypeError, "lengths are float64, expected integers", [1.0, 2.0]),
    (TypeError, "lengths are float32, expected integers", zeros(2)),
    (TypeError, "lengths are bool, expected integers", np.array([True, False])),
]


@every_kind
@pytest.mark.parametrize("i", range(len(LENGTHS)))
def test_lengths_that_do_not_fit(kind, i):
    error, message, lengths = LENGTHS[i]
    for options in ({}, {"bidirectional": True, "num_layers": 2}):
        with pytest.raises(error, match=message):
            KINDS[kind](3, 4, **options)(zeros(5, 2, 3), lengths=lengths)


CELL_CALLS = [
    (TypeError, "the state is a Tensor, expected a tuple", zeros(2, 4), zeros(2, 3)),
    (TypeError, "the state is a Tensor, expected a tuple", zeros(2, 3), (zeros(2, 4),)),
    (ValueError, r"\[\(2, 4\), \(2, 4\)\], expected \[", (zeros(2, 4),) * 2, zeros(2, 3)),
    (ValueError, r"expected \[\(2, 4\)", (zeros(2, 3),), zeros(2, 3)),
    (ValueError, r"expected \[\(2, 4\)", (zeros(1, 4),), zeros(2, 3)),  # would broadcast
    (ValueError, r"expected \[\(2, 4\)", (zeros(4),), zeros(2, 3)),
    (ValueError, r"\(2, 4\), expected \(\.\.\., 3\)", (zeros(2, 4),), zeros(2, 4)),
    (TypeError, "input is int64", (zeros(2, 4),), zeros(2, 3, dtype=np.int64)),
    (TypeError, "input is float64", (zeros(2, 4),), zeros(2, 3, dtype=np.float64)),
    (TypeError, "float32 and float64", (zeros(2, 4, dtype=np.float64),), zeros(2, 3)),
]


@pytest.mark.parametrize("i", range(len(CELL_CALLS)))
def test_steps_that_do_not_fit(i):
    error, message, state, x = CELL_CALLS[i]
    for cell in (nn.RNNCell(3, 4), nn.GRUCell(3, 4), nn.GRUCell(3, 4, reset_after=False)):
        with pytest.raises(error, match=message):
            cell(state, x)


def test_a_cell_state_that_would_broadcast():
    cell, x = nn.LSTMCell(4, 4), zeros(2, 4)
    with pytest.raises(TypeError, match="the state is a Tensor"):
        cell(zeros(2, 4), x)  # two rows, taken for h and c
    for c in (zeros(2, 1), zeros(1, 4), zeros(4)):
        with pytest.raises(ValueError, match="LSTMCell: the state is"):
            cell((zeros(2, 4), c), x)


LAYERS = {
    "Recurrent": lambda: nn.Recurrent(nn.LSTMCell(3, 4)),
    "Bidirectional": lambda: nn.Bidirectional(nn.LSTMCell(3, 4), nn.GRUCell(3, 4)),
    "Stack": lambda: nn.Stack(nn.Recurrent(nn.LSTMCell(3, 4)), nn.Recurrent(nn.GRUCell(4, 4))),
}


@pytest.mark.parametrize("name", LAYERS)
def test_composed_layers_refuse_the_same(name):
    layer = LAYERS[name]()
    for error, message, x in (
        (ValueError, "at least 1", zeros(0, 2, 3)),
        (ValueError, "at least 1", zeros()),
        (ValueError, r"expected \(\.\.\., 3\)", zeros(5, 2, 4)),
        (TypeError, "float64", zeros(5, 2, 3, dtype=np.float64)),
        (TypeError, "int64", zeros(5, 2, 3, dtype=np.int64)),
        (TypeError, "expected a Tensor", np.zeros((5, 2, 3), np.float32)),
    ):
        with pytest.raises(error, match=message):
            layer(x)
    with pytest.raises(ValueError, match="a length is 9"):
        layer(zeros(5, 2, 3), lengths=[9, 1])


def test_composed_layers_refuse_wrong_states():
    layer, x = nn.Recurrent(nn.LSTMCell(3, 4)), zeros(5, 2, 3)
    with pytest.raises(TypeError, match="the state is a Tensor"):
        layer(x, zeros(2, 4))
    with pytest.raises(ValueError, match="LSTMCell: the state is"):
        layer(x, (zeros(2, 4), zeros(1, 4)))
    with pytest.raises(ValueError, match="Stack: state has 1 parts, expected 2"):
        nn.Stack(layer, nn.Recurrent(nn.GRUCell(4, 4)))(x, (None,))
    with pytest.raises(ValueError, match="Stack: no layers"):
        nn.Stack()


def test_linear_layer_norm_and_their_inputs():
    for make, x, error, message in (
        (lambda: nn.Linear(3, 2), zeros(2, 4), ValueError, r"Linear: the input is \(2, 4\)"),
        (lambda: nn.Linear(3, 2), zeros(), ValueError, r"Linear: the input is \(\)"),
        (lambda: nn.Linear(3, 2), zeros(2, 3, dtype=float), TypeError, "Linear: .* float64"),
        (lambda: nn.Linear(3, 2), zeros(2, 3, dtype=int), TypeError, "Linear: .* int64"),
        (lambda: nn.Linear(3, 2), np.zeros((2, 3)), TypeError, "Linear: .* ndarray"),
        (lambda: nn.LayerNorm(3), zeros(2, 4), ValueError, r"layer_norm: x is \(2, 4\)"),
        (lambda: nn.LayerNorm((2, 3)), zeros(3), ValueError, r"layer_norm: x is \(3,\)"),
        (lambda: nn.LayerNorm(3), zeros(2, 3, dtype=float), TypeError, "float32 and float64"),
    ):
        with pytest.raises(error, match=message):
            make()(x)
    with pytest.raises(ValueError, match=r"LayerNorm: normalized_shape\[1\] is 0"):
        nn.LayerNorm((2, 0))


def test_arrays_of_another_backend_are_refused_not_copied():
    layer, x = nn.GRU(3, 4), zeros(5, 2, 3).to("strict")
    with pytest.raises(TypeError, match="GRU: the input is on strict, expected numpy"):
        layer(x)
    with pytest.raises(TypeError, match="an initial state is on strict, expected numpy"):
        layer(zeros(5, 2, 3), zeros(1, 2, 4).to("strict"))
    with pytest.raises(TypeError, match="Linear: the input is on strict, expected numpy"):
        nn.Linear(3, 4)(x)
    with pytest.raises(TypeError, match="RNNCell: the input is on strict, expected numpy"):
        nn.Recurrent(nn.RNNCell(3, 4))(x)


def test_a_refused_call_changes_nothing():
    layer = nn.LSTM(3, 4, 2, dropout=0.5)
    before, state = layer.state_dict(), tg.default_generator().state_dict()
    for call in (
        lambda: layer(zeros(5, 2, 4)),
        lambda: layer(zeros(5, 2, 3), zeros(1, 2, 4)),
        lambda: layer(zeros(5, 2, 3), lengths=[9, 9]),
    ):
        with pytest.raises(ValueError, match="expected"):
            call()
    assert tg.default_generator().state_dict() == state
    for name, parameter in layer.named_parameters():
        np.testing.assert_array_equal(host(parameter), before[name])
        assert parameter.grad is None
