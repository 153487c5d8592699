"""Word2Vec: from a corpus to word vectors, quickly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import numpy as np

from ..serialize import PathLike
from ..train.interrupt import PutOffInterrupt
from . import definition, saving
from .corpus import EncodedCorpus, encode, encode_with, new_words
from .definition import ALL_BITS, STEP, Array, mix
from .epoch import Epoch, Rows, Shard
from .settings import Settings
from .vectors import WordVectors

MEASURE_ALL = 200_000
"""Words of a corpus up to which every target's loss is measured; of a longer one, every 32nd's."""


class Word2Vec(Settings):
    """Trains word vectors: word2vec's skip-gram and CBOW.

    words: the vocabulary;  counts (V,): how often each word occurs
    loss_history: mean loss of each epoch in nats: of a pair (for CBOW, of a target) with its
    negatives; of a corpus over 200,000 words, measured at every 32nd target. NaN for an epoch in
    which `sample` left no pair.
    epoch: epochs finished
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.words: list[str] = []
        self.counts = np.zeros(0, np.int64)
        self.loss_history: list[float] = []
        self.epoch = 0
        self._model: Any = None
        self._shards: list[Shard] = []
        self._vectors: WordVectors | None = None

    __doc__ = f"{__doc__}\n    {str(Settings.__doc__).partition(chr(10))[2].strip()}\n    "

    # ---- corpora ---------------------------------------------------------------------------------

    def encode(self, corpus: Any) -> EncodedCorpus:
        """Return the corpus as ids, for `fit`: by the model's vocabulary if it has one.

        corpus: path of a text (UTF-8, plain or gzip; a line is a sentence, white space separates
        words), an open file of one, or an iterable of lists of words. It is read once.
        Raises ValueError for an empty corpus, for one of which `min_count` leaves no word, and for
        text that is not UTF-8; TypeError for words that are not str.
        """
        if isinstance(corpus, EncodedCorpus):
            return corpus
        if self.words:
            return encode_with(corpus, self.words, self.counts)
        return encode(corpus, self.min_count)

    def grow_vocabulary(self, corpus: Any) -> list[str]:
        """Return the words that the vocabulary has now besides: those that occur `min_count` times.

        `partial_fit` trains their vectors. All counts go up by the corpus's.
        Raises RuntimeError before the first `fit`.
        """
        self._check_fitted("grow_vocabulary")
        words, counts, more = new_words(corpus, self.words, self.min_count)
        initial, counts = self._initial(len(words)), np.concatenate([self.counts + more, counts])
        self._model.grow(initial, counts)
        self.words, self.counts = self.words + words, counts
        self._vectors = None
        return words

    # ---- training --------------------------------------------------------------------------------

    def fit(
        self,
        corpus: Any,
        callbacks: Iterable[Callable[[Word2Vec], Any]] = (),
        resume: bool = False,
    ) -> Word2Vec:
        """Return this model, trained from the start on a corpus, or on an encoded one.

        callbacks: called with the model after each epoch
        resume: go on where an interrupted training of this corpus, or a loaded one, stopped
        Ctrl-C stops within a moment, leaves the vectors as they are, and raises KeyboardInterrupt.
        Raises as `encode`; FloatingPointError if vectors are no longer finite; with `resume`,
        RuntimeError if there is nothing to go on with, ValueError for another corpus.
        """
        if resume:
            encoded = self._resumed(corpus)
        else:
            encoded = (
                corpus if isinstance(corpus, EncodedCorpus) else encode(corpus, self.min_count)
            )
            self._start(encoded)
        assert self.alpha is not None
        self._run(encoded, self.epochs, self.alpha, self.min_alpha, list(callbacks))
        return self

    def partial_fit(
        self,
        corpus: Any,
        epochs: int = 1,
        alpha: float | None = None,
        min_alpha: float | None = None,
        callbacks: Iterable[Callable[[Word2Vec], Any]] = (),
    ) -> Word2Vec:
        """Return this model, trained on a further corpus with the vocabulary that it has.

        Other words of the corpus are left out: see `grow_vocabulary`. Before the first `fit`, the
        vocabulary is the corpus's own.
        epochs: passes over it, alpha falling from `alpha` to `min_alpha` (by default the model's)
        Raises as `fit`.
        """
        changes = {"epochs": epochs, "alpha": alpha, "min_alpha": min_alpha}
        given = {name: value for name, value in changes.items() if value is not None}
        checked = Settings(**{**self._settings(), **given})
        encoded = self.encode(corpus)
        if self._model is None:
            self._start(encoded)
        elif list(encoded.words) != self.words:
            raise ValueError("partial_fit: the corpus was encoded with another vocabulary")
        self._shards, first = [], self.epoch
        assert checked.alpha is not None
        rates = checked.alpha, checked.min_alpha
        self._run(encoded, first + checked.epochs, *rates, list(callbacks), first)
        return self

    def _start(self, encoded: EncodedCorpus) -> None:
        """Nothing; takes over the corpus's vocabulary, with new vectors."""
        self.words, self.counts = list(encoded.words), encoded.counts
        self.epoch, self.loss_history, self._shards = 0, [], []
        self._model = self._vectors = None
        self._model = self._new_model(self._initial(len(self.words)))

    def _new_model(self, initial: Array) -> Any:
        if self.compiled:
            return Rows(initial)
        from .graph import Modules

        return Modules(self, initial, self.counts)

    def _initial(self, words: int) -> Array:
        """Vectors (words, vector_size) before training: uniform in ±1 / (2 · vector_size)."""
        known = 0 if self._model is None else len(self.words)
        generator = np.random.Generator(np.random.PCG64([self.seed or 0, known]))
        drawn = generator.random((words, self.vector_size), dtype=np.float32)
        drawn -= np.float32(0.5)
        drawn /= np.float32(self.vector_size)
        return drawn

    def _resumed(self, corpus: Any) -> EncodedCorpus:
        self._check_fitted("fit with resume")
        encoded = self.encode(corpus)
        if list(encoded.words) != self.words:
            raise ValueError("fit with resume: the corpus was encoded with another vocabulary")
        if self._shards and self._shards[-1].last != len(encoded):
            raise ValueError(
                f"fit with resume: the corpus has {len(encoded)} words of the vocabulary, that of "
                f"the training so far {self._shards[-1].last}"
            )
        return encoded

    def _run(
        self, encoded: EncodedCorpus, epochs: int, alpha: float, min_alpha: float,
        callbacks: list[Callable[[Word2Vec], Any]], first: int = 0,
    ) -> None:  # fmt: skip
        """Nothing; trains until `epochs` are finished, alpha falling from epoch `first` on."""
        weights = self.counts.astype(float) ** self.ns_exponent
        keep = definition.keep_chances(self.counts, self.sample)
        corpus = definition.Corpus(
            encoded.ids, encoded.starts, keep, definition.alias_table(weights)
        )
        self._vectors = None

        def rate(epoch: int) -> float:
            return alpha + (min_alpha - alpha) * (epoch - first) / (epochs - first)

        with PutOffInterrupt() as interrupt:
            while self.epoch < epochs:
                self._run_epoch(corpus, (rate(self.epoch), rate(self.epoch + 1)), epochs, interrupt)
                if interrupt.asked:
                    raise KeyboardInterrupt
                for callback in callbacks:
                    callback(self)
                self._vectors = None

    def _run_epoch(
        self, corpus: definition.Corpus, rate: tuple[float, float], epochs: int,
        interrupt: PutOffInterrupt,
    ) -> None:  # fmt: skip
        words = len(corpus.ids)
        plan = Epoch(
            corpus, rate, self.window, self.shrink_windows,
            mix((mix(self.seed or 0) + self.epoch * STEP) & ALL_BITS),
            0 if words <= MEASURE_ALL else 31, self.negative, self.kind,
            (self.combine == "mean", self.exact_gradient),
        )  # fmt: skip
        self._shards = self._shards or self._model.shards(words, self.workers, self.deterministic)
        with self._bar(words, epochs) as bar:

            def progress() -> bool:
                bar.update(sum(shard.done - shard.first for shard in self._shards) - bar.n)
                return interrupt.asked

            self._model.run(plan, self._shards, self.workers, self.deterministic, progress)
            progress()
        if any(shard.done < shard.last for shard in self._shards):
            return
        if not np.isfinite(self._model.vectors.sum(dtype=float)):
            raise FloatingPointError(
                f"after epoch {self.epoch + 1} vectors are no longer finite: lower alpha "
                f"({self.alpha})"
            )
        pairs = sum(shard.pairs for shard in self._shards)
        loss = sum(shard.loss for shard in self._shards)
        self.loss_history.append(loss / pairs if pairs else math.nan)
        self.epoch, self._shards = self.epoch + 1, []

    def _bar(self, words: int, epochs: int) -> Any:
        from tqdm import tqdm

        return tqdm(
            total=words, desc=f"epoch {self.epoch + 1}/{epochs}", unit="words", unit_scale=True,
            disable=not self.progress, leave=False,
            initial=sum(shard.done - shard.first for shard in self._shards),
        )  # fmt: skip

    # ---- results ---------------------------------------------------------------------------------

    @property
    def vectors(self) -> WordVectors:
        """The vectors as far as training came: a copy, which further training leaves alone.

        Raises RuntimeError before the first `fit`.
        """
        self._check_fitted("vectors")
        if self._vectors is None:
            self._vectors = WordVectors(self.words, self._model.vectors.copy(), self.counts)
        return self._vectors

    def _check_fitted(self, what: str) -> None:
        if self._model is None:
            raise RuntimeError(f"Word2Vec: {what} needs a trained model: call fit first")

    # ---- files -----------------------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(Settings)}

    def save(self, path: PathLike) -> None:
        """Nothing; writes the whole model to a safetensors file, from which training can go on.

        Two models with the same bits make the same files. (`vectors.save` writes the vectors.)
        Raises RuntimeError before the first `fit`, TypeError for an objective that is a function.
        """
        self._check_fitted("save")
        if not isinstance(self.objective, str):
            raise TypeError("Word2Vec.save: the objective is a function, which no file can hold")
        progress = {
            "epoch": self.epoch,
            "loss_history": self.loss_history,
            "shards": [list(vars(shard).values()) for shard in self._shards],
        }
        model = self._model.state_dict()
        saving.write(path, self._settings(), self.words, self.counts, progress, model)

    @classmethod
    def load(cls, path: PathLike) -> Word2Vec:
        """Return the model that `save` wrote.

        Raises FileNotFoundError, and ValueError for a file that is damaged or of something else.
        """
        return saving.read(path, cls._from_tree)

    @classmethod
    def _from_tree(cls, tree: dict[str, Any]) -> Word2Vec:
        model = cls(**tree["settings"])
        model.words, model.counts = tree["words"], tree["counts"]
        model.epoch, model.loss_history = int(tree["epoch"]), list(tree["loss_history"])
        model._shards = [Shard(*values) for values in tree["shards"]]
        initial = np.zeros((len(model.words), model.vector_size), np.float32)
        model._model = model._new_model(initial)
        model._model.load_state_dict(tree["model"])
        return model
