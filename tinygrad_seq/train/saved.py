"""A model in one file: its parameters, and the settings that it is built from again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..nn.module import Module
from ..serialize import PathLike, load, load_metadata, save

M = TypeVar("M", bound=Module)
FAULTS = (
    ValueError, TypeError, LookupError, OSError, RuntimeError, ArithmeticError, MemoryError,
)  # fmt: skip
"""What is raised for values, shapes, indices, files and sizes that do not fit."""


def save_model(path: PathLike, model: Module, settings: Mapping[str, Any]) -> None:
    """Nothing; writes a model that `load_model` builds again, whole or not at all.

    settings: the keyword arguments that type(model) was called with, as JSON has them
    Raises TypeError for settings that JSON does not have, ValueError for numbers among them that
    are not finite, OSError where nothing can be written.
    """
    about = {"class": type(model).__name__, "settings": settings}
    text = json.dumps(about, allow_nan=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save(path, model.state_dict(), {"model": text})


def load_model(path: PathLike, kind: type[M]) -> M:
    """Return kind(**settings) with the parameters that `save_model` wrote, in evaluation mode.

    Raises ValueError for a file that is not of such a model, OSError where there is none.
    """
    metadata, arrays = load_metadata(path), load(path)
    try:
        if "model" not in metadata:
            raise ValueError("there are no settings in it, as save_model writes them")
        about = json.loads(metadata["model"], parse_float=_finite, parse_constant=_finite)
        if about["class"] != kind.__name__:
            raise ValueError(f"its class is {about['class']}, expected {kind.__name__}")
        model = kind(**about["settings"])
        model.load_state_dict(arrays)
    except (*FAULTS, AttributeError) as error:  # its settings may be anything
        raise ValueError(f"{path}: not a model of this program: {error}") from error
    return model.eval()


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"its settings have {text}, expected finite numbers")
    return float(text)
