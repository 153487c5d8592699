"""Sampled losses that TensorFlow's values are stored for, as data; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from golden.formula import values

V, H, N, K = 12, 4, 6, 5
FILE = "sampled"
DISTINCT = np.array([3, 0, 7, 1, 11])  # 3, 0 and 7 are targets too
REPEATED = np.array([5, 5, 3, 6, 5])
"""No target stands twice: of equal samples that hit, TensorFlow removes only the last."""

COUNTS = np.array([31, 17, 2, 9, 1, 1, 40, 3, 5, 12, 2, 6])
DRAWS = {"log_uniform": None, "unigram": 0.75, "frequency": 1.0, "uniform": 0.0}
"""Samplers, by the exponent of the counts."""


@dataclass(frozen=True)
class Case:
    """One call of tf.nn.sampled_softmax_loss or tf.nn.nce_loss, in float64."""

    loss: str
    sampler: str
    unique: bool
    tries: int

    @property
    def name(self):
        return f"{self.loss}-{self.sampler}-{'unique' if self.unique else 'repeats'}-{self.tries}"

    @property
    def samples(self):
        return DISTINCT if self.unique else REPEATED

    def arrays(self):
        """Hidden states, weight, bias, and targets, some of which are samples."""
        targets = np.array([7, 0, 3, 10, 3, 2])
        hidden, weight = values((N, H), "hidden", 2.0), values((V, H), "weight", 1.5)
        return {"hidden": hidden, "weight": weight, "bias": values((V,), "bias")}, targets


def probabilities(sampler):
    """P(c) of every class, (V,)."""
    if DRAWS[sampler] is None:
        c = np.arange(V)
        return (np.log(c + 2) - np.log(c + 1)) / np.log(V + 1)
    mass = COUNTS ** DRAWS[sampler]
    return mass / mass.sum()


def expected_counts(case):
    """How often TensorFlow's samplers say that each class is expected, (V,)."""
    p = probabilities(case.sampler)
    return p * K if case.tries == K else 1 - (1 - p) ** case.tries


CASES = [
    *(
        Case("sampled_softmax", sampler, unique, tries)
        for sampler, (unique, tries) in product(DRAWS, [(True, K), (True, 17), (False, K)])
    ),
    *(Case("nce", sampler, False, K) for sampler in DRAWS),
]
