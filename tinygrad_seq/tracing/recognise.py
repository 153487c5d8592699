"""What was made for a function, found again by what it depends on and the forms of its values."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from numpy import ndarray

from ..engine.backend import is_array
from ..engine.modes import current
from ..engine.tensor import Tensor
from .contents import contents
from .trace import Memory, Untraceable, freeze

_known = Memory(4096)
"""By a function and the forms of what it reaches: what was made, and which of the values it takes;
or the error that says why there is nothing."""


def recognised(
    function: Any,
    options: Hashable,
    values: Sequence[Any],
    make: Callable[[], tuple[Any, Sequence[Tensor], bool]],
    series: int = 0,
    given: int = 0,
) -> tuple[Any, list[Any]]:
    """Return what `make` makes for a function and values of these forms, and the leaves it takes.

    It is made at every call where it cannot be said what the function depends on.
    options: what else is to be the same
    values: Tensors, arrays and numbers that the function gets. The first `series` of them may have
    any length; the first `given` are no leaves of those that `make` tells of
    make: returns what is made, its leaves, and whether the same will do for other values
    Raises what `make` raises; an Untraceable each time.
    """
    known = contents(function)
    reached = [*values, *known.tensors] if known is not None else []
    forms = None if known is None else _forms(reached, series)
    key = None if known is None or forms is None else (known.form, options, forms)
    found = None if key is None else _known.get(key)
    if found is not None:
        made, numbers = found
        if numbers is None:
            error, why = made
            raise error(why)
        return made, [reached[i] for i in numbers]
    try:
        made, leaves, again = make()
    except Untraceable as why:
        if key is not None:
            _known[key] = (type(why), str(why)), None  # itself, it would keep alive too much
        raise
    numbers = _numbers(leaves, reached, given) if again else None
    if key is not None and numbers is not None:
        _known[key] = made, numbers
    return made, list(leaves)


def _forms(values: Sequence[Any], series: int) -> Any:
    """Return what a trace depends on of what a function reaches; None if that is not known."""
    recording = current.recording
    forms: list[Any] = []
    for a in values:
        array = a.array if isinstance(a, Tensor) else a
        if type(array) is ndarray:
            has_place = None if a is array else recording and a.place is not None
            forms += array.shape, array.dtype, has_place
            continue
        try:
            forms.append(freeze(a))
        except Untraceable:
            return None
    for i in range(series):
        forms[3 * i] = forms[3 * i][1:]
    return tuple(forms)


def _numbers(leaves: Sequence[Tensor], values: Sequence[Any], given: int) -> list[int] | None:
    """Return which of the values the leaves are.

    None where one is not among them, and where two are the same, which are one leaf.
    """
    rest = range(given, len(values))
    arrays = [i for i in rest if isinstance(values[i], Tensor) or is_array(values[i])]
    numbers = {_place(values[i]): i for i in arrays}
    found = [numbers.get(_place(leaf), -1) for leaf in leaves]
    return None if len(numbers) < len(arrays) or -1 in found else found


def _place(a: Any) -> tuple[int, Any]:
    """Return which array it is, by identity, and its place in the graph."""
    return (id(a.array), a.place) if isinstance(a, Tensor) else (id(a), None)
