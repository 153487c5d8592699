"""One epoch of training: shards of the corpus on threads, on shared rows or on replicas of them."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import pathlib
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..machine import runtime
from . import definition
from .definition import PAIRS, Array, Corpus

PIECE = 50_000
"""Words that a thread trains before it looks whether it should stop: about 20 ms."""
BUFFER = 1024
"""Words that stand in a thread's buffer, beside the windows at its ends."""
REPLICAS = 4
MERGES = 100
"""Times in an epoch that replicas are merged, and more where a thread would train
`WORDS_APART` words in between; of 8.5 million words, 20 times lost accuracy (docs/decisions.md)."""
WORDS_APART = 1_000_000
LINE = 16
"""Floats of a cache line; rows are a multiple of it."""


@dataclass
class Shard:
    """A run of the corpus: positions first to last, those before `done` trained in this epoch.

    loss, pairs: sums over the targets that were measured
    """

    first: int
    last: int
    done: int
    loss: float = 0.0
    pairs: int = 0


@dataclass
class Epoch:
    """An epoch's settings.

    rate (a, b): alpha falls from a to b, over the words of each shard
    seed: 64 bits   measured, architecture, scales: as `definition.train` has them
    """

    corpus: Corpus
    rate: tuple[float, float]
    window: int
    shrink: bool
    seed: int
    measured: int
    negative: int
    architecture: int
    scales: tuple[bool, bool]

    def train(self, inputs: Array, outputs: Array, shard: Shard, words: int) -> None:
        """Nothing; trains the next `words` words of a shard and adds up its loss."""
        until = min(shard.last, shard.done + words)
        slope = (self.rate[1] - self.rate[0]) / (shard.last - shard.first)
        rate = (self.rate[0], slope, shard.first)
        arguments = (
            inputs, outputs, shard.done, until, rate, self.window, self.shrink, self.seed,
            self.measured, self.architecture, self.scales,
        )  # fmt: skip
        with np.errstate(all="ignore"):  # what is not finite is an error once the epoch ends
            loss, pairs = self.trainer(*arguments)
        shard.loss, shard.pairs, shard.done = shard.loss + loss, shard.pairs + pairs, until

    @functools.cached_property
    def trainer(self) -> Callable[..., tuple[float, int]]:
        """`definition.train` of this corpus, or its kernel where there can be one."""
        if not runtime.available():
            return functools.partial(definition.train, self.negative, self.corpus)
        return _kernel(self.negative, self.corpus)

    def merge_scales(self, words: int, replicas: int) -> list[Array]:
        """Return for input and output rows what `definition.merge` takes, merged every `words`."""
        updates = definition.expected_updates(
            self.corpus, words, self.window, self.shrink, self.negative, self.architecture
        )
        return [definition.merge_scales(rows, self.rate[0], replicas) for rows in updates]


@functools.cache
def _compiled(negative: int) -> Any:
    """The hot loop for so many negatives, compiled now or found on disk."""
    from . import kernels, steps, walk

    source = pathlib.Path(__file__).with_name("loop.py").read_text(encoding="utf-8")
    chosen = source.replace("NEGATIVE = 5\n", f"NEGATIVE = {negative}\n", 1)
    parts = hashlib.sha256(kernels.TEXT + steps.TEXT + walk.TEXT).hexdigest()
    return runtime.load(f"{chosen}\n# with {parts}\n")


def _kernel(negative: int, corpus: Corpus) -> Callable[..., tuple[float, int]]:
    """Return the kernel of `definition.train` for so many negatives and this corpus."""
    loop, longest = _compiled(negative), int(np.diff(corpus.starts).max())

    def train(
        inputs: Array, outputs: Array, first: int, last: int,
        rate: tuple[float, float, int], window: int, shrink: bool, seed: int, measured: int,
        architecture: int, scales: tuple[bool, bool],
    ) -> tuple[float, int]:  # fmt: skip
        span = min(window, longest)
        scratch = _scratch(span, loop.WIDTH, inputs.shape[1], architecture == PAIRS)
        sentence = int(np.searchsorted(corpus.starts, first, side="right")) - 1
        loss, pairs = loop.train(
            corpus.ids, corpus.starts, corpus.keep, corpus.sampler, inputs, outputs, sentence,
            first, last, rate, window, shrink, np.uint64(seed), np.uint64(measured), architecture,
            scales, scratch,
        )  # fmt: skip
        return float(loss), int(pairs)

    return train


def _scratch(span: int, width: int, row: int, pairs: bool) -> tuple[Array, ...]:
    """Return the memory of one run of the loop, whose windows reach `span` words at most.

    Positions and input rows of the words in its buffer; input rows of a target's contexts; output
    rows of each target (of each pair), and how many of them are missing; logits and changes of the
    contexts; a row that stands for those missing, and one for CBOW's h; the address of that.
    """
    words = BUFFER + 3 * span
    sets = 2 * span if pairs else words
    pair = aligned_zeros((2, row))
    return (
        np.zeros(words, np.int64),
        np.zeros(words, np.int64),
        np.zeros(2 * span, np.int64),
        np.full((sets, width), pair.ctypes.data),
        np.zeros(sets, np.int64),
        np.zeros(2 * span * (width + LINE) + LINE, np.float32),
        pair.reshape(-1),
        np.zeros(1, np.int64),
    )


def _merge(
    base: Array, copies: Array, scale: Array, negative: int, pool: ThreadPoolExecutor, parts: int
) -> None:
    """Nothing; adds the changes of copies (R, V, d) to base, in order, and copies it to them."""
    if not runtime.available():
        definition.merge(base, copies, scale)
        return
    loop = _compiled(negative)
    runs = runs_of(len(base), parts)
    _finish([pool.submit(loop.merge, base, copies, scale, low, high) for low, high in runs])


def _finish(futures: Iterable[Future[None]]) -> None:
    """Nothing; waits for all, raises what one of them raised."""
    for future in list(futures):
        future.result()


def runs_of(length: int, parts: int) -> list[tuple[int, int]]:
    """Return so many runs (first, last) of equal length, one after the other."""
    return list(itertools.pairwise(length * i // parts for i in range(parts + 1)))


def aligned_zeros(shape: tuple[int, ...]) -> Array:
    """Return float32 zeros whose first element stands at the start of a cache line."""
    size = math.prod(shape)
    room = np.zeros(size + LINE, np.float32)
    start = -room.ctypes.data % (4 * LINE) // 4
    return room[start : start + size].reshape(shape)


class Rows:
    """Input and output vectors as the kernels take them: rows padded to whole cache lines.

    initial (V, d): the input vectors; output vectors start at 0
    """

    def __init__(self, initial: Array) -> None:
        self.width = initial.shape[1]
        self.inputs = self._padded(initial)
        self.outputs = aligned_zeros(self.inputs.shape)

    def _padded(self, rows: Array) -> Array:
        padded = aligned_zeros((len(rows), -(-self.width // LINE) * LINE))
        padded[:, : self.width] = rows
        return padded

    @property
    def vectors(self) -> Array:
        """The input vectors (V, d)."""
        return self.inputs[:, : self.width]

    def grow(self, initial: Array, counts: Array) -> None:
        """Nothing; adds words with these input vectors."""
        self.load_state_dict(
            {
                "inputs": np.concatenate([self.vectors, initial]),
                "outputs": np.concatenate([self.state_dict()["outputs"], np.zeros_like(initial)]),
            }
        )

    def state_dict(self) -> dict[str, Array]:
        """Return both vectors (V, d) of all words."""
        return {"inputs": self.vectors, "outputs": self.outputs[:, : self.width]}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Nothing; takes both vectors.  Raises ValueError for shapes that do not fit."""
        inputs, outputs = state["inputs"], state["outputs"]
        if inputs.ndim != 2 or inputs.shape != outputs.shape or inputs.shape[1] != self.width:
            raise ValueError(f"vectors are {inputs.shape} and {outputs.shape}, width {self.width}")
        self.inputs, self.outputs = self._padded(inputs), self._padded(outputs)

    @staticmethod
    def shards(words: int, workers: int, deterministic: bool) -> list[Shard]:
        """Return the shards of an epoch."""
        count = REPLICAS if deterministic else workers
        return [Shard(first, last, first) for first, last in runs_of(words, count)]

    def run(
        self, epoch: Epoch, shards: list[Shard], workers: int, deterministic: bool,
        progress: Callable[[], bool],
    ) -> None:  # fmt: skip
        """Nothing; trains the rest of the shards, unless `progress`, called often, says to stop."""
        run = run_replicas if deterministic else run_shared
        run(epoch, self.inputs, self.outputs, shards, workers, progress)


# ---- threads -------------------------------------------------------------------------------------


def run_shared(
    epoch: Epoch, inputs: Array, outputs: Array, shards: list[Shard], workers: int,
    progress: Callable[[], bool],
) -> None:  # fmt: skip
    """Nothing; trains the rest of all shards, at once on the same rows, without locks.

    progress: called now and then, says whether to stop
    Source: Recht et al. 2011 (Hogwild)
    """
    stopped = False

    def work(shard: Shard) -> None:
        while shard.done < shard.last and not stopped:
            epoch.train(inputs, outputs, shard, piece)

    _ = epoch.trainer  # compiled before there are threads
    piece = PIECE if runtime.available() else PIECE // 50
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(work, shard) for shard in shards}
        try:
            while futures and not (stopped := progress()):
                done, futures = wait(futures, timeout=0.1, return_when=FIRST_EXCEPTION)
                _finish(done)
        finally:
            stopped = True
        _finish(futures)


def run_replicas(
    epoch: Epoch, inputs: Array, outputs: Array, shards: list[Shard], workers: int,
    progress: Callable[[], bool],
) -> None:  # fmt: skip
    """Nothing; trains the rest of all shards, each on its replica of the rows.

    About MERGES times the replicas' changes are put together (`definition.merge`), in the order of
    the shards: the result does not depend on how many workers there are, or which was quicker.
    progress: called after each merge, says whether to stop
    """
    replicas = [aligned_zeros((len(shards), *rows.shape)) for rows in (inputs, outputs)]
    for copies, rows in zip(replicas, (inputs, outputs), strict=True):
        copies[:] = rows
    longest = max(shard.last - shard.first for shard in shards)
    words = max(1, min(-(-longest // MERGES), WORDS_APART))
    scales = epoch.merge_scales(words, len(shards))
    _ = epoch.trainer
    with ThreadPoolExecutor(workers) as pool:
        while any(shard.done < shard.last for shard in shards):
            if progress():
                return
            going = [k for k, shard in enumerate(shards) if shard.done < shard.last]
            _finish(
                [
                    pool.submit(epoch.train, replicas[0][k], replicas[1][k], shards[k], words)
                    for k in going
                ]
            )
            for rows, copies, scale in zip((inputs, outputs), replicas, scales, strict=True):
                _merge(rows, copies, scale, epoch.negative, pool, workers)
    progress()
