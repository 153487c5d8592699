"""The table of ops: for each, cases of inputs and an independent formula in NumPy."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_seq import ops


@dataclass(frozen=True)
class Input:
    """One array argument: its shape, how it is drawn, and whether it is differentiated."""

    shape: tuple[int, ...]
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    differentiable: bool


def _away_from_zero(rng, shape):
    return rng.uniform(0.1, 2.0, shape) * rng.choice([-1.0, 1.0], shape)


def real(*shape):
    """Return an input of both signs, at least 0.1 away from 0."""
    return Input(shape, _away_from_zero, True)


def positive(*shape):
    return Input(shape, lambda rng, s: rng.uniform(0.3, 2.0, s), True)


def constant(*shape):
    """Return a real input that no gradient goes to."""
    return Input(shape, lambda rng, s: rng.uniform(0.3, 2.0, s), False)


def small_whole(*shape):
    """Return an input of floats that are often equal to each other, without gradient."""
    return Input(shape, lambda rng, s: rng.integers(-1, 2, s).astype(float), False)


def booleans(*shape):
    return Input(shape, lambda rng, s: rng.random(s) < 0.5, False)


def whole(*shape):
    """Return an input of integers of both signs, without gradient."""
    return Input(shape, lambda rng, s: rng.integers(-9, 10, s), False)


def indices(upper, *shape):
    return Input(shape, lambda rng, s: rng.integers(0, upper, s), False)


def probabilities(*shape):
    def draw(rng, s):
        mass = rng.uniform(0.1, 1.0, s)
        return mass / mass.sum(-1, keepdims=True)

    return Input(shape, draw, True)


@dataclass(frozen=True)
class Case:
    """One call of an op: `function(*inputs)` is to equal `reference(*inputs)`."""

    op: str
    variant: str
    inputs: tuple[Input, ...]
    function: Callable[..., Any]
    reference: Callable[..., Any]

    @property
    def name(self):
        return f"{self.op}-{self.variant}"

    def arrays(self, dtype=np.float64):
        """Return the inputs as arrays; floats in this dtype."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        drawn = [np.asarray(i.draw(rng, i.shape)) for i in self.inputs]
        return [a.astype(dtype) if a.dtype.kind == "f" else a for a in drawn]

    @property
    def differentiable(self):
        return [n for n, i in enumerate(self.inputs) if i.differentiable]


def case(op, inputs, reference, function=None, variant=""):
    """Return a case; the function is the op itself, and the variant says the shapes, by default."""
    variant = f"{'x'.join(str(list(i.shape)) for i in inputs)} {variant}".strip()
    return Case(op, variant, tuple(inputs), function or getattr(ops, op), reference)
