"""Losses of similarity: what is refused, and that they pull together what belongs together."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim


def zeros(*shape):
    return tg.tensor(np.zeros(shape))


def separate(x):
    """Whether each utterance is nearest to its own speaker's centroid."""
    nearest = ops.ge2e_similarity(x).detach().numpy().argmax(axis=2)
    return nearest.tolist() == [[0] * 4, [1] * 4, [2] * 4]


@pytest.mark.parametrize("loss", [ops.ge2e_softmax_loss, ops.ge2e_contrast_loss])
def test_ge2e_separates_speakers(loss):
    """Three speakers whose utterances start out half mixed; the loss parts them."""
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.normal(size=(3, 4, 3)) + np.eye(3)[:, None], requires_grad=True)
    start = tg.tensor(x.detach())
    ge2e = nn.GE2E(loss, dtype="float64")
    assert (ge2e.weight.item(), ge2e.bias.item()) == (10.0, -5.0)
    optimizer = optim.Adam([x, *ge2e.parameters()], lr=0.1)
    first = ge2e(x).item()
    for _ in range(100):
        optimizer.zero_grad()
        loss_now = ge2e(x)
        loss_now.backward()
        optimizer.step()
    assert loss_now.item() < 0.2 * first
    assert not separate(start)
    assert separate(x)


def test_the_weight_stays_above_zero():
    ge2e = nn.GE2E(dtype="float64")
    with tg.no_grad():
        ge2e.weight[...] = -3.0
    x = tg.tensor(np.random.default_rng(0).normal(size=(2, 2, 3)))
    assert ge2e(x).item() == pytest.approx(np.log(2), abs=1e-5)


def test_equal_vectors_have_a_gradient():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    loss = ops.triplet_loss(x, x * 1, x * 1)
    assert loss.item() == 1.0
    assert np.isfinite(tg.grad(loss, x).numpy()).all()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda: ops.triplet_loss(zeros(2, 3), zeros(2, 3), zeros(3)),
            r"negative: \(3,\), expected",
        ),
        (lambda: ops.triplet_loss(zeros(2, 3), zeros(1, 3), zeros(2, 3)), "positive: "),
        (lambda: ops.pairwise_distance(zeros(2), zeros(2), p=0.0), "p is 0.0"),
        (
            lambda: ops.cosine_embedding_loss(zeros(2, 3), zeros(3, 3), [1, 1]),
            r"targets are \(3, 3",
        ),
        (
            lambda: ops.cosine_embedding_loss(zeros(2, 3), zeros(2, 3), [1]),
            r"targets: \(1,\), expe",
        ),
        (lambda: ops.cosine_embedding_loss(zeros(2, 3), zeros(2, 3), [1, 0]), "nothing but 1 and"),
        (lambda: ops.ge2e_similarity(zeros(2, 1, 3)), r"embeddings are \(2, 1, 3\).*M at least 2"),
        (lambda: ops.ge2e_softmax_loss(zeros(2, 2, 3)), r"similarities are \(2, 2, 3\)"),
        (lambda: ops.triplet_loss(*[zeros(2, 3)] * 3, reduction="max"), "reduction is 'max'"),
    ],
)
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()
