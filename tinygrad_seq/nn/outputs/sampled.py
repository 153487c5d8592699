"""Output layers whose step costs some sampled classes, not all: for large vocabularies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...engine.backend import NUMPY, Array, backend_of, convert
from ...engine.random import Generator
from ...engine.tensor import Tensor
from ...ops.indexing import check_indices
from .._check import as_indices, check_sizes
from .layer import ClassVectors, Pairs, constant
from .samplers import Sampler


class _Sampled(ClassVectors):
    """Base: class vectors, a sampler of negatives, and how many to draw."""

    def __init__(
        self,
        in_features: int,
        sampler: Sampler,
        num_samples: int,
        bias: bool = False,
        sparse: bool = True,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        name = type(self).__name__
        if not isinstance(sampler, Sampler):
            raise TypeError(f"{name}: sampler is a {type(sampler).__name__}, expected a Sampler")
        check_sizes(name, num_samples=num_samples)
        super().__init__(in_features, sampler.num_classes, bias, sparse, dtype, generator)
        self.sampler, self.num_samples, self.generator = sampler, num_samples, generator

    def _beside(self, host: Array) -> Array:
        """Return a host array where the weight is."""
        return convert(host, backend_of(self.weight.array))

    def _given(self, pairs: Pairs, negatives: Any) -> Array:
        """Return the negatives (K,) or (N, K) that the caller chose."""
        name = f"{type(self).__name__}: negatives"
        array = pairs.select(name, as_indices(name, negatives, self.weight))
        if not array.shape[-1]:
            raise ValueError(f"{name} are {array.shape}, expected at least one")
        check_indices(name, array, self.num_classes)
        return array


class NegativeSampling(_Sampled):
    """-log σ(weight[target] · h) - Σ log σ(-weight[negative] · h): is this pair real or drawn?

    hidden (..., in_features)   targets (...)   negatives (..., K), drawn for each pair, or (K,)
    A negative that equals its target is left out.
    sampler: what negatives are drawn from, such as UnigramSampler(counts), with its exponent 3/4
    num_samples: K
    shared: draw one set of negatives for all pairs of a call; much faster
    sparse: leave the gradient row-sparse, so that optimisers update only the rows that were read
    generator: where initial values and samples are drawn from; the default generator where None
    Its scores are log odds, not log probabilities.
    Raises ValueError for sizes less than 1.
    Source: Mikolov et al. 2013, "Distributed representations of words and phrases", eq. 4.
    """

    def __init__(
        self,
        in_features: int,
        sampler: Sampler,
        num_samples: int = 5,
        shared: bool = False,
        bias: bool = False,
        sparse: bool = True,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(in_features, sampler, num_samples, bias, sparse, dtype, generator)
        self.shared = shared

    def forward(
        self,
        hidden: Tensor,
        targets: Any,
        mask: Any = None,
        reduction: str = "mean",
        negatives: Any = None,
    ) -> Tensor:
        """Return the loss of a pair in nats, its K negatives included: their mean over the pairs.

        negatives: classes (K,) for all pairs, or (*targets.shape, K); drawn where None
        Raises ValueError, TypeError or IndexError for what does not fit.
        """
        pairs = self.pairs(hidden, targets, mask)
        if negatives is None:
            shape = (self.num_samples,) if self.shared else (len(pairs.targets), self.num_samples)
            classes = self._beside(self.sampler.draw(shape, self.generator))
        else:
            classes = self._given(pairs, negatives)
        own = pairs.targets[:, None]
        real = ops.logsigmoid(self.scores(pairs.hidden, own))
        drawn = ops.logsigmoid(-self.scores(pairs.hidden, classes))
        drawn = ops.where(constant(classes == own), 0.0, drawn)
        return pairs.reduced(-(ops.sum(real, 1) + ops.sum(drawn, 1)), reduction)


class _Corrected(_Sampled):
    """Base of those that learn a softmax from samples, by correcting for how likely each was."""

    def log_probabilities(self, hidden: Tensor) -> Tensor:
        """Return log P(class | hidden), (..., num_classes), of the softmax over all classes."""
        return ops.log_softmax(self.logits(hidden), -1)

    def _log_expected(self, classes: Array, count: int, tries: float | None = None) -> Tensor:
        """Return the logarithm of how often each class is expected among `count` samples."""
        host = convert(classes, NUMPY)
        logs = np.log(self.sampler.expected_count(host, count, tries))
        return constant(self._beside(logs.astype(self.weight.dtype)))


class SampledSoftmax(_Corrected):
    """The softmax loss over the target and some sampled classes only, their scores corrected.

    hidden (..., in_features)   targets (...)   samples (K,), the same for all targets
    s(c) = weight[c] · h + bias[c] - log E(c), with E(c) how often c is expected among the samples
    loss = -s(target) + log(exp s(target) + Σ exp s(sample)), without samples equal to the target
    sampler: LogUniformSampler(V) for classes in order of frequency, or UnigramSampler(counts)
    num_samples: K, at most V where unique
    unique: draw distinct classes
    sparse, generator: as in NegativeSampling
    In evaluation, without negatives given, the loss is that of the softmax over all classes.
    Raises ValueError for sizes that do not fit.
    Source: Jean et al. 2015; tf.nn.sampled_softmax_loss.
    """

    def __init__(
        self,
        in_features: int,
        sampler: Sampler,
        num_samples: int,
        unique: bool = True,
        bias: bool = False,
        sparse: bool = True,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(in_features, sampler, num_samples, bias, sparse, dtype, generator)
        if unique and num_samples > self.num_classes:
            raise ValueError(
                f"SampledSoftmax: num_samples is {num_samples}, expected at most the "
                f"{self.num_classes} classes, or unique=False"
            )
        self.unique = unique

    def forward(
        self,
        hidden: Tensor,
        targets: Any,
        mask: Any = None,
        reduction: str = "mean",
        negatives: Any = None,
        tries: float | None = None,
    ) -> Tensor:
        """Return the loss in nats.

        negatives: samples (K,) for all targets, or (*targets.shape, K); drawn where None
        tries: how many draws gave them, if they were made distinct
        Raises ValueError, TypeError or IndexError for what does not fit.
        """
        pairs = self.pairs(hidden, targets, mask)
        if negatives is None and not self.training:
            return pairs.reduced(self.softmax_losses(pairs), reduction)
        if negatives is not None:
            classes = self._given(pairs, negatives)
        else:
            host, tries = self._draw()
            classes = self._beside(host)
        count, own = classes.shape[-1], pairs.targets[:, None]
        real = self.scores(pairs.hidden, own) - self._log_expected(own, count, tries)
        drawn = self.scores(pairs.hidden, classes) - self._log_expected(classes, count, tries)
        nothing = float(np.finfo(drawn.dtype).min) / 2  # its exponential is 0; it is finite
        drawn = ops.where(constant(classes == own), nothing, drawn)
        scores = ops.concat([real, drawn], axis=1)
        losses = ops.cross_entropy_rows(scores, constant(pairs.targets * 0))
        return pairs.reduced(losses, reduction)

    def _draw(self) -> tuple[Array, float]:
        """Return (samples (K,), how many draws gave them)."""
        if self.unique:
            return self.sampler.draw_distinct(self.num_samples, self.generator)
        return self.sampler.draw(self.num_samples, self.generator), self.num_samples


class NCE(_Corrected):
    """Noise-contrastive estimation: is this class the target's, or one of K drawn from q?

    hidden (..., in_features)   targets (...)   samples (K,), the same for all targets
    s(c) = weight[c] · h + bias[c] - log(K q(c));  loss = -log σ(s(target)) - Σ log σ(-s(sample))
    A sample may equal the target. Trained with many K, the scores become log probabilities; in
    evaluation, without negatives given, the loss is that of the softmax over all classes.
    sampler, num_samples, sparse, generator: as in SampledSoftmax
    Raises ValueError for sizes less than 1.
    Source: Gutmann & Hyvärinen 2012; Mnih & Teh 2012; tf.nn.nce_loss.
    """

    def forward(
        self,
        hidden: Tensor,
        targets: Any,
        mask: Any = None,
        reduction: str = "mean",
        negatives: Any = None,
    ) -> Tensor:
        """Return the loss of a target in nats, its K samples included.

        negatives: samples (K,) for all targets, or (*targets.shape, K); drawn where None
        Raises ValueError, TypeError or IndexError for what does not fit.
        """
        pairs = self.pairs(hidden, targets, mask)
        if negatives is None and not self.training:
            return pairs.reduced(self.softmax_losses(pairs), reduction)
        if negatives is None:
            classes = self._beside(self.sampler.draw(self.num_samples, self.generator))
        else:
            classes = self._given(pairs, negatives)
        count, own = classes.shape[-1], pairs.targets[:, None]
        real = self.scores(pairs.hidden, own) - self._log_expected(own, count)
        drawn = self.scores(pairs.hidden, classes) - self._log_expected(classes, count)
        losses = ops.sum(ops.logsigmoid(real), 1) + ops.sum(ops.logsigmoid(-drawn), 1)
        return pairs.reduced(-losses, reduction)
