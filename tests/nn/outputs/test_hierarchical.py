"""Huffman trees, and the hierarchical softmax over them."""

import heapq
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_layers import constant, host, leaf, random
from output_layers import COUNTS, H, V, classes, make

import tinygrad_seq as tg
from tinygrad_seq import nn

counts_of_classes = st.lists(st.integers(1, 10**6), min_size=2, max_size=40)


def path(tree, c):
    """The (node, turn) pairs from the root to class c."""
    at = slice(tree.offsets[c], tree.offsets[c + 1])
    return list(zip(tree.nodes[at].tolist(), tree.turns[at].tolist(), strict=True))


def least_cost(counts):
    """Σ count · depth of an optimal tree, by a heap: the sum of all joined counts."""
    heap, cost = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        heapq.heappush(heap, joined)
        cost += joined
    return cost


@given(counts_of_classes)
def test_no_tree_is_cheaper(counts):
    depths = np.diff(nn.HuffmanTree(counts).offsets)
    assert int((depths * counts).sum()) == least_cost(counts)
    assert sum(0.5**d for d in depths.tolist()) == 1  # Kraft: no place is left


@given(counts_of_classes)
def test_paths_go_down_the_tree(counts):
    """Each class has its own path of children, which begins at the root and ends at the class."""
    tree, size = nn.HuffmanTree(counts), len(counts)
    assert sorted(tree.children.reshape(-1)) == sorted({*range(2 * size - 2)})
    for c in range(size):
        at = 2 * size - 2
        for node, turn in path(tree, c):
            assert at == size + node
            at = tree.children[node, 0 if turn == 1 else 1]
        assert at == c


@given(counts_of_classes)
def test_levels_hold_every_inner_node_once_below_its_parent(counts):
    tree, size = nn.HuffmanTree(counts), len(counts)
    levels = tree.levels()
    assert sorted(itertools.chain(*levels)) == list(range(size - 1))
    for above, level in itertools.pairwise(levels):
        assert set(level + size) <= set(tree.children[above].reshape(-1))


def test_ties_are_broken_by_index():
    """Equal counts of a power of two make the full tree, in order of index."""
    tree = nn.HuffmanTree([5, 5, 5, 5])
    np.testing.assert_array_equal(tree.children, [[0, 1], [2, 3], [4, 5]])
    assert [path(tree, c) for c in (0, 3)] == [[(2, 1), (0, 1)], [(2, -1), (1, -1)]]


def test_a_chain_is_as_deep_as_it_is_long():
    """Counts that double: one class a level, and no recursion over them."""
    depths = np.diff(nn.HuffmanTree(2.0 ** np.arange(300)).offsets)
    np.testing.assert_array_equal(depths, [299, *range(299, 0, -1)])


def test_loss_is_written_out_along_the_path(backend_name):
    layer = make("tree")
    weight, bias, hidden = host(layer.weight), host(layer.bias), random(V, H)
    found = host(layer(constant(hidden), constant(np.arange(V)), reduction="none"))
    for c in range(V):
        steps = [
            1 / (1 + math.exp(-turn * (weight[node] @ hidden[c] + bias[node])))
            for node, turn in path(layer.tree, c)
        ]
        assert found[c] == pytest.approx(-math.log(math.prod(steps)), rel=1e-12)
    np.testing.assert_allclose(
        np.diagonal(host(layer.log_probabilities(constant(hidden)))), -found, rtol=1e-12
    )


@given(counts_of_classes)
def test_probabilities_sum_to_one(counts):
    tree = nn.HuffmanTree(counts)
    layer = nn.HierarchicalSoftmax(2, tree, dtype="float64", generator=tg.Generator(0))
    p = np.exp(host(layer.log_probabilities(constant(3 * random(4, 2)))))
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-12)


def test_a_step_reads_the_nodes_of_the_paths_alone():
    """The commonest classes are the cheapest; 100,000 of them cost no more."""
    counts = 1e9 / np.arange(1, 100_001)
    layer = nn.HierarchicalSoftmax(2, nn.HuffmanTree(counts), generator=tg.Generator(0))
    layer(leaf(random(2, 2).astype(np.float32)), np.array([0, 99_999])).backward()
    rows, _ = layer.weight.grad.coalesced()
    read = {node for c in (0, 99_999) for node, _ in path(layer.tree, c)}
    assert set(rows) == read
    assert len(path(layer.tree, 0)) < 6 < len(read) < 40


def test_bad_input():
    with pytest.raises(TypeError, match="tree is a list, expected a HuffmanTree"):
        nn.HierarchicalSoftmax(3, [1, 2])
    with pytest.raises(ValueError, match="in_features is 0"):
        nn.HierarchicalSoftmax(0, nn.HuffmanTree(COUNTS))
    with pytest.raises(ValueError, match=r"HuffmanTree: counts\[1\] is 0, expected more than 0"):
        nn.HuffmanTree([1, 0, 2])
    with pytest.raises(ValueError, match=r"HuffmanTree: counts are \(1,\)"):
        nn.HuffmanTree([1])
    with pytest.raises(IndexError, match="HierarchicalSoftmax: targets: index 7 is out of range"):
        make("tree")(constant(random(2, H)), np.array([0, V]))
    with pytest.raises(ValueError, match=r"the input is \(2, 4\), expected \(..., 3\)"):
        make("tree").log_probabilities(constant(random(2, 4)))


def test_the_commonest_class_is_likely_before_training():
    """With zero weights every turn is even, and the tree itself is the guess."""
    layer = make("tree")
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    p = np.exp(host(layer.log_probabilities(constant(random(1, H)))))[0]
    np.testing.assert_allclose(p, 0.5 ** np.diff(layer.tree.offsets), rtol=1e-13)
    assert p.argmax() == COUNTS.argmax()
    assert layer(constant(random(3, H)), classes(3)).shape == ()
