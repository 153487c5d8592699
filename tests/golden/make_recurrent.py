"""Make the golden files of layers and cells with PyTorch; `--check` compares with the stored."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden.cases import CELLS, RECURRENT, CellCase, RecurrentCase, T
from golden.making import finish, leaves
from golden.store import DTYPES

Tensors = dict[str, torch.Tensor]


def states_of(tensors: Tensors) -> torch.Tensor | tuple[torch.Tensor, ...] | None:
    """Return the initial state as torch.nn wants it: h, (h, c), or None where there is none."""
    states = tuple(tensors[key] for key in ("h_0", "c_0") if key in tensors)
    return states if len(states) > 1 else (states[0] if states else None)


def named_states(state: torch.Tensor | tuple[torch.Tensor, ...]) -> Tensors:
    """Return a final state by names, h_n and, for an LSTM, c_n."""
    pair = state if isinstance(state, tuple) else (state,)
    return dict(zip(("h_n", "c_n"), pair, strict=False))


def run_sequence(case: RecurrentCase, module: torch.nn.RNNBase, tensors: Tensors) -> Tensors:
    """Return output and final states; padded positions of the output are zero."""
    if case.lengths is None:
        output, state = module(tensors["input"], states_of(tensors))
        return {"output": output, **named_states(state)}
    packed = pack_padded_sequence(
        tensors["input"],
        torch.tensor(case.lengths),
        batch_first=case.batch_first,
        enforce_sorted=False,
    )
    packed, state = module(packed, states_of(tensors))
    output, _ = pad_packed_sequence(packed, batch_first=case.batch_first, total_length=T)
    return {"output": output, **named_states(state)}


def run_cell(case: CellCase, cell: torch.nn.RNNCellBase, tensors: Tensors) -> Tensors:
    """Return the states after one step."""
    return named_states(cell(tensors["input"], states_of(tensors)))


def golden(case: RecurrentCase | CellCase, dtype: str) -> dict[str, np.ndarray]:
    """Return results, loss and gradients of one case, by their keys in the file."""
    module = getattr(torch.nn, case.class_name)(**case.constructor(), dtype=getattr(torch, dtype))
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    if shapes != case.parameter_shapes():
        raise ValueError(f"{case.name}: PyTorch's parameters are {shapes}")
    module.load_state_dict({k: torch.from_numpy(v) for k, v in case.parameters(dtype).items()})
    tensors = leaves(case.inputs(dtype))
    run = run_sequence if isinstance(case, RecurrentCase) else run_cell
    results = run(case, module, tensors)
    weights = {k: torch.from_numpy(v) for k, v in case.loss_weights(dtype).items()}
    loss = torch.stack([(results[key] * weights[key]).sum() for key in results]).sum()
    loss.backward()
    variables = {**tensors, **dict(module.named_parameters())}
    gradients = {f"{key}.grad": variable.grad for key, variable in variables.items()}
    quantities = {**results, "loss": loss, **gradients}
    return {f"{case.name}/{dtype}/{k}": v.detach().numpy() for k, v in quantities.items()}


def main() -> int:
    """Make or check the files; return the exit status."""
    # oneDNN has no projected LSTM and warns at every run; without it all kinds run one code.
    torch.backends.mkldnn.enabled = False
    files: dict[str, dict[str, np.ndarray]] = {}
    for case in (*RECURRENT, *CELLS):
        for dtype in DTYPES:
            files.setdefault(case.file, {}).update(golden(case, dtype))
    return finish(files)


if __name__ == "__main__":
    raise SystemExit(main())
