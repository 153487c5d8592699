"""SkipGram and CBOW over every output layer: values, gradients, ragged contexts, bad input."""

import numpy as np
import pytest
from nn_layers import constant, functional, host, leaf
from output_layers import DRAWING, KINDS, H, K, V, classes, log_sigmoid, make

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim
from tinygrad_seq.testing import check_grads

C = 3
MASK = np.array(
    [[True, True, True], [False, True, False], [False, False, False], [True, False, True]]
)
COMBINATIONS = {
    "concat": lambda e, there: (e * there[:, None]).reshape(-1),
    "sum": lambda e, there: e[there].sum(0),
    "mean": lambda e, there: e[there].sum(0) / max(1, there.sum()),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def embedding(**options):
    return nn.Embedding(V, H, dtype="float64", generator=tg.Generator(1), **options)


def negatives_for(kind):
    return {"negatives": classes(K, seed=4)} if kind in DRAWING else {}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("combine", COMBINATIONS)
def test_cbow_combines_its_context(combine, masked, backend_name):
    width = C * H if combine == "concat" else H
    model = nn.CBOW(embedding(), make("full", width=width), combine)
    contexts = classes(4, C)
    mask = MASK if masked else np.ones_like(MASK)
    e = host(model.embedding.weight)[contexts]
    wanted = [COMBINATIONS[combine](*pair) for pair in zip(e, mask, strict=True)]
    given = constant(mask) if masked else None
    found = model.hidden(constant(contexts), given)
    np.testing.assert_allclose(host(found), wanted, rtol=1e-13, atol=1e-15)
    assert found.backend == backend_name
    targets = classes(4)
    loss = model(constant(contexts), constant(targets), mask=given)
    assert loss.item() == pytest.approx(model.output(found, constant(targets)).item())


@pytest.mark.parametrize("combine", COMBINATIONS)
@every_kind
def test_cbow_to_second_order(kind, combine):
    model = nn.CBOW(embedding(), make(kind, width=C * H if combine == "concat" else H), combine)
    contexts, targets = classes(4, C), classes(4)

    def call():
        return model(contexts, targets, mask=MASK, **negatives_for(kind))

    check_grads(functional(model, call), [leaf(host(p)) for p in model.parameters()], order=2)


@every_kind
def test_skipgram_to_second_order(kind):
    model = nn.SkipGram(embedding(), make(kind))
    words, contexts = classes(4), classes(4, C)

    def call():
        return model(words, contexts, mask=MASK, **negatives_for(kind))

    check_grads(functional(model, call), [leaf(host(p)) for p in model.parameters()], order=2)


@every_kind
def test_skipgram_of_a_window_is_that_of_its_pairs(kind):
    model = nn.SkipGram(embedding(), make(kind))
    words, contexts, given = classes(4), classes(4, C), negatives_for(kind)
    pairs = [(w, c) for w, row, m in zip(words, contexts, MASK, strict=True) for c in row[m]]
    ones, others = map(np.array, zip(*pairs, strict=True))
    single = model(ones, others, **given)
    ragged = contexts.copy()
    ragged[~MASK] = -7  # what is absent may be anything
    assert model(words, ragged, mask=MASK, **given).item() == pytest.approx(single.item())
    each = host(model(words, ragged, mask=MASK, reduction="none", **given))
    np.testing.assert_allclose(
        each[MASK], host(model(ones, others, reduction="none", **given)), rtol=1e-12
    )
    assert not each[~MASK].any()


def test_skipgram_with_negatives_given_is_the_lectures_objective():
    model = nn.SkipGram(embedding(), make("negative", bias=False))
    words, contexts, negatives = np.array([0, 3]), np.array([1, 2]), np.array([[4, 5], [6, 2]])
    e, w = host(model.embedding.weight), host(model.output.weight)
    wanted = -(
        log_sigmoid(e[0] @ w[1]) + log_sigmoid(-e[0] @ w[4]) + log_sigmoid(-e[0] @ w[5])
        + log_sigmoid(e[3] @ w[2]) + log_sigmoid(-e[3] @ w[6])  # 2 is the target itself
    )  # fmt: skip
    found = model(words, contexts, negatives=negatives, reduction="sum")
    assert found.item() == pytest.approx(wanted, rel=1e-12)


def test_mean_divides_the_gradient_by_the_number_of_contexts():
    model = nn.CBOW(embedding(), make("full"))
    contexts = np.array([[1, 2, 1], [4, 5, 6]])
    mask = np.array([[True, True, True], [True, False, False]])
    h_grad = np.array([[1.0, 2.0, 3.0], [5.0, 7.0, 11.0]])
    model.hidden(contexts, mask).backward(constant(h_grad))
    wanted = np.zeros((V, H))
    wanted[1], wanted[2], wanted[4] = h_grad[0] * 2 / 3, h_grad[0] / 3, h_grad[1]
    np.testing.assert_allclose(host(model.embedding.weight.grad), wanted, rtol=1e-14)


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_absent_context_words_are_not_even_read(combine):
    model = nn.CBOW(
        embedding(sparse=True), make("negative", width=C * H if combine == "concat" else H), combine
    )
    contexts = np.where(MASK, classes(4, C), 10**6)
    model(contexts, classes(4), mask=MASK).backward()
    rows, _ = model.embedding.weight.grad.coalesced()
    assert set(rows) == set(contexts[MASK])


def test_a_combination_of_ones_own():
    def middle_twice(vectors, counts):
        return ops.sum(vectors, 1) + vectors[:, 1]

    model = nn.CBOW(embedding(), make("full"), middle_twice)
    contexts = classes(4, C)
    e = host(model.embedding.weight)[contexts]
    np.testing.assert_allclose(host(model.hidden(contexts)), e.sum(1) + e[:, 1], rtol=1e-14)


def test_contexts_of_a_sequence():
    """(T, B, C) contexts and (T, B) words, as of a batch of texts."""
    contexts, words = classes(5, 2, C), classes(5, 2)
    cbow = nn.CBOW(embedding(), make("full"))
    assert cbow.hidden(contexts).shape == (5, 2, H)
    flat = cbow(contexts.reshape(10, C), words.reshape(10))
    assert cbow(contexts, words).item() == pytest.approx(flat.item())
    skipgram = nn.SkipGram(embedding(), make("full"))
    flat = skipgram(words.reshape(10), contexts.reshape(10, C))
    assert skipgram(words, contexts).item() == pytest.approx(flat.item())
    assert cbow(contexts[:, :, :0], words).item() > 0  # no contexts at all: h is 0


@pytest.mark.parametrize("architecture", ["skipgram", "concat", "sum", "mean"])
@every_kind
def test_they_learn_which_words_stand_together(kind, architecture):
    """Words 0 1 2 stand together, and 4 5 6; vectors of one group become alike."""
    random_words = np.random.default_rng(0)
    first = np.repeat([0, 4], 30)
    text = first[:, None] + random_words.permuted(np.tile(np.arange(3), (60, 1)), axis=1)
    words, contexts = text[:, 1], text[:, [0, 2]]
    table = nn.Embedding(V, H, generator=tg.Generator(1), sparse=True)
    width = 2 * H if architecture == "concat" else H
    output = make(kind, width=width, dtype=np.float32)
    if architecture == "skipgram":
        model = nn.SkipGram(table, output)
        batch = (words, contexts)
    else:
        model = nn.CBOW(table, output, architecture)
        batch = (contexts, words)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    start = np.mean([model(*batch).item() for _ in range(5)])
    for _ in range(60):
        optimizer.zero_grad()
        model(*batch).backward()
        optimizer.step()
    assert np.mean([model(*batch).item() for _ in range(5)]) < 0.8 * start


WRONG = [
    (TypeError, "SkipGram: embedding is a Linear, expected an Embedding",
     lambda: nn.SkipGram(nn.Linear(2, 3), make("full"))),
    (TypeError, "SkipGram: output is a Linear, expected an OutputLayer",
     lambda: nn.SkipGram(embedding(), nn.Linear(H, V))),
    (ValueError, "SkipGram: output takes 5 features, expected 3",
     lambda: nn.SkipGram(embedding(), make("full", width=5))),
    (TypeError, "CBOW: output is a NoneType", lambda: nn.CBOW(embedding(), None)),
    (ValueError, "combine is 'max', expected one of .'concat', 'mean', 'sum'., or a function",
     lambda: nn.CBOW(embedding(), make("full"), "max")),
    (ValueError, r"SkipGram: contexts are \(3, 2\), expected \(2,\) or \(2, 'C'\)",
     lambda: nn.SkipGram(embedding(), make("full"))([1, 2], classes(3, 2))),
    (IndexError, "FullSoftmax: targets: index 7 is out of range",
     lambda: nn.SkipGram(embedding(), make("full"))([1, 2], [0, V])),
    (IndexError, "index 7 is out of range",
     lambda: nn.SkipGram(embedding(), make("full"))([V], [0])),
    (TypeError, "SkipGram: contexts are float64, expected integers",
     lambda: nn.SkipGram(embedding(), make("full"))([1], [0.5])),
    (ValueError, r"CBOW: contexts are \(\)", lambda: nn.CBOW(embedding(), make("full"))(1, 2)),
    (ValueError, r"CBOW: mask is \(3,\), expected \(2, 3\)",
     lambda: nn.CBOW(embedding(), make("full"))(classes(2, 3), [1, 2], mask=np.ones(3, bool))),
    (TypeError, "CBOW: mask is float64, expected booleans",
     lambda: nn.CBOW(embedding(), make("full"))(classes(2, 3), [1, 2], mask=np.ones((2, 3)))),
    (ValueError, r"FullSoftmax: the input is \(2, 9\), expected \(..., 3\)",
     lambda: nn.CBOW(embedding(), make("full"), "concat")(classes(2, 3), [1, 2])),
    (ValueError, r"FullSoftmax: targets are \(3,\), expected \(2,\)",
     lambda: nn.CBOW(embedding(), make("full"))(classes(2, 3), [1, 2, 0])),
    (IndexError, "out of range", lambda: nn.CBOW(embedding(), make("full"))([[V, 0]], [1])),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "call"), WRONG, ids=[w[1][:40] for w in WRONG])
def test_bad_input(error, message, call):
    with pytest.raises(error, match=message):
        call()
