"""Embedding: forms of indices, padding, max_norm, sparse gradients, pretrained tables."""

import numpy as np
import pytest
from nn_layers import constant, host, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.word2vec import WordVectors

V, D = 6, 3


def embedding(**options):
    return nn.Embedding(V, D, dtype="float64", generator=tg.Generator(2), **options)


ROWS = [[1, 5, 1], [0, 2, 5]]
FORMS = {
    "lists": ROWS,
    "tuples": tuple(map(tuple, ROWS)),
    "int64": np.array(ROWS),
    "int32": np.array(ROWS, np.int32),
    "uint8": np.array(ROWS, np.uint8),
    "not contiguous": np.array(ROWS).T.copy().T,
    "tensor": tg.tensor(ROWS),
    "int32 tensor": tg.tensor(np.array(ROWS, np.int32)),
}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_indices(form, sparse):
    layer = embedding(sparse=sparse, padding_idx=0)
    out, weights = layer(FORMS[form]), random(2, 3, D)
    np.testing.assert_array_equal(host(out), host(layer.weight)[np.array(ROWS)])
    (out * weights).sum().backward()
    wanted = np.zeros((V, D))
    np.add.at(wanted, np.array(ROWS), weights)
    wanted[0] = 0
    np.testing.assert_allclose(host(layer.weight.grad), wanted, rtol=1e-14)


def test_shapes_of_indices():
    layer = embedding()
    for shape in ((), (0,), (4,), (2, 0, 3), (2, 3, 4)):
        assert layer(np.zeros(shape, int)).shape == (*shape, D)
    assert layer(3).shape == (D,)
    assert layer(np.int32(3)).shape == (D,)
    np.testing.assert_array_equal(host(layer(3)), host(layer.weight)[3])


def test_it_is_the_product_with_one_hot():
    layer = embedding()
    product = ops.one_hot(np.array(ROWS), V, dtype="float64") @ layer.weight
    np.testing.assert_allclose(host(layer(ROWS)), host(product), rtol=1e-14)


@pytest.mark.parametrize("padding_idx", [2, -4])
def test_padding_row_starts_zero_and_gets_no_gradient(padding_idx):
    layer = embedding(padding_idx=padding_idx)
    assert layer.padding_idx == 2
    assert not host(layer.weight)[2].any()
    assert host(layer.weight)[[0, 1, 3, 4, 5]].all()
    nn.init.ones_(layer.weight)
    out = layer([2, 3, 2])
    assert host(out).all()  # the row is read as it is
    (out * 5).sum().backward()
    np.testing.assert_array_equal(host(layer.weight.grad)[2], [0, 0, 0])
    np.testing.assert_array_equal(host(layer.weight.grad)[3], [5, 5, 5])


def test_padding_row_of_a_tied_weight_learns_from_the_other_use():
    layer = embedding(padding_idx=2)
    (ops.linear(layer([2, 3]), layer.weight)).sum().backward()
    assert host(layer.weight.grad)[2].any()


def test_max_norm_shortens_only_what_is_read():
    layer = embedding(max_norm=0.5)
    before = host(layer.weight)
    norms = np.linalg.norm(before, axis=1)
    assert (norms > 0.5).all()
    out = host(layer([1, 4, 1]))
    after = host(layer.weight)
    np.testing.assert_array_equal(after[[0, 2, 3, 5]], before[[0, 2, 3, 5]])
    np.testing.assert_allclose(np.linalg.norm(after[[1, 4]], axis=1), 0.5, rtol=1e-6)
    np.testing.assert_allclose(
        after[[1, 4]], before[[1, 4]] * (0.5 / norms[[1, 4], None]), rtol=1e-6
    )
    np.testing.assert_array_equal(out, after[[1, 4, 1]])
    layer([1, 4])
    np.testing.assert_allclose(host(layer.weight), after, rtol=1e-6)


def test_max_norm_leaves_short_rows_and_takes_other_norms():
    layer = embedding(max_norm=1.0, norm_type=1.0)
    nn.init.constant_(layer.weight, 0.2)
    layer.weight.data[3] = 2.0
    layer(np.arange(V))
    np.testing.assert_array_equal(host(layer.weight)[0], [0.2, 0.2, 0.2])
    np.testing.assert_allclose(host(layer.weight)[3], [1 / 3] * 3, rtol=1e-6)


def test_max_norm_is_detected_by_a_graph_that_keeps_the_table():
    layer = embedding(max_norm=0.5)
    logits = ops.linear(tg.tensor(random(2, D), requires_grad=True), layer.weight)
    layer([1])
    with pytest.raises(RuntimeError, match="written into"):
        logits.sum().backward()


def test_sparse_gradient_holds_the_rows_that_were_read():
    layer = embedding(sparse=True)
    layer(ROWS).sum().backward()
    gradient = layer.weight.grad
    assert isinstance(gradient, ops.RowSparseTensor)
    rows, sums = gradient.coalesced()
    np.testing.assert_array_equal(rows, [0, 1, 2, 5])
    np.testing.assert_array_equal(sums, [[1] * D, [2] * D, [1] * D, [2] * D])
    layer(ROWS[0]).sum().backward()
    assert isinstance(layer.weight.grad, ops.RowSparseTensor)
    rows, sums = layer.weight.grad.coalesced()
    np.testing.assert_array_equal(sums[:, 0], [1, 4, 1, 3])


def test_dense_gradient_is_dense():
    layer = embedding()
    layer(ROWS).sum().backward()
    assert not isinstance(layer.weight.grad, ops.RowSparseTensor)


def test_sparse_and_tied_to_the_output_is_dense_and_right():
    tied, plain = embedding(sparse=True), embedding()
    for layer in (tied, plain):
        (ops.linear(layer([1, 4]), layer.weight) * random(2, V)).sum().backward()
    np.testing.assert_allclose(host(tied.weight.grad), host(plain.weight.grad), rtol=1e-14)


@pytest.mark.parametrize("freeze", [True, False])
def test_from_pretrained_copies_and_freezes(freeze, backend_name):
    table = random(V, D)
    source = constant(table)
    layer = nn.Embedding.from_pretrained(source, freeze=freeze, padding_idx=-1, sparse=True)
    assert (layer.num_embeddings, layer.embedding_dim, layer.padding_idx) == (V, D, V - 1)
    assert layer.weight.requires_grad is not freeze
    assert layer.weight.backend == backend_name
    np.testing.assert_array_equal(host(layer.weight), table)  # the padding row is kept
    nn.init.zeros_(layer.weight)
    np.testing.assert_array_equal(host(source), table)
    assert layer.training


def test_from_pretrained_defaults_and_subclass():
    class Words(nn.Embedding):
        """A subclass."""

    layer = Words.from_pretrained([[1.0, 2.0], [3.0, 4.0]])
    assert isinstance(layer, Words)
    assert not layer.weight.requires_grad
    assert layer.weight.dtype == np.float32
    assert nn.Embedding.from_pretrained(random(2, 2)).weight.dtype == np.float64
    np.testing.assert_array_equal(host(layer([1])), [[3, 4]])
    assert repr(layer) == "Words(2, 2)  # 4 parameters"


BAD_INDICES = [
    (IndexError, "index 6 is out of range, expected 0 to 5", [[0, 6]]),
    (IndexError, "index -1 is out of range", np.array([-1])),
    (IndexError, "out of range", tg.tensor(np.array([9, 0], np.uint8))),
    (TypeError, "float64, expected integers", [0.5]),
    (TypeError, "float32, expected integers", tg.zeros(2)),
    (TypeError, "bool, expected integers", np.array([True])),
    (TypeError, "expected integers", []),
    (TypeError, "expected", "abc"),
    (ValueError, "inhomogeneous", [[1], [1, 2]]),
]


@pytest.mark.parametrize("max_norm", [None, 0.5])
@pytest.mark.parametrize("i", range(len(BAD_INDICES)))
def test_bad_indices_are_refused_and_change_nothing(i, max_norm):
    error, message, indices = BAD_INDICES[i]
    layer = embedding(max_norm=max_norm)
    before = host(layer.weight)
    with pytest.raises(error, match=message):
        layer(indices)
    np.testing.assert_array_equal(host(layer.weight), before)


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("num_embeddings is 0", {"num_embeddings": 0}),
        ("embedding_dim is -2", {"embedding_dim": -2}),
        ("padding_idx is 4, expected -4 to 3", {"padding_idx": 4}),
        ("padding_idx is -5", {"padding_idx": -5}),
        ("max_norm is 0", {"max_norm": 0}),
        ("norm_type is 0", {"max_norm": 1.0, "norm_type": 0}),
        ("norm_type is inf", {"max_norm": 1.0, "norm_type": float("inf")}),
    ],
)
def test_bad_options_are_refused(message, options):
    with pytest.raises(ValueError, match=f"Embedding: {message}"):
        nn.Embedding(**{"num_embeddings": 4, "embedding_dim": 3} | options)


def test_bad_tables_are_refused():
    with pytest.raises(ValueError, match=r"embeddings are \(3,\), expected \(V, D\)"):
        nn.Embedding.from_pretrained(np.zeros(3))
    with pytest.raises(TypeError, match="floating"):
        nn.Embedding.from_pretrained(np.zeros((3, 2), int))


class Vectors:
    """What from_pretrained asks of word vectors; gensim's KeyedVectors have it too."""

    def __init__(self, words, seed=0):
        self.key_to_index = {word: i for i, word in enumerate(words)}
        self.vectors = (5 + 2 * random(len(words), 40, seed=seed)).astype(np.float32)

    def __getitem__(self, word):
        return self.vectors[self.key_to_index[word]]


WORDS = [f"word{i}" for i in range(30)]


def test_from_pretrained_in_the_order_of_a_vocabulary(backend_name):
    vectors = Vectors(WORDS)
    vocabulary = tg.data.Vocabulary(["new", *WORDS[::-2], "odd"])
    layer = nn.Embedding.from_pretrained(vectors, vocabulary, generator=tg.Generator(0))
    assert layer.weight.backend == backend_name
    table = host(layer.weight)
    assert table.shape == (len(vocabulary), 40)
    for word in WORDS[::-2]:
        np.testing.assert_array_equal(table[vocabulary[word]], vectors[word])
    assert layer.missing == ("<unk>", "<sos>", "<eos>", "new", "odd")
    drawn = table[[vocabulary[word] for word in layer.missing]]
    assert drawn.mean() == pytest.approx(5, abs=0.7)  # 200 numbers of deviation 2
    assert drawn.std() == pytest.approx(2, rel=0.25)
    assert layer.padding_idx == vocabulary.pad
    assert not table[vocabulary.pad].any()
    assert not layer.weight.requires_grad
    again = nn.Embedding.from_pretrained(vectors, vocabulary, generator=tg.Generator(0))
    np.testing.assert_array_equal(host(again.weight), table)


def test_from_pretrained_word_vectors():
    words = WordVectors(WORDS, Vectors(WORDS).vectors)
    whole = nn.Embedding.from_pretrained(words, freeze=False)
    assert (whole.missing, whole.padding_idx) == ((), None)
    assert whole.weight.requires_grad
    np.testing.assert_array_equal(host(whole.weight), words.vectors)
    nn.init.zeros_(whole.weight)
    assert words.vectors.all()
    vocabulary = tg.data.Vocabulary(WORDS[3:5], specials=())
    part = nn.Embedding.from_pretrained(words, vocabulary, freeze=False, sparse=True)
    assert (part.missing, part.padding_idx, part.sparse) == ((), None, True)
    np.testing.assert_array_equal(host(part.weight), words.vectors[3:5])


def test_from_pretrained_with_vectors_of_the_special_tokens():
    vectors = Vectors(["<pad>", "<unk>", "a"])
    layer = nn.Embedding.from_pretrained(vectors, tg.data.Vocabulary(["a"]))
    assert layer.missing == ("<sos>", "<eos>")
    assert layer.padding_idx == 0
    np.testing.assert_array_equal(host(layer.weight)[[0, 1, 4]], vectors.vectors)


def test_from_pretrained_an_array_for_a_vocabulary():
    vocabulary = tg.data.Vocabulary(["a", "b"])
    layer = nn.Embedding.from_pretrained(random(6, 3), vocabulary, padding_idx=5)
    assert (layer.missing, layer.padding_idx) == ((), 5)
    np.testing.assert_array_equal(host(layer.weight), random(6, 3))
    assert nn.Embedding.from_pretrained(random(6, 3), vocabulary).padding_idx == vocabulary.pad
    with pytest.raises(ValueError, match="embeddings have 5 rows, expected the vocabulary's 6"):
        nn.Embedding.from_pretrained(random(5, 3), vocabulary)


def test_vectors_and_vocabularies_that_do_not_fit():
    with pytest.raises(ValueError, match="none of the vocabulary's 6 tokens is among the vectors"):
        nn.Embedding.from_pretrained(Vectors(WORDS), tg.data.Vocabulary(["Word1", "Word2"]))
    for wrong in (False, ["a", "b"]):
        with pytest.raises(TypeError, match=r"vocabulary is a \w+, expected a tg\.data"):
            nn.Embedding.from_pretrained(Vectors(WORDS), wrong)
