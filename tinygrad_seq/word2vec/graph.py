"""Training word vectors on the graph: any output layer, any way to combine, slowly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from .. import nn, optim
from ..engine.backend import backend
from ..engine.creation import tensor
from ..engine.random import Generator
from .definition import Array, Example, examples
from .epoch import Epoch, Shard
from .settings import Settings

BATCH = 8
"""Targets of one step. Their gradients are summed, so that alpha means what it means elsewhere; of
many more the sum carries too far what all have in common, such as the root of a tree."""
PIECE = 5_000
"""Words between two looks at whether to stop."""


def _output(settings: Settings, features: int, counts: Array, generator: Generator) -> Any:
    """Return the output layer that the settings name."""
    if callable(settings.objective):
        return settings.objective(features, counts)
    sampler = nn.UnigramSampler(counts, settings.ns_exponent)
    if settings.objective == "hierarchical_softmax":
        return nn.HierarchicalSoftmax(features, nn.HuffmanTree(counts), generator=generator)
    if settings.objective == "softmax":
        return nn.FullSoftmax(features, len(counts), generator=generator)
    kinds = {
        "negative_sampling": nn.NegativeSampling,
        "sampled_softmax": nn.SampledSoftmax,
        "nce": nn.NCE,
    }
    layer: Any = kinds[str(settings.objective)]
    return layer(features, sampler, settings.negative, generator=generator)


class Modules:
    """nn.SkipGram or nn.CBOW over an embedding and an output layer, trained by SGD.

    initial (V, d): the embedding's vectors   counts (V,): of the words
    The output layer starts at 0, as word2vec.c's does; one that the user made, as it is.
    """

    def __init__(self, settings: Settings, initial: Array, counts: Array) -> None:
        self.settings = settings
        self.cbow = settings.architecture == "cbow"
        self.backend = settings.backend or "numpy"
        self.generator = Generator(settings.seed)
        with backend(self.backend):
            self.model: Any = self._modules(initial, counts)
        self.optimizer = optim.SGD(self.model.parameters(), lr=1.0)

    def _modules(self, initial: Array, counts: Array) -> Any:
        words, width = initial.shape
        concat = self.cbow and self.settings.combine == "concat"
        features = 2 * self.settings.window * width if concat else width
        embedding = nn.Embedding(words, width, sparse=True, generator=self.generator)
        embedding.load_state_dict({"weight": initial})
        output = _output(self.settings, features, counts, self.generator)
        if not isinstance(output, nn.OutputLayer):
            raise TypeError(
                f"Word2Vec: objective made a {type(output).__name__}, expected an nn.OutputLayer"
            )
        if not callable(self.settings.objective):
            zeros = {name: np.zeros_like(a) for name, a in _numpy(output.state_dict()).items()}
            output.load_state_dict(zeros)
        if self.cbow:
            return nn.CBOW(embedding, output, self.settings.combine)
        return nn.SkipGram(embedding, output)

    @property
    def vectors(self) -> Array:
        """The embedding's vectors (V, d)."""
        return _numpy({"": self.model.embedding.weight.array})[""]

    def state_dict(self) -> dict[str, Any]:
        """Return all parameters, and the state of the generator that draws negatives."""
        return {
            "parameters": _numpy(self.model.state_dict()),
            "generator": self.generator.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing; takes over a state.  Raises ValueError for one that does not fit."""
        self.model.load_state_dict(state["parameters"])
        self.generator.load_state_dict(state["generator"])

    def grow(self, initial: Array, counts: Array) -> None:
        """Nothing; adds words with these input vectors; counts are those of all words now.

        Raises ValueError for an output layer without a row for each word: a tree changes whole.
        """
        old = _numpy(self.model.output.state_dict())
        known = len(self.vectors)
        if any(len(array) != known for array in old.values()):
            kind = type(self.model.output).__name__
            raise ValueError(f"Word2Vec: the vocabulary of {kind} cannot grow")
        with backend(self.backend):
            self.model = self._modules(np.concatenate([self.vectors, initial]), counts)
            new = _numpy(self.model.output.state_dict())
            grown = {name: np.concatenate([old[name], new[name][known:]]) for name in old}
            self.model.output.load_state_dict(grown)
        self.optimizer = optim.SGD(self.model.parameters(), lr=1.0)

    @staticmethod
    def shards(words: int, workers: int, deterministic: bool) -> list[Shard]:
        """Return the one shard of an epoch: there is one thread, and it is deterministic."""
        return [Shard(0, words, 0)]

    def run(
        self, epoch: Epoch, shards: list[Shard], workers: int, deterministic: bool,
        progress: Callable[[], bool],
    ) -> None:  # fmt: skip
        """Nothing; trains the rest of the shard, unless `progress`, called often, says to stop."""
        (shard,) = shards
        with backend(self.backend):
            while shard.done < shard.last and not progress():
                until = min(shard.last, shard.done + PIECE)
                for batch in _batches(self._examples(epoch, shard.done, until)):
                    done = (batch[0].position - shard.first) / (shard.last - shard.first)
                    alpha = epoch.rate[0] + (epoch.rate[1] - epoch.rate[0]) * done
                    self._step(batch, alpha, shard)
                shard.done = until

    def _examples(self, epoch: Epoch, first: int, last: int) -> Iterator[Example]:
        negatives_drawn = 0  # the output layer draws its own
        return examples(
            epoch.corpus, first, last, epoch.window, epoch.shrink, epoch.seed, negatives_drawn, True
        )

    def _step(self, batch: list[Example], alpha: float, shard: Shard) -> None:
        """Nothing; one step of SGD on the sum of the pairs' losses, which the shard adds up."""
        targets = np.array([example.outputs[0][0] for example in batch])
        if self.cbow:
            contexts, mask = self._places(batch)
            loss, pairs = self.model(contexts, targets, mask=mask, reduction="sum"), len(batch)
        else:
            words = np.concatenate([example.contexts for example in batch])
            targets = np.repeat(targets, [len(example.contexts) for example in batch])
            loss, pairs = self.model(words, targets, reduction="sum"), len(words)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.param_groups[0]["lr"] = alpha
        self.optimizer.step()
        shard.loss, shard.pairs = shard.loss + float(loss.item()), shard.pairs + pairs

    def _places(self, batch: list[Example]) -> tuple[Array, Array]:
        """Context words (B, 2 · window), by their places around the target, and which are there."""
        window = self.settings.window
        words = np.zeros((len(batch), 2 * window), np.int64)
        mask = np.zeros(words.shape, bool)
        for row, example in enumerate(batch):
            first = window - example.before
            words[row, first : first + len(example.contexts)] = example.contexts
            mask[row, first : first + len(example.contexts)] = True
        return words, mask


def _batches(source: Iterable[Example]) -> Iterator[list[Example]]:
    rest = iter(source)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _numpy(arrays: dict[str, Any]) -> dict[str, Array]:
    return {name: tensor(array).to("numpy").numpy() for name, array in arrays.items()}
