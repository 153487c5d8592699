"""Make losses.safetensors with PyTorch; `--check` compares with the stored."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden.loss_cases import FUNCTIONS, FunctionCase, result_weight
from golden.making import finish
from golden.store import DTYPES


def ctc_loss(*, target: torch.Tensor, **options) -> torch.Tensor:
    """Return the CTC loss of log_softmax(input), classes last."""
    log_probs = options.pop("input").log_softmax(-1)
    return torch.nn.functional.ctc_loss(log_probs, target, **options)


def function_of(name: str):
    """Return PyTorch's function of this name."""
    if name == "ctc_loss":
        return ctc_loss
    return getattr(torch.nn.functional, name, None) or getattr(torch, name)


def golden(case: FunctionCase, dtype: str) -> dict[str, np.ndarray]:
    """Return value and gradients of one case, and the table where max_norm has changed it."""
    tensors = {key: torch.from_numpy(array) for key, array in case.arrays(dtype).items()}
    for key in case.differentiable:
        tensors[key].requires_grad_()
    value = function_of(case.function)(**tensors, **case.options)
    weight = torch.from_numpy(result_weight(tuple(value.shape), dtype))
    (value * weight).sum().backward()
    quantities = {"value": value, **{f"{k}.grad": tensors[k].grad for k in case.differentiable}}
    if "max_norm" in case.options:
        quantities["weight.after"] = tensors["weight"]
    return {f"{case.name}/{dtype}/{k}": v.detach().numpy() for k, v in quantities.items()}


def main() -> int:
    """Make or check the file; return the exit status."""
    arrays: dict[str, np.ndarray] = {}
    for case in FUNCTIONS:
        for dtype in DTYPES:
            arrays.update(golden(case, dtype))
    return finish({"losses": arrays})


if __name__ == "__main__":
    raise SystemExit(main())
