"""CRF: loss, gradients and best tags equal brute force over all sequences of tags."""

import itertools

import numpy as np
import pytest
from nn_layers import constant, host, leaf, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim
from tinygrad_seq.testing import check_grads

T, K = 4, 3
LENGTHS = np.array([4, 1, 0, 3, 2])


def make(dtype="float64", spread=2.0):
    """A CRF whose scores are not small."""
    crf = nn.CRF(K, dtype=dtype)
    for n, parameter in enumerate(crf.parameters()):
        with tg.no_grad():
            drawn = spread * random(*parameter.shape, seed=n)
            parameter[...] = constant(drawn.astype(dtype))
    return crf


def score(crf, x, tags):
    """The score of one sequence of tags, by its formula. x (T, K)"""
    start, end, moves = (host(p) for p in crf.parameters())
    total = sum(x[t, k] for t, k in enumerate(tags))
    total += sum(moves[a, b] for a, b in itertools.pairwise(tags))
    return total + start[tags[0]] + end[tags[-1]] if len(tags) else 0.0


def all_scores(crf, x):
    return {tags: score(crf, x, tags) for tags in itertools.product(range(K), repeat=len(x))}


@pytest.mark.parametrize("lengths", [None, LENGTHS, LENGTHS.tolist()])
def test_loss_is_minus_log_of_the_share(lengths, backend_name):
    crf, data = make(), random(T, 5, K)
    tags = np.random.default_rng(0).integers(0, K, (T, 5))
    losses = host(crf(leaf(data), tags, lengths, reduction="none"))
    for b, n in enumerate(LENGTHS if lengths is not None else [T] * 5):
        scores = all_scores(crf, data[:n, b])
        wanted = np.log(sum(map(np.exp, scores.values()))) - scores[tuple(tags[:n, b])]
        np.testing.assert_allclose(losses[b], wanted, rtol=1e-12, atol=1e-12)
    for reduction, value in (("sum", losses.sum()), ("mean", losses.mean())):
        loss = crf(leaf(data), tags, lengths, reduction)
        np.testing.assert_allclose(host(loss), value, rtol=1e-12)


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_viterbi_is_the_best_of_all(spread, backend_name):
    crf, data = make(spread=spread), random(T, 5, K)
    found, scores = crf.viterbi(leaf(data), LENGTHS)
    for b, n in enumerate(LENGTHS):
        every = all_scores(crf, data[:n, b])
        assert tuple(found[b]) == max(every, key=every.get)
        np.testing.assert_allclose(scores[b], max(every.values()), rtol=1e-12)
    assert list(map(len, crf.viterbi(leaf(data))[0])) == [T] * 5


def test_probabilities_of_all_tags_add_up_to_one():
    crf, x = make("float32"), tg.tensor(random(T, 1, K).astype(np.float32))
    every = np.array(list(itertools.product(range(K), repeat=T))).T  # (T, K^T)
    losses = crf(ops.tile(x, (1, every.shape[1], 1)), every, reduction="none")
    assert losses.dtype == np.float32
    np.testing.assert_allclose(np.exp(-host(losses)).sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients_of_two_orders(lengths):
    crf, tags = make(), np.random.default_rng(0).integers(0, K, (T, 5))

    def loss(x, *parameters):
        names = ("start_transitions", "end_transitions", "transitions")
        vars(other).update(zip(names, parameters, strict=True))
        return other(x, tags, lengths, "none")

    other = make()
    parameters = [tg.tensor(host(p), requires_grad=True) for p in crf.parameters()]
    check_grads(loss, [tg.tensor(random(T, 5, K), requires_grad=True), *parameters])


def test_padding_is_invisible(backend_name):
    crf, data = make(), random(T, 5, K)
    tags = np.random.default_rng(0).integers(0, K, (T, 5))
    outside = np.arange(T)[:, None] >= LENGTHS
    found = []
    for filler, tag in ((0.0, 0), (np.nan, -100)):
        x = leaf(np.where(outside[:, :, None], filler, data))
        loss = crf(x, np.where(outside, tag, tags), LENGTHS)
        crf.zero_grad()
        loss.backward()
        gradients = [host(p.grad) for p in (x, *crf.parameters())]
        best, scores = crf.viterbi(x, LENGTHS)
        found.append([host(loss), *gradients, scores, *best])
        assert not host(x.grad)[outside].any()
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_forbidden_moves_are_never_made():
    crf = make()
    with tg.no_grad():
        crf.transitions[0, 1] = crf.transitions[1, 1] = crf.start_transitions[2] = -np.inf
    x = tg.tensor(random(T, 6, K) + np.array([0.0, 9.0, 3.0]), requires_grad=True)
    tags = [[0] * 6, [2] * 6, [1] * 6, [0] * 6]
    loss = crf(x, tags)
    loss.backward()
    assert all(np.isfinite(host(p.grad)).all() for p in (x, *crf.parameters()))
    assert not host(crf.transitions.grad)[[0, 1], [1, 1]].any()
    for row in crf.viterbi(x)[0]:
        assert row[0] != 2
        assert {(0, 1), (1, 1)}.isdisjoint(itertools.pairwise(row))
    assert crf(x, [[1] * 6, [1] * 6, [0] * 6, [0] * 6]).item() == np.inf


def test_learns_that_tags_alternate():
    """Emissions say nothing; only the transitions can tell."""
    crf, x = nn.CRF(2), tg.tensor(np.zeros((6, 2, 2), np.float32))
    tags = np.array([[0, 1], [1, 0]] * 3)
    optimizer = optim.Adam(crf.parameters(), lr=0.3)
    for _ in range(100):
        optimizer.zero_grad()
        loss = crf(x, tags)
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(np.log(2), rel=0.05)  # which of the two: unknown
    assert crf.viterbi(x)[0][0] in ([0, 1] * 3, [1, 0] * 3)


@pytest.mark.parametrize(
    ("emissions", "tags", "lengths", "error", "match"),
    [
        ((3, 2, 4), (3, 2), None, ValueError, r"emissions: the input is \(3, 2, 4\), expected"),
        ((0, 2, 3), (0, 2), None, ValueError, r"emissions are \(0, 2, 3\)"),
        ((2, 3), (2,), None, ValueError, r"emissions are \(2, 3\), expected \(T, B, K\)"),
        ((3, 2, 3), (2, 3), None, ValueError, r"tags are \(2, 3\), expected \(3, 2\)"),
        ((3, 2, 3), (3, 2), [3, 4], ValueError, "a length is 4, expected 0 to 3"),
        ((3, 2, 3), (3, 2), [3], ValueError, r"lengths are \(1,\), expected \(2,\)"),
    ],
)
def test_bad_shapes(emissions, tags, lengths, error, match):
    with pytest.raises(error, match=match):
        make()(tg.tensor(random(*emissions)), np.zeros(tags, int), lengths)


def test_bad_tags():
    crf, x = make(), tg.tensor(random(3, 2, K))
    with pytest.raises(IndexError, match="tag 2 of sequence 1 is 3, expected 0 to 2"):
        crf(x, [[0, 0], [1, 1], [2, 3]])
    with pytest.raises(IndexError, match="tag 0 of sequence 0 is -1"):
        crf(x, [[-1, 0], [1, 1], [2, 2]], [1, 1])
    with pytest.raises(TypeError, match="tags are float64"):
        crf(x, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="reduction is 'all'"):
        crf(x, np.zeros((3, 2), int), reduction="all")
    with pytest.raises(ValueError, match="num_tags is 0"):
        nn.CRF(0)
