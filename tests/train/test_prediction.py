"""What a model says of many sequences: in their order, as of each alone."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn, train


class Sums(nn.Module):
    """Twice the sum of each sequence's steps: x (T, B, D), lengths (B,) -> (B, D)."""

    def __init__(self):
        self.weight = nn.Parameter(tg.tensor(np.full(1, 2.0)))
        self.dropout = nn.Dropout(0.9)
        self.lengths = []

    def forward(self, x, lengths):
        self.lengths.append(lengths.tolist())
        inside = np.arange(len(x))[:, None, None] < lengths[:, None]
        return self.dropout(tg.tensor(np.where(inside, x, 0.0)).sum(axis=0) * self.weight)


def test_predictions_stand_in_the_order_of_the_sequences(backend_name):
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 3)) for n in (4, 1, 7, 2, 7, 3, 1)]
    model = Sums()
    found = train.predict(model, sequences, batch_size=2)
    np.testing.assert_allclose(found, [2 * x.sum(axis=0) for x in sequences])
    assert model.lengths == [[1, 1], [2, 3], [4, 7], [7]]  # little padding
    assert type(found) is np.ndarray
    assert model.training  # as it was
    train.predict(model.eval(), sequences)
    assert not model.training


def test_a_model_that_fails_is_left_as_it_was():
    model = Sums()
    with pytest.raises(ValueError, match="expected at least one"):
        train.predict(model, [])
    with pytest.raises(TypeError):
        train.predict(model, [np.ones((2, 3)), np.ones((2, 3), int)])
    model.dropout = None
    with pytest.raises(TypeError):
        train.predict(model, [np.ones((2, 3))])
    assert model.training
