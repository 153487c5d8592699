"""Initial values: the distributions of nn.init, and those that layers start from."""

import math

import numpy as np
import pytest
from nn_layers import constant, host

import tinygrad_seq as tg
from tinygrad_seq import nn

init = nn.init
OUT, IN = 200, 150
RANDOM = {
    "uniform_": init.uniform_,
    "normal_": init.normal_,
    "xavier_uniform_": init.xavier_uniform_,
    "xavier_normal_": init.xavier_normal_,
    "kaiming_uniform_": init.kaiming_uniform_,
    "kaiming_normal_": init.kaiming_normal_,
    "orthogonal_": init.orthogonal_,
}


def drawn(function, *args, shape=(OUT, IN), dtype="float64", **options):
    target = tg.zeros(*shape, dtype=dtype)
    assert function(target, *args, generator=tg.Generator(5), **options) is target
    return host(target)


def assert_uniform(values, bound, centre=0.0):
    """Values fill [centre - bound, centre + bound] evenly; the limits are 5 deviations wide."""
    n = values.size
    centred = (values - centre) / bound
    assert np.abs(centred).max() <= 1 + 1e-6
    assert np.abs(centred).max() > 1 - 20 / n
    assert abs(centred.mean()) < 5 / math.sqrt(3 * n)
    assert abs((centred**2).mean() - 1 / 3) < 5 * math.sqrt(4 / 45 / n)


def assert_normal(values, std, mean=0.0):
    n = values.size
    scaled = (values - mean) / std
    assert abs(scaled.mean()) < 5 / math.sqrt(n)
    assert abs((scaled**2).mean() - 1) < 5 * math.sqrt(2 / n)
    assert abs((scaled**4).mean() - 3) < 5 * math.sqrt(96 / n)


def test_constants():
    for function, args, value in (
        (init.zeros_, (), 0), (init.ones_, (), 1), (init.constant_, (0.25,), 0.25)
    ):  # fmt: skip
        target = tg.tensor(np.full((2, 3), 7.0))
        assert function(target, *args) is target
        assert (host(target) == value).all()


def test_uniform_and_normal():
    assert_uniform(drawn(init.uniform_), 0.5, 0.5)
    assert_uniform(drawn(init.uniform_, -3.0, 1.0), 2.0, -1.0)
    assert_normal(drawn(init.normal_), 1.0)
    assert_normal(drawn(init.normal_, 2.0, 0.1), 0.1, 2.0)


@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_xavier(gain):
    assert_uniform(drawn(init.xavier_uniform_, gain), gain * math.sqrt(6 / (OUT + IN)))
    assert_normal(drawn(init.xavier_normal_, gain), gain * math.sqrt(2 / (OUT + IN)))


def test_kaiming():
    assert_uniform(drawn(init.kaiming_uniform_, nonlinearity="relu"), math.sqrt(6 / IN))
    assert_normal(drawn(init.kaiming_normal_, nonlinearity="relu"), math.sqrt(2 / IN))
    assert_uniform(drawn(init.kaiming_uniform_, math.sqrt(5)), 1 / math.sqrt(IN))  # as Linear
    assert_normal(drawn(init.kaiming_normal_, 0.2), math.sqrt(2 / 1.04 / IN))


def test_fans_count_the_receptive_field():
    bound = math.sqrt(6 / (6 * 10 + 40 * 10))
    assert_uniform(drawn(init.xavier_uniform_, shape=(40, 6, 2, 5)), bound)
    assert_normal(drawn(init.kaiming_normal_, shape=(40, 6, 10)), math.sqrt(2 / 60))


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (4, 3, 5)])
def test_orthogonal(shape):
    matrix = drawn(init.orthogonal_, 1.5, shape=shape).reshape(shape[0], -1)
    small = min(matrix.shape)
    product = matrix @ matrix.T if matrix.shape[0] == small else matrix.T @ matrix
    np.testing.assert_allclose(product, 2.25 * np.eye(small), atol=1e-12)


def test_orthogonal_has_no_preferred_sign():
    diagonals = np.array(
        [host(init.orthogonal_(tg.zeros(3, 3), generator=tg.Generator(i))) for i in range(400)]
    )
    assert (np.abs(diagonals.mean(axis=0)) < 5 * math.sqrt(1 / 3 / 400)).all()


def test_gains_are_pytorchs():
    assert init.calculate_gain("linear") == init.calculate_gain("sigmoid") == 1
    assert init.calculate_gain("tanh") == pytest.approx(5 / 3)
    assert init.calculate_gain("relu") == pytest.approx(math.sqrt(2))
    assert init.calculate_gain("leaky_relu") == pytest.approx(math.sqrt(2 / 1.0001))
    assert init.calculate_gain("leaky_relu", 0.5) == pytest.approx(math.sqrt(1.6))
    with pytest.raises(ValueError, match="nonlinearity is 'swish', expected one of"):
        init.calculate_gain("swish")


@pytest.mark.parametrize("name", RANDOM)
def test_same_seed_same_bits_on_every_backend(name, backend_name):
    function = RANDOM[name]
    fill = [host(function(constant(np.zeros((4, 6))), generator=tg.Generator(3))) for _ in "ab"]
    np.testing.assert_array_equal(*fill)
    tg.manual_seed(3)
    default = function(constant(np.zeros((4, 6), np.float64)))
    assert default.backend == backend_name
    np.testing.assert_array_equal(host(default), fill[0])
    assert not np.array_equal(host(function(constant(np.zeros((4, 6))))), fill[0])
    single = function(constant(np.zeros((4, 6), np.float32)), generator=tg.Generator(3))
    assert single.dtype == np.float32
    np.testing.assert_allclose(host(single), fill[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["xavier_uniform_", "kaiming_normal_", "orthogonal_"])
def test_a_vector_has_no_fans(name):
    with pytest.raises(ValueError, match="at least two axes"):
        RANDOM[name](tg.zeros(3))


def test_a_write_into_what_a_graph_keeps_is_detected():
    layer = nn.Linear(2, 2)
    loss = (layer(tg.tensor([[1.0, 2.0]], requires_grad=True)) ** 2).sum()
    init.zeros_(layer.weight)
    with pytest.raises(RuntimeError, match="written into"):
        loss.backward()


LAYERS = {
    "rnn": lambda: nn.RNN(40, 100, 2, bidirectional=True),
    "gru": lambda: nn.GRU(40, 100),
    "lstm": lambda: nn.LSTM(40, 100, proj_size=30),
    "cell": lambda: nn.GRUCell(40, 100, reset_after=False),
    "linear": lambda: nn.Linear(100, 300),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_start_as_pytorchs_uniform_in_one_over_root(name):
    tg.manual_seed(1)
    layer = LAYERS[name]()  # hidden size, or in_features, 100
    for parameter in layer.parameters():
        assert_uniform(host(parameter), 0.1)
    together = np.concatenate([host(p).ravel() for p in layer.parameters()])
    assert len(np.unique(together)) > 0.99 * min(together.size, 2**20)  # no values drawn twice


def test_embedding_and_layer_norm_start_as_pytorchs():
    tg.manual_seed(1)
    table = host(nn.Embedding(300, 50, padding_idx=-2).weight)
    assert not table[298].any()
    assert_normal(np.delete(table, 298, axis=0), 1.0)
    norm = nn.LayerNorm((2, 3))
    assert (host(norm.weight) == 1).all()
    assert (host(norm.bias) == 0).all()


MAKERS = {
    "lstm": lambda **options: nn.LSTM(3, 4, 2, **options),
    "cell": lambda **options: nn.GRUCell(3, 4, **options),
    "linear": lambda **options: nn.Linear(3, 4, **options),
    "embedding": lambda **options: nn.Embedding(3, 4, **options),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_generator_gives_the_same_layer_and_leaves_the_default_alone(name):
    make = MAKERS[name]
    before = tg.default_generator().state_dict()
    one, other = make(generator=tg.Generator(8)), make(generator=tg.Generator(8))
    assert tg.default_generator().state_dict() == before
    tg.manual_seed(8)
    by_default = make()
    for a, b, c in zip(one.parameters(), other.parameters(), by_default.parameters(), strict=True):
        np.testing.assert_array_equal(host(a), host(b))
        np.testing.assert_array_equal(host(a), host(c))
