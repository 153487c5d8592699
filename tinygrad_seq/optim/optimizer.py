"""Optimizer: parameter groups, the state of each parameter, and how one rule updates all or rows.

An optimiser is a table of its options, the arrays that it keeps for each parameter, and one rule
that makes the next parameter and arrays of these and a gradient. The rule works element by element:
the same function serves a whole array and the rows that a row-sparse gradient touches, and a kernel
made of it goes over parameter, gradient and arrays once, in place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeAlias

from ..compiler.arrays import one_pass
from ..engine import checks
from ..engine.backend import Array, backend_of, xp
from ..engine.tensor import Tensor
from ..engine.writes import written
from ..ops.rows import RowSparseTensor
from ._state import read_groups, read_states

Options: TypeAlias = dict[str, Any]
Slots: TypeAlias = dict[str, Any]
Numbers: TypeAlias = dict[str, float]
Flags: TypeAlias = dict[str, bool]
Params: TypeAlias = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Optimizer(ABC):
    """Base of the optimisers; a subclass gives `checks`, `slot_names`, `slots`, `numbers`, `rule`.

    params: Tensors, or mappings with their Tensors under "params" and options of their own
    defaults: every option of the groups that do not set it
    Raises TypeError for what is no Tensor, ValueError for no parameters, one given twice, one that
    is computed, and for an option that is unknown or out of range.

    Attributes: `param_groups`, a list of dicts, "params" and the options; changing an option there
    takes effect at the next step. `state`, by parameter: "step" and the arrays named by `slots`.
    """

    checks: ClassVar[dict[str, checks.Check]]
    """Every option by name, with what tells whether a value fits."""

    slot_names: ClassVar[tuple[str, ...]] = ()
    """Every array that may be kept for a parameter."""

    def __init__(self, params: Params, defaults: Mapping[str, Any]) -> None:
        self.defaults: Options = self.checked(defaults)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        if isinstance(params, Tensor | Mapping | str) or not isinstance(params, Iterable):
            raise TypeError(
                f"{self._name}: params is a {type(params).__name__}, expected an iterable of "
                "Tensors or of groups"
            )
        given = list(params)
        if not given:
            raise ValueError(f"{self._name}: params is empty")
        if any(isinstance(item, Mapping) for item in given):
            for i, item in enumerate(given):
                if not isinstance(item, Mapping):
                    raise TypeError(
                        f"{self._name}: params[{i}] is a {type(item).__name__}, expected a group "
                        "as the others are"
                    )
                self.add_param_group(item)
        else:
            self.add_param_group({"params": given})

    # ---- what a subclass says --------------------------------------------------------------------

    @abstractmethod
    def slots(self, options: Options) -> dict[str, float]:
        """Return the arrays to keep for a parameter: name and the number that fills it at first."""

    @abstractmethod
    def numbers(self, step: int, options: Options) -> Numbers:
        """Return the numbers that the rule computes with. step: 1 at the parameter's first."""

    @abstractmethod
    def rule(self, w: Any, g: Any, slots: Slots, n: Numbers, on: Flags) -> tuple[Any, Slots]:
        """Return the parameter and the slots after a step, by the gradient g, elementwise.

        w, g, each slot: of one shape   n: from `numbers`
        on: for each option whether it is other than 0 or False; all else that the rule may depend
        on is in n, so that one kernel serves whatever the options are
        """

    def checked(self, options: Mapping[str, Any]) -> Options:
        """Return the options of a group as plain Python values. Raises as the constructor."""
        return {
            name: check(f"{self._name}: {name}", options[name])
            for name, check in self.checks.items()
        }

    def row_options(self, options: Options, step: int) -> Options:
        """Return the options for an update of rows: those of the whole, unless overridden."""
        return options

    # ---- what a user calls -----------------------------------------------------------------------

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Nothing; adds a group: Tensors under "params", and options other than the defaults.

        Raises as the constructor, and then adds nothing.
        """
        place = f"{self._name}: group {len(self.param_groups)}"
        if not isinstance(group, Mapping) or "params" not in group:
            raise ValueError(f"{place}: expected a mapping with 'params', got {group!r}")
        unknown = sorted(str(key) for key in group.keys() - self.checks.keys() - {"params"})
        if unknown:
            raise ValueError(f"{place}: unknown options {unknown}, known are {list(self.checks)}")
        params = self._checked_params(f"{place}: params", group["params"])
        options = self.checked({**self.defaults, **group})
        self.param_groups.append({"params": params, **options})

    def zero_grad(self) -> None:
        """Nothing; sets every parameter's `.grad` to None."""
        for p in self._params():
            p.grad = None

    def step(self) -> None:
        """Nothing; updates, in place, every parameter whose `.grad` is not None.

        A row-sparse gradient (`RowSparseTensor`) updates only its rows, of parameter and state.
        Raises ValueError or TypeError for a gradient or an option that does not fit, before
        anything is changed.
        """
        work = [
            (p, p.grad, options)
            for group in self.param_groups
            for options in [self.checked(group)]
            for p in group["params"]
            if p.grad is not None
        ]
        for p, grad, _ in work:
            self._check_fit(p, grad)
        for p, grad, options in work:
            self._update(p, grad, options)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the state, as nested dicts and lists with arrays at the leaves.

        "state": by the parameter's number, as text: "step", an int, and its arrays
        "param_groups": the options of each group, and under "params" its parameters' numbers
        """
        states: dict[str, Any] = {}
        groups: list[Options] = []
        numbers = iter(range(len(self._params())))
        for group in self.param_groups:
            options = self.checked(group)
            own = [next(numbers) for _ in group["params"]]
            groups.append({**options, "params": own})
            for number, p in zip(own, group["params"], strict=True):
                if p in self.state:
                    kept = self._filled(p, options)
                    states[str(number)] = {
                        name: value if name == "step" else value.copy()
                        for name, value in kept.items()
                    }
        return {"state": states, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Nothing; replaces options and state by those that `state_dict` returned.

        Arrays are copied to their parameter's backend. Raises ValueError that lists all that does
        not fit this optimiser's parameters, and then changes nothing.
        """
        problems: list[str] = []
        options = read_groups(state_dict, self.param_groups, self.checked, problems)
        required = [
            (p, self.slots(of_group))
            for group, of_group in zip(self.param_groups, options, strict=True)
            for p in group["params"]
        ]
        states = read_states(state_dict, required, self.slot_names, problems)
        if problems:
            raise ValueError(f"{self._name}.load_state_dict: " + "; ".join(problems))
        for group, of_group in zip(self.param_groups, options, strict=True):
            group.update(of_group)
        self.state = states

    def __repr__(self) -> str:
        lines = [
            f"  {len(group['params'])} parameters, "
            + ", ".join(f"{name}={group[name]}" for name in self.checks)
            for group in self.param_groups
        ]
        return "\n".join([f"{self._name}(", *lines, ")"])

    # ---- inside ----------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _params(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _checked_params(self, what: str, given: Any) -> list[Tensor]:
        """Return the Tensors of a new group: leaves, none known already."""
        params = checks.tensors(what, given)
        if not params:
            raise ValueError(f"{what} is empty")
        known = {id(p) for p in self._params()}
        for i, p in enumerate(params):
            if not p.is_leaf:
                raise ValueError(f"{what}[{i}] is the result of an op, expected a leaf")
            if id(p) in known:
                raise ValueError(f"{what}[{i}] is given twice")
            known.add(id(p))
        return params

    def _check_fit(self, p: Tensor, grad: Any) -> None:
        """Nothing; raises unless gradient and state go with the parameter as it is now."""
        if not isinstance(grad, Tensor):
            raise TypeError(f"{self._name}: .grad is a {type(grad).__name__}, expected a Tensor")
        values = grad.cotangent.parts[0][1] if isinstance(grad, RowSparseTensor) else grad.array
        expected = (backend_of(p.array), p.dtype, p.shape)
        found = (backend_of(values), values.dtype, grad.shape)
        if found != expected:
            raise (TypeError if found[:2] != expected[:2] else ValueError)(
                f"{self._name}: .grad of parameter {self._number(p)} is {_describe(*found)}, "
                f"expected {_describe(*expected)}"
            )
        if not getattr(p.array.flags, "writeable", True):
            raise ValueError(f"{self._name}: parameter {self._number(p)} is a read-only array")
        for name, kept in self.state.get(p, {}).items():
            if name != "step" and (backend_of(kept), kept.dtype, kept.shape) != expected:
                came = _describe(backend_of(kept), kept.dtype, kept.shape)
                raise TypeError(
                    f"{self._name}: parameter {self._number(p)} is now {_describe(*expected)}, its "
                    f"{name} is {came}; after a move to another backend, "
                    "load_state_dict(state_dict()) moves the state too"
                )

    def _number(self, p: Tensor) -> int:
        return next(i for i, other in enumerate(self._params()) if other is p)

    def _filled(self, p: Tensor, options: Options) -> dict[str, Any]:
        """Return the state of a parameter, with every array that the options ask for."""
        state = self.state.setdefault(p, {"step": 0})
        for name, fill in self.slots(options).items():
            if name not in state:
                state[name] = xp(p.array).full_like(p.array, fill)
        return state

    def _update(self, p: Tensor, grad: Tensor, options: Options) -> None:
        state = self._filled(p, options)
        step = state["step"] = state["step"] + 1
        slots = {name: state[name] for name in self.slots(options)}
        if isinstance(grad, RowSparseTensor):
            rows, g = grad.coalesced()
            w, own = p.array[rows], {name: slot[rows] for name, slot in slots.items()}
            self._apply(w, g, own, step, self.row_options(options, step))
            p.array[rows] = w
            for name, slot in slots.items():
                slot[rows] = own[name]
        else:
            self._apply(p.array, grad.array, slots, step, options)
        written(p.array)

    def _apply(self, w: Array, g: Array, slots: Slots, step: int, options: Options) -> None:
        """Nothing; does a step of the rule, in place, by a kernel where there is one."""
        numbers = self.numbers(step, options)
        names, on = list(slots), {name: bool(value) for name, value in options.items()}

        def update(w: Any, g: Any, *rest: Any) -> tuple[Any, ...]:
            before = dict(zip(names, rest, strict=False))
            n = dict(zip(numbers, rest[len(names) :], strict=True))
            w, after = self.rule(w, g, before, n, on)
            return (w, *[after[name] for name in names])

        key = (type(self), *on.items())
        one_pass(key, update, (w, g, *slots.values()), [*numbers.values()], (w, *slots.values()))


def descent(w: Any, g: Any, n: Numbers, on: Flags) -> Any:
    """Return the direction to go against: ±g + weight_decay·w, minus where `maximize`."""
    if on["maximize"]:
        g = -g
    return g + n["weight_decay"] * w if on["weight_decay"] else g


def _describe(backend: Any, dtype: Any, shape: tuple[int, ...]) -> str:
    return f"{backend.name} {dtype}{shape}"
