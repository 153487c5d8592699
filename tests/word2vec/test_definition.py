"""The definition: its steps are SGD on the modules' graph, its samples are what they should be."""

import numpy as np
import pytest
from corpora import ids_corpus, vectors

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.word2vec import definition


def modules(words, width, *, combine=None):
    """A model on the graph in float64, and its parameters' first values."""
    inputs, outputs = (a.astype(np.float64) for a in vectors(words, width))
    embedding = nn.Embedding(words, width, dtype=np.float64)
    output = nn.NegativeSampling(width, nn.UnigramSampler(np.ones(words)), dtype=np.float64)
    embedding.load_state_dict({"weight": inputs})
    output.load_state_dict({"weight": outputs})
    model = (
        nn.SkipGram(embedding, output) if combine is None else nn.CBOW(embedding, output, combine)
    )
    return model, inputs, outputs


def stepped(model, loss, alpha):
    """Both parameters after one step of SGD on the loss."""
    loss.backward()
    tg.optim.SGD(model.parameters(), lr=alpha).step()
    return model.embedding.weight.detach().numpy(), model.output.weight.detach().numpy()


# ruff formats the lists one number a line where they are long: they stay short
CONTEXTS, ROWS, ALPHA = [4, 1, 4, 9], [2, 7, 5, 8], 0.3
"""One context word stands twice; the first row is the target."""


def test_skipgram_step_is_sgd_on_the_graph():
    model, inputs, outputs = modules(10, 6)
    targets = np.full(len(CONTEXTS), ROWS[0])
    loss = model(CONTEXTS, targets, negatives=np.array(ROWS[1:]), reduction="sum")
    value = definition.skipgram_step(inputs, outputs, CONTEXTS, ROWS, ALPHA)
    assert value == pytest.approx(float(loss.item()), rel=1e-12)
    for mine, theirs in zip((inputs, outputs), stepped(model, loss, ALPHA), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_cbow_step_is_sgd_on_the_graph(combine):
    model, inputs, outputs = modules(10, 6, combine=combine)
    loss = model([CONTEXTS], [ROWS[0]], negatives=np.array([ROWS[1:]]), reduction="sum")
    exact = combine == "mean"
    value = definition.cbow_step(inputs, outputs, CONTEXTS, ROWS, ALPHA, exact, exact)
    assert value == pytest.approx(float(loss.item()), rel=1e-12)
    for mine, theirs in zip((inputs, outputs), stepped(model, loss, ALPHA), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_inexact_gradient_is_as_many_times_larger_as_there_are_contexts():
    changes = []
    for exact in (True, False):
        _, inputs, outputs = modules(10, 6)
        before = inputs.copy()
        definition.cbow_step(inputs, outputs, CONTEXTS, ROWS, ALPHA, True, exact)
        changes.append(inputs - before)
    np.testing.assert_allclose(changes[1], changes[0] * len(CONTEXTS), rtol=1e-9)


@pytest.mark.parametrize("shared", [True, False])
def test_an_epoch_is_sgd_on_the_graph(shared):
    """Windows and negatives are taken from `examples`, the steps from autodiff."""
    corpus, words, seed = ids_corpus((30, 2, 25), words=30), 30, 11
    model, inputs, outputs = modules(words, 5)
    n, alpha = len(corpus.ids), 0.2
    kind = definition.SKIPGRAM if shared else definition.PAIRS
    rate = (alpha, -alpha / n, 0)
    arguments = (0, n, rate, 3, True, seed, 0, kind, (True, False))
    loss, pairs = definition.train(4, corpus, inputs, outputs, *arguments)
    total, count = 0.0, 0
    for example in definition.examples(corpus, 0, n, 3, True, seed, 4, shared):
        rows = example.outputs if not shared else example.outputs * len(example.contexts)
        groups = [range(len(rows))] if shared else [[i] for i in range(len(rows))]
        for group in groups:
            chosen = [example.contexts[i] for i in group]
            targets = np.array([rows[i][0] for i in group])
            negatives = np.array([rows[i][1:] for i in group])
            value = model(chosen, targets, negatives=negatives, reduction="sum")
            model.zero_grad()
            stepped(model, value, float(np.float32(alpha - alpha / n * example.position)))
            total, count = total + float(value.item()), count + len(group)
    assert (loss, pairs) == (pytest.approx(total, rel=1e-9), count)
    np.testing.assert_allclose(inputs, model.embedding.weight.detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(outputs, model.output.weight.detach().numpy(), rtol=1e-9)


def test_sigmoid_saturates_and_no_pair_is_dropped():
    inputs, outputs = np.full((2, 1), 100.0), np.array([[100.0], [100.0]])
    loss = definition.skipgram_step(inputs, outputs, [0], [0, 1], 0.1)
    assert loss == pytest.approx(10_000)
    assert inputs[0, 0] == pytest.approx(100 - 0.1 * 100)
    assert outputs[:, 0] == pytest.approx([100, 100 - 0.1 * 100])


# ---- samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [[1], [5, 1], [1000, 30, 30, 2, 1, 1], [7] * 10])
def test_alias_table_has_the_weights(counts):
    weights = np.array(counts, float) ** 0.75
    chance, alias = definition.alias_table(weights)
    own = chance / 2**32
    drawn = (own + np.bincount(alias, 1 - own, len(counts))) / len(counts)
    np.testing.assert_allclose(drawn, weights / weights.sum(), atol=1e-9)


def test_kept_words_and_windows_are_as_often_as_they_should_be():
    corpus = ids_corpus((50_000,), words=40, sample=0.01)
    counts = np.bincount(corpus.ids, minlength=40)
    found = list(definition.examples(corpus, 0, 50_000, 4, True, 5, 0, True))
    kept = np.bincount(corpus.ids[[e.position for e in found]], minlength=40)
    chance = corpus.keep / 2**32
    assert chance.min() < 0.3
    assert np.abs(kept / counts - chance).max() < 6 * np.sqrt(0.25 / counts.min())
    reach = np.bincount([e.before for e in found[10:]])[1:]
    assert np.abs(reach / reach.sum() - 0.25).max() < 0.02
    negatives = definition.examples(corpus, 0, 20_000, 4, True, 5, 3, True)
    drawn = np.bincount([row for e in negatives for row in e.outputs[0][1:2]], minlength=40)
    share = 1 / (1 + np.arange(40)) ** 0.75
    assert abs(drawn[20:].sum() / drawn.sum() - share[20:].sum() / share.sum()) < 0.03


def test_negatives_differ_from_each_other_and_the_target():
    sampler = definition.alias_table(np.array([100.0, 1, 1, 1]))
    for counter in range(50):
        _, rows = definition.negatives(definition.mix(counter), 1, 3, sampler)
        assert len(set(rows)) == len(rows)
        assert rows[0] == 1


def test_hashes_are_mix():
    seed = 2**64 - 3
    expected = [definition.mix((seed + p * definition.STEP) & definition.ALL_BITS) for p in (5, 6)]
    assert definition.hashes(seed, 5, 7).tolist() == expected


def test_merged_changes_of_rare_words_add_up_and_of_common_ones_are_the_mean():
    scale = definition.merge_scales(np.array([0, 1e-3, 1e9]), 0.025, 4)
    np.testing.assert_allclose(scale, [1, 1, 0.25], atol=1e-4)
    base = np.array([[1.0], [10.0]], np.float32)
    copies = np.array([[[2.0], [11.0]], [[4.0], [12.0]]], np.float32)
    definition.merge(base, copies, np.array([1, 0.5], np.float32))
    assert base.tolist() == [[5.0], [11.5]]
    assert copies.tolist() == [base.tolist()] * 2


def test_ops_of_the_loss():
    """The definition's loss is -log σ, written without overflow."""
    x = np.linspace(-50, 50, 11)
    _, loss = definition._errors(x[:, None], 1.0)
    expected = -ops.sum(ops.logsigmoid(tg.tensor(x))).item()
    assert loss == pytest.approx(float(expected), rel=1e-12)
