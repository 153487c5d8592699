"""What is carried from batch to batch, as a checkpoint holds it."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor


def to_arrays(state: Any) -> Any:
    """Return nested tuples of Tensors as nested lists of arrays. Raises TypeError for others."""
    if state is None or isinstance(state, Tensor):
        return None if state is None else state.detach().to("numpy").numpy()
    if not isinstance(state, (tuple, list)):
        raise TypeError(f"the carry has a {type(state).__name__}, expected tuples of Tensors")
    return [to_arrays(part) for part in state]


def to_tensors(state: Any, like: Tensor) -> Any:
    """Return nested lists of arrays as nested tuples of Tensors, on the backend of `like`."""
    if state is None:
        return None
    if isinstance(state, list):
        return tuple(to_tensors(part, like) for part in state)
    return Tensor(state).to(like.backend)
