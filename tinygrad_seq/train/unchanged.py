"""A training goes on with the options that it was begun with, or is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..serialize import PathLike


def check_unchanged(path: PathLike, now: Mapping[str, Any], was: Any) -> None:
    """Nothing, where a training is to go on with the options that it was begun with.

    path: of the file that holds it
    now, was: options by name, as JSON has them; was is what the file holds, whatever that is
    Raises ValueError naming an option that differs, what it is and what it was.
    """
    if not isinstance(was, Mapping):
        raise ValueError(f"{path}: not a checkpoint of this training: it names no options")
    for name in {**was, **now}:
        new, old = now.get(name), was.get(name)
        if new != old:
            raise ValueError(
                f"--resume: --{name.replace('_', '-')} is {_shown(new)}, the checkpoint was "
                f"trained with {_shown(old)} ({path})"
            )


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
