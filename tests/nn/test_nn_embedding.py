"""Embedding: forms of indices, padding, max_norm, sparse gradients, pretrained tables."""

import numpy as np
import pytest
from nn_layers import constant, host, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops

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
