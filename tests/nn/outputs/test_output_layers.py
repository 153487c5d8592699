"""Output layers: the losses written out, gradients to second order, laws, sparse gradients."""

import tracemalloc

import numpy as np
import pytest
from nn_layers import constant, functional, host, leaf, random
from output_layers import COUNTS, DRAWING, KINDS, SOFTMAXES, H, K, V, classes, losses, make

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim
from tinygrad_seq.testing import check_grads

every_kind = pytest.mark.parametrize("kind", KINDS)
every_drawing = pytest.mark.parametrize("kind", DRAWING)
FLAT = [kind for kind in KINDS if kind != "tree"]


def negatives_for(kind, *shape):
    """Keywords with the negatives that the layer is given, some of them targets."""
    return {"negatives": classes(*shape, seed=4)} if kind in DRAWING else {}


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("kind", FLAT)
def test_losses_are_those_of_the_formula(kind, own, backend_name):
    layer, hidden, targets = make(kind), random(6, H), classes(6)
    given = negatives_for(kind, *((6, K) if own else (K,)))
    wanted = losses(
        kind, layer, hidden, targets, np.broadcast_to(given.get("negatives", 0), (6, K))
    )
    on = {key: constant(array) for key, array in given.items()}
    found = layer(leaf(hidden), constant(targets), reduction="none", **on)
    assert found.backend == backend_name
    np.testing.assert_allclose(host(found), wanted, rtol=1e-12)
    total = layer(leaf(hidden), constant(targets), reduction="sum", **on)
    assert total.item() == pytest.approx(wanted.sum(), rel=1e-12)
    mean = layer(leaf(hidden), constant(targets), **on)
    assert mean.item() == pytest.approx(wanted.mean(), rel=1e-12)


def test_sampled_softmax_corrects_for_draws_made_distinct():
    layer, hidden, targets = make("sampled"), random(6, H), classes(6)
    samples = np.array([0, 5, 1, 2])
    found = layer(leaf(hidden), targets, reduction="none", negatives=samples, tries=9)
    wanted = losses("sampled", layer, hidden, targets, np.tile(samples, (6, 1)), tries=9)
    np.testing.assert_allclose(host(found), wanted, rtol=1e-12)


@pytest.mark.parametrize("own", [True, False])
@every_kind
def test_derivatives_to_second_order(kind, own):
    layer = make(kind)
    given = negatives_for(kind, *((4, K) if own else (K,)))
    targets = classes(4, seed=1)

    def call(hidden):
        return layer(hidden, targets, **given)

    points = [leaf(host(p)) for p in layer.parameters()]
    check_grads(functional(layer, call), [*points, leaf(random(4, H))], order=2)


@pytest.mark.parametrize("kind", SOFTMAXES)
def test_log_probabilities_sum_to_one_and_have_derivatives(kind, backend_name):
    layer = make(kind)
    hidden = random(2, 5, H)
    found = layer.log_probabilities(constant(hidden))
    assert found.shape == (2, 5, V)
    np.testing.assert_allclose(np.exp(host(found)).sum(-1), 1, rtol=1e-12)
    points = [leaf(host(p)) for p in layer.parameters()]
    check_grads(functional(layer, layer.log_probabilities), [*points, leaf(random(2, H))], order=2)


@pytest.mark.parametrize("kind", ["full", "tree"])
def test_exact_losses_are_those_of_the_log_probabilities(kind):
    layer, hidden, targets = make(kind), constant(random(3, 4, H)), classes(3, 4)
    wanted = ops.nll_loss(layer.log_probabilities(hidden).reshape(12, V), targets.reshape(12))
    assert layer(hidden, targets).item() == pytest.approx(wanted.item(), rel=1e-12)


@pytest.mark.parametrize(
    "sampler",
    [nn.LogUniformSampler(V), nn.UnigramSampler(COUNTS), nn.UnigramSampler(COUNTS, exponent=0)],
    ids=["log_uniform", "unigram", "uniform"],
)
def test_sampled_softmax_with_all_classes_is_the_softmax(sampler):
    """Loss and every gradient: each class is there once, so nothing is left to correct."""
    sampled = nn.SampledSoftmax(H, sampler, V, bias=True, dtype="float64")
    full = nn.FullSoftmax(H, V, bias=True, dtype="float64")
    full.load_state_dict(sampled.state_dict())
    targets, results = classes(5, 2), []
    for layer in (full, sampled):
        hidden = leaf(random(5, 2, H))
        loss = layer(hidden, targets)
        loss.backward()
        results.append([loss, hidden.grad, layer.weight.grad, layer.bias.grad])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(host(a), host(b), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", [kind for kind in SOFTMAXES if kind in DRAWING])
def test_evaluation_is_over_all_classes(kind):
    """Unless negatives are given; training draws again."""
    layer, hidden, targets = make(kind), constant(random(6, H)), classes(6)
    exact = losses("full", layer, random(6, H), targets)
    given = negatives_for(kind, K)
    in_training = host(layer(hidden, targets, reduction="none", **given))
    layer.eval()
    np.testing.assert_allclose(host(layer(hidden, targets, reduction="none")), exact, rtol=1e-12)
    np.testing.assert_array_equal(
        host(layer(hidden, targets, reduction="none", **given)), in_training
    )
    layer.train()
    assert not np.allclose(host(layer(hidden, targets, reduction="none")), exact)


@every_kind
def test_masked_targets_are_not_even_read(kind):
    """Loss and gradients are those of the rest; what is masked may be anything."""
    layer, hidden, targets = make(kind), random(3, 2, H), classes(3, 2)
    mask = np.array([[True, False], [True, True], [False, True]])
    given = negatives_for(kind, 3, 2, K)
    rest = {key: array[mask] for key, array in given.items()}
    alone = leaf(hidden[mask])
    each = layer(alone, targets[mask], reduction="none", **rest)
    ops.mean(each).backward()
    wanted = [host(p.grad) for p in layer.parameters()]
    layer.zero_grad()
    hidden[~mask], targets[~mask] = np.nan, -1
    for array in given.values():
        array[~mask] = V + 9
    padded = leaf(hidden)
    layer(padded, targets, mask=mask, **given).backward()
    np.testing.assert_allclose(host(padded.grad)[mask], host(alone.grad), rtol=1e-12)
    assert not host(padded.grad)[~mask].any()
    for p, g in zip(layer.parameters(), wanted, strict=True):
        np.testing.assert_allclose(host(p.grad), g, rtol=1e-12)
    found = host(layer(padded, targets, mask=mask, reduction="none", **given))
    np.testing.assert_allclose(found[mask], host(each), rtol=1e-12)
    assert not found[~mask].any()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "full"])
def test_gradients_hold_only_the_rows_that_were_read(kind):
    layer = make(kind)
    layer(leaf(random(2, H)), np.array([1, 5]), **negatives_for(kind, 2)).backward()
    for parameter in layer.parameters():
        assert isinstance(parameter.grad, ops.RowSparseTensor)
        rows, _ = parameter.grad.coalesced()
        if kind == "tree":
            read = {n for c in (1, 5) for n in path(layer.tree, c)[0]}
        else:
            read = {1, 5, *classes(2, seed=4)}
        assert set(rows) == read
        assert parameter.grad._dense is None


def path(tree, c):
    """Nodes and turns of a class."""
    at = slice(tree.offsets[c], tree.offsets[c + 1])
    return tree.nodes[at].tolist(), tree.turns[at].tolist()


@every_drawing
def test_a_step_makes_nothing_as_large_as_the_vocabulary(kind):
    layer, size = make(kind), 10**6
    layer.sampler, layer.num_classes = nn.LogUniformSampler(size), size
    layer.weight, layer.bias = nn.Parameter(np.zeros((size, H))), nn.Parameter(np.zeros(size))
    hidden, targets = leaf(random(3, H)), np.array([0, 7, size - 1])
    layer(hidden, targets).backward()
    layer.zero_grad()
    tracemalloc.start()
    layer(hidden, targets).backward()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000
    rows, _ = layer.weight.grad.coalesced()
    assert {0, 7, size - 1} <= set(rows)
    assert len(rows) <= 3 + 3 * K


@every_kind
def test_they_learn_what_the_targets_are(kind):
    """Two clusters of hidden states; SGD with row-sparse gradients finds their classes."""
    layer = make(kind, dtype=np.float32)
    hidden = tg.tensor(np.repeat(np.eye(2, H, dtype=np.float32) * 2, 8, axis=0))
    targets = np.repeat([2, 5], 8)
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        layer(hidden, targets).backward()
        optimizer.step()
    scores = layer.log_probabilities if kind in SOFTMAXES else layer.logits
    np.testing.assert_array_equal(host(scores(hidden)).argmax(-1), targets)


@every_drawing
def test_one_seed_draws_the_same_samples(kind):
    hidden, targets = constant(random(5, H)), classes(5)
    found = [make(kind, seed=s)(hidden, targets, reduction="none") for s in (1, 1)]
    np.testing.assert_array_equal(host(found[0]), host(found[1]))
    layer = make(kind)
    again = [layer(hidden, targets).item() for _ in range(2)]
    assert again[0] != again[1]
    plain = nn.NCE(H, nn.UnigramSampler(COUNTS), K, dtype="float64")  # the default generator
    drawn = []
    for _ in range(2):
        tg.manual_seed(5)
        drawn.append(plain(hidden, targets).item())
    assert drawn[0] == drawn[1]


@every_kind
def test_shapes_of_hidden_states(kind):
    layer = make(kind)
    for shape in ((), (1,), (2, 3), (2, 3, 2), (0,), (3, 0)):
        each = layer(constant(random(*shape, H)), classes(*shape), reduction="none")
        assert each.shape == shape
        assert layer(constant(random(*shape, H)), classes(*shape), reduction="sum").shape == ()


@every_kind
def test_float32_stays_float32(kind):
    layer = make(kind, dtype=np.float32)
    hidden = leaf(random(4, H).astype(np.float32))
    loss = layer(hidden, classes(4))
    loss.backward()
    kept = {loss.dtype, hidden.grad.dtype, *(p.grad.dtype for p in layer.parameters())}
    assert kept == {np.dtype(np.float32)}


@every_kind
def test_large_scores_stay_finite(kind):
    layer = make(kind, dtype=np.float32)
    for sign in (1, -1):
        hidden = leaf(np.full((4, H), sign * 1e4, np.float32))
        with tg.detect_anomaly():
            layer(hidden, classes(4), **negatives_for(kind, K)).backward()
        assert np.isfinite(host(hidden.grad)).all()


@every_kind
def test_state_goes_into_another_layer(kind):
    layer, other = make(kind, seed=1), make(kind, seed=2)
    other.load_state_dict(layer.state_dict())
    hidden, targets = constant(random(4, H)), classes(4)
    given = negatives_for(kind, K)
    assert layer(hidden, targets, **given).item() == other(hidden, targets, **given).item()
    assert repr(layer).startswith(f"{type(layer).__name__}({H}, {V})")


class LanguageModel(nn.Module):
    """A GRU over word vectors, and any output layer over its hidden states."""

    def __init__(self, output, tied):
        self.embedding = nn.Embedding(V, H, sparse=True, generator=tg.Generator(1))
        self.recurrent = nn.GRU(H, H, generator=tg.Generator(2))
        self.output = output
        if tied:
            self.output.weight = self.embedding.weight

    def forward(self, ids, targets, mask=None):
        hidden, _ = self.recurrent(self.embedding(ids))
        return self.output(hidden, targets, mask=mask)


@pytest.mark.parametrize(
    ("kind", "tied"), [*((kind, False) for kind in KINDS), *((kind, True) for kind in FLAT)]
)
def test_output_layer_of_a_language_model(kind, tied):
    """Hidden states (T, B, H); the text goes round in a circle, and the model learns it."""
    model = LanguageModel(make(kind, dtype=np.float32), tied)
    text = np.arange(9)[:, None] * np.ones(4, int) + np.arange(4)
    ids, targets = text[:-1] % V, text[1:] % V
    mask = np.arange(8)[:, None] < np.array([8, 5, 8, 1])
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    losses_of = []
    for _ in range(80):
        optimizer.zero_grad()
        loss = model(ids, targets, mask)
        loss.backward()
        table = model.embedding.weight
        assert isinstance(table.grad, ops.RowSparseTensor) is not (tied and kind == "full")
        optimizer.step()
        losses_of.append(loss.item())
    assert np.mean(losses_of[-10:]) < 0.6 * np.mean(losses_of[:5])
