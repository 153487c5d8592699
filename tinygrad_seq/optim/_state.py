"""Reading an optimiser's state dict: everything is checked, and all that does not fit is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..engine.backend import backend_of, convert, is_array
from ..engine.tensor import Tensor


def read_groups(
    saved: Any,
    groups: Sequence[Mapping[str, Any]],
    checked: Callable[[Mapping[str, Any]], dict[str, Any]],
    problems: list[str],
) -> list[dict[str, Any]]:
    """Return the saved options of each group; its own where they do not fit, which is noted."""
    own = [checked(group) for group in groups]
    if not isinstance(saved, Mapping) or saved.keys() != {"state", "param_groups"}:
        problems.append("expected a mapping with the keys 'state' and 'param_groups'")
        return own
    given = saved["param_groups"]
    if not isinstance(given, Sequence) or len(given) != len(groups):
        count = f"{len(given)} groups" if isinstance(given, Sequence) else type(given).__name__
        problems.append(f"param_groups: {count}, expected a list of {len(groups)}")
        return own
    first = 0
    for i, (entry, group) in enumerate(zip(given, groups, strict=True)):
        numbers = list(range(first, first + len(group["params"])))
        first += len(numbers)
        expected = [*own[i], "params"]
        if not isinstance(entry, Mapping) or set(entry) != set(expected):
            came = sorted(map(str, entry)) if isinstance(entry, Mapping) else repr(entry)
            problems.append(f"param_groups[{i}]: {came}, expected the options {sorted(expected)}")
            continue
        if entry["params"] != numbers:
            problems.append(f"param_groups[{i}]['params']: {entry['params']!r}, expected {numbers}")
        try:
            own[i] = checked(entry)
        except (TypeError, ValueError) as error:
            problems.append(f"param_groups[{i}]: {error}")
    return own


def read_states(
    saved: Any,
    required: Sequence[tuple[Tensor, Mapping[str, float]]],
    known: Sequence[str],
    problems: list[str],
) -> dict[Tensor, dict[str, Any]]:
    """Return a copy of the saved state by parameter; what does not fit is noted.

    required: every parameter and the arrays that its state must have   known: those it may have
    """
    given = saved.get("state", {}) if isinstance(saved, Mapping) else {}
    if not isinstance(given, Mapping):
        problems.append(f"state is a {type(given).__name__}, expected a mapping")
        return {}
    numbers = {str(i): i for i in range(len(required))}
    states = {}
    for key, entry in given.items():
        if key not in numbers:
            problems.append(f"state[{key!r}]: there is no such parameter")
            continue
        p, slots = required[numbers[key]]
        states[p] = _read_state(f"state[{key!r}]", entry, p, (set(slots), set(known)), problems)
    return states


def _read_state(
    what: str, entry: Any, p: Tensor, names: tuple[set[str], set[str]], problems: list[str]
) -> dict[str, Any]:
    """Return a copy of one parameter's state, its arrays on the parameter's backend."""
    if not isinstance(entry, Mapping):
        problems.append(f"{what} is a {type(entry).__name__}, expected a mapping")
        return {}
    required, known = names
    missing = sorted((required | {"step"}) - entry.keys())
    extra = sorted(str(key) for key in entry.keys() - known - {"step"})
    if missing or extra:
        problems.append(f"{what}: missing {missing}, unknown {extra}")
    state: dict[str, Any] = {}
    for name, value in entry.items():
        if name == "step":
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                problems.append(f"{what}['step'] is {value!r}, expected an int of 0 or more")
            state[name] = value
        elif name in known:
            value = value.array if isinstance(value, Tensor) else value
            if not is_array(value) or (value.shape, value.dtype) != (p.shape, p.dtype):
                came = f"{value.dtype}{value.shape}" if is_array(value) else repr(value)
                problems.append(f"{what}[{name!r}] is {came}, expected {p.dtype}{p.shape}")
            else:
                state[name] = convert(value, backend_of(p.array)).copy()
    return state
