"""Make optim.safetensors with PyTorch; `--check` compares with the stored."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden.making import finish
from golden.optim_cases import (
    CLIPS,
    LEARNING_RATES,
    OPTIMISERS,
    SCHEDULE_STEPS,
    SCHEDULES,
    SPARSE,
    STEPS,
    ClipCase,
    OptimCase,
    ScheduleCase,
    SparseCase,
)
from golden.store import DTYPES

Parameters = dict[str, torch.nn.Parameter]
Arrays = dict[str, np.ndarray]


def parameters_of(arrays: Arrays) -> Parameters:
    """Return the arrays as parameters."""
    return {key: torch.nn.Parameter(torch.from_numpy(array)) for key, array in arrays.items()}


def trajectory(
    parameters: Parameters,
    optimiser: torch.optim.Optimizer,
    set_gradients: Callable[[int], None],
) -> Arrays:
    """Return each parameter after every step, stacked."""
    history: dict[str, list[np.ndarray]] = {key: [] for key in parameters}
    for step in range(STEPS):
        set_gradients(step)
        optimiser.step()
        for key, parameter in parameters.items():
            history[key].append(parameter.detach().numpy().copy())
    return {key: np.stack(arrays) for key, arrays in history.items()}


def run_dense(case: OptimCase, dtype: str) -> Arrays:
    """Return the trajectory of a case with dense gradients."""
    parameters = parameters_of(case.parameters(dtype))
    groups: list[dict] = [{"params": list(parameters.values())}]
    if case.second_group is not None:
        first, second = parameters.values()
        groups = [{"params": [first]}, {"params": [second], **case.second_group}]
    optimiser = getattr(torch.optim, case.optimiser)(groups, **case.options)

    def set_gradients(step: int) -> None:
        for key, gradient in case.gradients(step, dtype).items():
            parameters[key].grad = None if gradient is None else torch.from_numpy(gradient)

    return trajectory(parameters, optimiser, set_gradients)


def run_sparse(case: SparseCase, dtype: str) -> Arrays:
    """Return the trajectory of a case with row-sparse gradients that repeat a row."""
    parameters = parameters_of(case.parameters(dtype))
    table = parameters["table"]
    optimiser = getattr(torch.optim, case.optimiser)([table], **case.options)

    def set_gradients(step: int) -> None:
        rows, added = (torch.from_numpy(array) for array in case.gradient(step, dtype))
        table.grad = torch.sparse_coo_tensor(rows[None], added, table.shape)

    return trajectory(parameters, optimiser, set_gradients)


def run_clip(case: ClipCase, dtype: str) -> Arrays:
    """Return the gradients after clipping, and the norm before it where the call returns one."""
    gradients = case.gradients(dtype)
    parameters = parameters_of({key: np.zeros_like(g) for key, g in gradients.items()})
    for key, parameter in parameters.items():
        parameter.grad = torch.from_numpy(np.array(gradients[key]))
    norm = getattr(torch.nn.utils, case.function)(list(parameters.values()), **case.options)
    quantities = {key: parameter.grad.numpy() for key, parameter in parameters.items()}
    return quantities if norm is None else {**quantities, "norm": norm.numpy()}


def run_schedule(case: ScheduleCase) -> Arrays:
    """Return the rates of both groups at every step."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in LEARNING_RATES]
    optimiser = torch.optim.SGD(groups)
    schedule = getattr(torch.optim.lr_scheduler, case.schedule)(optimiser, **case.options)
    rates = []
    for step in range(SCHEDULE_STEPS):
        rates.append([group["lr"] for group in optimiser.param_groups])
        optimiser.step()
        schedule.step(*(() if case.metrics is None else (case.metrics[step],)))
    return {"lr": np.array(rates)}


def main() -> int:
    """Make or check the file; return the exit status."""
    torch.sparse.check_sparse_tensor_invariants.enable()
    results: dict[str, Arrays] = {}
    for cases, run in ((OPTIMISERS, run_dense), (SPARSE, run_sparse), (CLIPS, run_clip)):
        for case in cases:
            results |= {f"{case.name}/{dtype}": run(case, dtype) for dtype in DTYPES}
    results |= {f"{case.name}/float64": run_schedule(case) for case in SCHEDULES}
    return finish({"optim": {f"{c}/{q}": a for c, got in results.items() for q, a in got.items()}})


if __name__ == "__main__":
    raise SystemExit(main())
