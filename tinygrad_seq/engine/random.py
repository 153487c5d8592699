"""Random numbers from explicit generators whose whole state can be saved.

Every draw comes from one NumPy stream: initial values are drawn there and moved, so that they are
the same on every backend; masks on a GPU are drawn there by a generator seeded from the stream.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import Array, Backend, convert, default_backend
from .modes import current


class Generator:
    """A stream of random numbers.

    seed: an integer of 0 or more, or None for one from the operating system
    """

    def __init__(self, seed: int | None = None) -> None:
        self.numpy = np.random.Generator(np.random.PCG64(seed))

    def manual_seed(self, seed: int) -> Generator:
        """Return this generator, started anew from `seed`. Raises ValueError if it is negative."""
        if seed < 0:
            raise ValueError(f"manual_seed: seed is {seed}, expected 0 or more")
        self.numpy = np.random.Generator(np.random.PCG64(seed))
        return self

    def uniform(self, shape: tuple[int, ...], low: float, high: float, dtype: Any) -> Array:
        """Return an array of this shape, uniform in [low, high), on the default backend."""
        drawn = self.numpy.random(shape) * (high - low) + low
        return convert(drawn.astype(dtype), default_backend())

    def normal(self, shape: tuple[int, ...], mean: float, std: float, dtype: Any) -> Array:
        """Return an array of this shape, normally distributed, on the default backend."""
        drawn = self.numpy.standard_normal(shape) * std + mean
        return convert(drawn.astype(dtype), default_backend())

    def mask(self, shape: tuple[int, ...], p: float, backend: Backend) -> Array:
        """Return an array of booleans of this shape on `backend`, each True with probability p."""
        if backend.draw_uniform is not None:
            return backend.draw_uniform(shape, int(self.numpy.integers(2**63))) < p
        return convert(self.numpy.random(shape, dtype=np.float32) < p, backend)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state, of integers and strings."""
        state: dict[str, Any] = dict(self.numpy.bit_generator.state)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing; goes on from this state. Raises ValueError if it is not a generator's."""
        try:
            self.numpy.bit_generator.state = state
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"load_state_dict: not the state of a generator: {error}") from error


_default = Generator()


def default_generator() -> Generator:
    """Return the generator that is used where none is given."""
    return _default


def chosen(generator: Generator | None) -> Generator:
    """Return the generator that was passed, or the default one.

    Raises TypeError for another, RuntimeError while a function is traced: a trace draws nothing.
    """
    if current.tracer is not None:
        raise RuntimeError("random numbers are drawn, which differ each time")
    if generator is None:
        return _default
    if not isinstance(generator, Generator):
        raise TypeError(f"generator is a {type(generator).__name__}, expected a tg.Generator")
    return generator


def manual_seed(seed: int) -> Generator:
    """Return the default generator, started anew from `seed`. Raises ValueError if negative."""
    return _default.manual_seed(seed)
