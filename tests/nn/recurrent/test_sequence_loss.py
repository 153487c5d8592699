"""Cross-entropy over the steps of sequences: ops.cross_entropy of all of them in a row."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn

RNG = np.random.default_rng(0)
LOGITS, TARGETS = RNG.normal(size=(4, 3, 5)), RNG.integers(0, 5, (4, 3))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_sequence_cross_entropy(reduction):
    flat = LOGITS.reshape(-1, 5)
    p = np.exp(flat) / np.exp(flat).sum(axis=1, keepdims=True)
    losses = -np.log(p[np.arange(12), TARGETS.reshape(-1)]).reshape(4, 3)
    found = nn.sequence_cross_entropy(tg.tensor(LOGITS), TARGETS, reduction=reduction)
    assert found.item() == pytest.approx(getattr(losses, reduction)())
    padded = TARGETS.copy()
    padded[2:, 1] = -1
    found = nn.sequence_cross_entropy(tg.tensor(LOGITS), tg.tensor(padded), -1, reduction)
    assert found.item() == pytest.approx(getattr(losses[padded >= 0], reduction)())


def test_targets_must_be_as_many_as_logits():
    with pytest.raises(ValueError, match=r"targets are \(3, 4\), expected \(4, 3\)"):
        nn.sequence_cross_entropy(tg.tensor(LOGITS), TARGETS.T)
    with pytest.raises(IndexError):
        nn.sequence_cross_entropy(tg.tensor(LOGITS), TARGETS + 1)


def test_gradient_reaches_only_what_counts():
    logits = tg.Tensor(LOGITS.copy(), requires_grad=True)
    targets = np.where(np.arange(3) == 1, -100, TARGETS)
    nn.sequence_cross_entropy(logits, targets).backward()
    grad = logits.grad.numpy()
    assert not grad[:, 1].any()
    np.testing.assert_allclose(grad.sum(axis=-1), 0, atol=1e-12)
    assert np.abs(grad[:, 0]).min() > 0
