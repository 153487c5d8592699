"""The layers that every law of recurrence is tested on, and how a test runs them."""

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import nn
from tinygrad_seq.engine.backend import convert, default_backend, get_backend

T, B, D, H = 5, 4, 3, 4
KINDS = {
    "rnn_tanh": (nn.RNN, {}),
    "rnn_relu": (nn.RNN, {"nonlinearity": "relu"}),
    "gru": (nn.GRU, {}),
    "gru_before": (nn.GRU, {"reset_after": False}),
    "lstm": (nn.LSTM, {}),
    "lstm_proj": (nn.LSTM, {"proj_size": 2}),
}
SHAPES = {"one": (1, False), "two": (2, False), "both_ways": (1, True), "two_both_ways": (2, True)}


def make_layer(kind, shape="one", **options):
    """A float64 layer of this kind; its biases are not zero."""
    layer_class, own = KINDS[kind]
    layers, bidirectional = SHAPES[shape]
    return layer_class(
        D,
        H,
        layers,
        bidirectional=bidirectional,
        dtype=np.float64,
        generator=tg.Generator(7),
        **own,
        **options,
    )


def make_cell(kind, **options):
    """A float64 cell of this kind."""
    own = dict(KINDS[kind][1])
    cell_class = {nn.RNN: nn.RNNCell, nn.GRU: nn.GRUCell, nn.LSTM: nn.LSTMCell}[KINDS[kind][0]]
    return cell_class(D, H, dtype=np.float64, generator=tg.Generator(7), **own, **options)


def random(*shape, seed=0):
    """Float64 values in an array, normal."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def leaf(array):
    """A Tensor of the default backend that gradients are asked for."""
    return tg.Tensor(convert(np.array(array), default_backend()), requires_grad=True)


def constant(array):
    """A Tensor of the default backend, without gradient."""
    return tg.Tensor(convert(np.array(array), default_backend()))


def host(tensor):
    """The values of a Tensor as a NumPy array."""
    return np.array(convert(tensor.array, get_backend("numpy")))


def flat(state):
    """The Tensors of nested tuples, in order."""
    return [s for part in state for s in flat(part)] if isinstance(state, tuple) else [state]


def states_for(layer, batch=B, seed=5):
    """Initial states as PyTorch's hx, of leaves: one Tensor, or a pair for an LSTM."""
    rows = layer.num_layers * (1 + layer.bidirectional)
    first = next(cell for _, cell in layer.cells.items())
    parts = tuple(
        leaf(random(rows, batch, width, seed=seed + i)) for i, width in enumerate(first.state_sizes)
    )
    return parts if len(parts) > 1 else parts[0]


def run_all(layer, x, hx=None, lengths=None):
    """Everything that a call gives: output, final states, gradients of x, hx and parameters.

    The loss is a sum of all results with fixed random weights.
    """
    layer.zero_grad()
    x = leaf(x)
    output, final = layer(x, hx, lengths=lengths)
    results = {"output": output} | {f"final{i}": s for i, s in enumerate(flat(final))}
    loss = 0.0
    for i, result in enumerate(results.values()):
        loss = loss + (result * constant(random(*result.shape, seed=20 + i))).sum()
    loss.backward()
    found = {name: host(result) for name, result in results.items()}
    found["x.grad"] = host(x.grad)
    for i, part in enumerate(flat(hx) if hx is not None else []):
        found[f"hx{i}.grad"] = host(part.grad)
        part.grad = None
    return found | {f"{name}.grad": host(p.grad) for name, p in layer.named_parameters()}


def functional(module, call):
    """call(*args) as a function of (the module's parameters, then args), for check_grads."""
    parameters = list(module.parameters())

    def function(*args):
        for parameter, given in zip(parameters, args, strict=False):
            parameter.array, parameter.place = given.array, given.place
        return call(*args[len(parameters) :])

    return function
