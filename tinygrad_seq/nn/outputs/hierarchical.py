"""Hierarchical softmax: a class is a path of binary choices down a Huffman tree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import ops
from ...engine.backend import NUMPY, Array, backend_of, convert
from ...engine.random import Generator
from ...engine.tensor import Tensor
from .._check import check_input, check_sizes
from ..linear import uniform_parameter
from .layer import OutputLayer, constant
from .samplers import check_counts

Indices = npt.NDArray[np.int64]


class HuffmanTree:
    """The binary tree over V classes whose mean depth, weighted by the counts, is the least.

    counts (V,): how often each class occurs, above 0
    children (V - 1, 2): of each inner node, the root last: a class c as c, inner node n as V + n
    offsets (V + 1,): the path of class c from the root is at offsets[c]:offsets[c + 1] of
    nodes (P,): the inner nodes passed, and turns (P,): +1 for the first child, -1 for the second
    Ties are broken by the lower index, classes before inner nodes.
    Raises ValueError for counts that are not above 0, or fewer than two.
    Source: Huffman 1952, by two queues in order of count.
    """

    def __init__(self, counts: Any) -> None:
        table = check_counts("HuffmanTree", counts)
        self.num_classes = len(table)
        self.children = _joined(table)
        parents = np.zeros(2 * self.num_classes - 1, np.int64)
        turns = np.zeros(2 * self.num_classes - 1, np.int8)
        for side, turn in enumerate((1, -1)):
            parents[self.children[:, side]] = np.arange(self.num_classes - 1)
            turns[self.children[:, side]] = turn
        self.offsets, self.nodes, self.turns = _paths(self.num_classes, parents, turns)

    def levels(self) -> list[Indices]:
        """Return the inner nodes of each depth, the root's first, in the order of their parents."""
        found, level = [], np.array([self.num_classes - 2])
        while level.size:
            found.append(level)
            below = self.children[level].T.reshape(-1)
            level = below[below >= self.num_classes] - self.num_classes
        return found


def _joined(counts: npt.NDArray[np.float64]) -> Indices:
    """Return the children (V - 1, 2) of the inner nodes, in the order of their making."""
    size = len(counts)
    order = np.argsort(counts, kind="stable").tolist()
    waiting = counts[order].tolist()  # classes, and after them inner nodes, both by count
    leaf, inner, joined = 0, 0, list[float]()
    children = np.empty((size - 1, 2), np.int64)
    for made in range(size - 1):
        total = 0.0
        for side in range(2):
            if leaf < size and (inner >= made or waiting[leaf] <= joined[inner]):
                children[made, side], total = order[leaf], total + waiting[leaf]
                leaf += 1
            else:
                children[made, side], total = size + inner, total + joined[inner]
                inner += 1
        joined.append(total)
    return children


def _paths(
    size: int, parents: Indices, turns: npt.NDArray[np.int8]
) -> tuple[Indices, Indices, npt.NDArray[np.int8]]:
    """Return (offsets, nodes, turns) of the paths, walking up from all classes at once."""
    root, steps = 2 * size - 2, []
    at, classes = np.arange(size), np.arange(size)
    while classes.size:
        steps.append((classes, parents[at], turns[at]))
        at = parents[at] + size
        above = at != root
        at, classes = at[above], classes[above]
    lengths = np.zeros(size, np.int64)
    for classes, _, _ in steps:
        lengths[classes] += 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    path, turned = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.int8)
    for height, (classes, nodes, taken) in enumerate(steps):
        places = offsets[classes + 1] - 1 - height
        path[places], turned[places] = nodes, taken
    return offsets, path, turned


class HierarchicalSoftmax(OutputLayer):
    """-Σ log σ(turn · (weight[node] · h + bias[node])) along the target's path down a tree.

    hidden (..., in_features)   targets (...)
    weight (num_classes - 1, in_features) and bias (num_classes - 1,), of the inner nodes, start
    uniform in ±1/√in_features. A step costs O(log V) rows, and probabilities sum to one.
    tree: HuffmanTree(counts)
    sparse: leave the gradient row-sparse, so that optimisers update only the rows that were read
    Raises ValueError for sizes less than 1.
    Source: Morin & Bengio 2005; with a Huffman tree, Mikolov et al. 2013.
    """

    def __init__(
        self,
        in_features: int,
        tree: HuffmanTree,
        bias: bool = False,
        sparse: bool = True,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(tree, HuffmanTree):
            raise TypeError(
                f"HierarchicalSoftmax: tree is a {type(tree).__name__}, expected a HuffmanTree"
            )
        check_sizes("HierarchicalSoftmax", in_features=in_features)
        self.in_features, self.num_classes, self.tree = in_features, tree.num_classes, tree
        inner, bound = tree.num_classes - 1, 1.0 / math.sqrt(in_features)
        self.weight = uniform_parameter((inner, in_features), bound, dtype, generator)
        self.bias = uniform_parameter((inner,), bound, dtype, generator) if bias else None
        self.sparse = sparse

    def forward(
        self, hidden: Tensor, targets: Any, mask: Any = None, reduction: str = "mean"
    ) -> Tensor:
        """Return the loss in nats. Raises ValueError, TypeError, IndexError for bad input."""
        pairs, tree = self.pairs(hidden, targets, mask), self.tree
        classes = convert(pairs.targets, NUMPY)
        first, lengths = tree.offsets[classes], np.diff(tree.offsets)[classes]
        rows = np.repeat(np.arange(len(classes)), lengths)
        before = np.cumsum(lengths) - lengths
        steps = np.arange(len(rows)) + np.repeat(first - before, lengths)
        row_of, nodes = self._beside(rows), self._beside(tree.nodes[steps])
        weights = ops.take_rows(self.weight, nodes, sparse=self.sparse)
        scores = ops.sum(weights * ops.take_rows(pairs.hidden, row_of), 1)
        if self.bias is not None:
            scores = scores + ops.take_rows(self.bias, nodes, sparse=self.sparse)
        turns = self._beside(tree.turns[steps].astype(self.weight.dtype))
        losses = ops.add_rows(-ops.logsigmoid(turns * scores), row_of, len(classes))
        return pairs.reduced(losses, reduction)

    def log_probabilities(self, hidden: Tensor) -> Tensor:
        """Return log P(class | hidden), (..., num_classes), level by level down the tree."""
        check_input("HierarchicalSoftmax", hidden, self.in_features, self.weight)
        size, tree = self.num_classes, self.tree
        count = math.prod(hidden.shape[:-1])
        rows = ops.reshape(hidden, (count, self.in_features))
        scores = ops.transpose(ops.linear(rows, self.weight, self.bias))  # (V - 1, N)
        reached, leaves, order = constant(self._zeros(1, count)), [], []
        for level in tree.levels():
            x = ops.take_rows(scores, self._beside(level))
            below = ops.concat([reached + ops.logsigmoid(x), reached + ops.logsigmoid(-x)])
            children = tree.children[level].T.reshape(-1)
            ends = children < size
            leaves.append(ops.take_rows(below, self._beside(np.flatnonzero(ends))))
            order.append(children[ends])
            reached = ops.take_rows(below, self._beside(np.flatnonzero(~ends)))
        places = self._beside(np.argsort(np.concatenate(order)))
        found = ops.take_rows(ops.concat(leaves), places)
        return ops.reshape(ops.transpose(found), (*hidden.shape[:-1], size))

    def _beside(self, host: Array) -> Tensor:
        return constant(convert(host, backend_of(self.weight.array)))

    def _zeros(self, *shape: int) -> Array:
        return convert(np.zeros(shape, self.weight.dtype), backend_of(self.weight.array))
