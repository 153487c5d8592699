"""Module: an object that owns parameters, and finds them by walking its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from reprlib import recursive_repr
from typing import Any, NamedTuple, Self

import numpy as np

from ..engine.backend import (
    Array,
    backend_of,
    convert,
    floating_dtype,
    get_backend,
    is_array,
    known_backends,
)
from ..engine.tensor import Tensor, tensor_at
from ..engine.writes import written


class Parameter(Tensor):
    """A Tensor that a Module owns and an optimiser updates: a leaf that requires a gradient.

    data: Tensor or array, shared
    Raises TypeError for an integer array.
    """

    __slots__ = ()

    def __init__(self, data: Tensor | Array, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return "Parameter" + super().__repr__().removeprefix("Tensor")


class Unmatched(NamedTuple):
    """Names that a state lacked, and names that the module has not."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of everything that owns parameters. A subclass sets attributes and writes `forward`.

    Parameters and modules are found among the attributes, in the order of their definition, and
    inside lists, tuples and dicts. Names, `state_dict` and modes have PyTorch's meanings.
    """

    training = True
    unnamed = ""  # an attribute whose items go by their numbers alone

    def forward(self, *args: Any, **options: Any) -> Any:
        """Return the module's output. Raises NotImplementedError unless a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return forward(*args, **options)."""
        return self.forward(*args, **options)

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_plain(value) and isinstance(vars(self).get(name), Parameter):
            raise TypeError(
                f"{type(self).__name__}.{name}: got a {type(value).__name__}, expected a Parameter;"
                " nn.init, load_state_dict or `with no_grad()` write values into the one there"
            )
        super().__setattr__(name, value)

    # ---- walking ---------------------------------------------------------------------------------

    def members(self) -> Iterator[tuple[str, Parameter | Module]]:
        """Yield (name, parameter or module) for those that this module holds itself."""
        for name, value in vars(self).items():
            yield from _found("" if name == self.unnamed else name, value)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield (dotted name, module) for this module ("") and all inside it, each once."""
        return self._modules(prefix, set(), once=True)

    def _modules(self, prefix: str, met: set[int], once: bool) -> Iterator[tuple[str, Module]]:
        """Yield (dotted name, module), each once, or under each of its names.

        met: modules not to enter again: all seen so far, or those that this one stands in
        """
        met.add(id(self))
        yield prefix, self
        for name, member in self.members():
            if isinstance(member, Module) and id(member) not in met:
                yield from member._modules(_joined(prefix, name), met, once)
        if not once:
            met.remove(id(self))

    def modules(self) -> Iterator[Module]:
        """Yield this module and all inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for the modules that this module holds itself."""
        return ((name, m) for name, m in self.members() if isinstance(m, Module))

    def children(self) -> Iterator[Module]:
        """Yield the modules that this module holds itself."""
        return (module for _, module in self.named_children())

    def apply(self, function: Callable[[Module], None]) -> Self:
        """Return this module, after function(module) for all inside it and, last, itself."""
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def named_parameters(
        self, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter), in order of definition; a shared one once, if asked."""
        seen: set[int] = set()
        for module_name, module in self._modules(prefix, set(), remove_duplicate):
            for name, member in module.members():
                if isinstance(member, Parameter) and not (remove_duplicate and id(member) in seen):
                    seen.add(id(member))
                    yield _joined(module_name, name), member

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter once, in order of definition."""
        return (parameter for _, parameter in self.named_parameters())

    def num_parameters(self) -> int:
        """Return the number of numbers in all parameters, shared ones counted once."""
        return sum(parameter.size for parameter in self.parameters())

    # ---- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of every parameter's array by dotted name; a shared one under each name."""
        return {name: parameter.array.copy() for name, parameter in self._by_name().items()}

    def _by_name(self) -> dict[str, Parameter]:
        """Return every parameter by name. Raises ValueError if two have one name."""
        named: dict[str, Parameter] = {}
        for name, parameter in self.named_parameters(remove_duplicate=False):
            if named.setdefault(name, parameter) is not parameter:
                raise ValueError(f"{type(self).__name__}: two parameters are called {name}")
        return named

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Unmatched:
        """Return the names left out, after copying the arrays of `state` into the parameters.

        state: arrays, Tensors or PyTorch tensors by name
        strict: whether names that are missing or extra are errors
        Raises ValueError that lists every missing, extra and misfitting name, TypeError for what
        is no mapping; nothing is changed.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict: got a {type(state).__name__}, expected a mapping")
        own = self._by_name()
        arrays = {name: _as_array(value) for name, value in state.items() if name in own}
        mine = {id(parameter.array) for parameter in own.values()}
        arrays = {n: a.copy() if id(a) in mine else a for n, a in arrays.items()}
        unmatched = Unmatched(
            [n for n in own if n not in state], [n for n in state if n not in own]
        )
        faults = [f"{name} is missing" for name in unmatched.missing_keys if strict]
        faults += [f"{name} is not expected" for name in unmatched.unexpected_keys if strict]
        for name, array in arrays.items():
            parameter = own[name]
            if array.shape != parameter.shape or array.dtype != parameter.dtype:
                faults.append(
                    f"{name} is {array.dtype}{array.shape}, "
                    f"expected {parameter.dtype}{parameter.shape}"
                )
        if faults:
            raise ValueError(f"{type(self).__name__}: the state does not fit: " + "; ".join(faults))
        for name, array in arrays.items():
            target = own[name].array
            target[...] = convert(array, backend_of(target))
            written(target)
        return unmatched

    def zero_grad(self) -> None:
        """Nothing; forgets the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    # ---- modes and places ------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Return this module, after switching it and all inside to training (or evaluation)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Return this module, after switching it and all inside to evaluation: no dropout."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Return this module, after thawing (or freezing) all its parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, target: str | np.dtype[Any] | type) -> Self:
        """Return this module, after moving its parameters to a backend or a floating dtype.

        target: "numpy" or "cupy", or a dtype
        Raises ValueError for an unknown backend, TypeError for a dtype that is not floating.
        """
        if isinstance(target, str) and target in known_backends():
            backend = get_backend(target)
            self._convert(lambda array: convert(array, backend))
            return self
        dtype = floating_dtype(target)
        self._convert(lambda array: array.astype(dtype))
        return self

    def _convert(self, change: Callable[[Array], Array]) -> None:
        for parameter in self.parameters():
            parameter.array = change(parameter.array)
            if parameter.grad is not None:
                parameter.grad = tensor_at(change(parameter.grad.array), None)

    # ---- to be read ------------------------------------------------------------------------------

    def describe(self) -> str:
        """Return what stands in this module's parentheses in its repr."""
        return ""

    @recursive_repr()
    def __repr__(self) -> str:
        total = self.num_parameters()
        head = f"{type(self).__name__}({self.describe()})"
        if total:
            head += f"  # {total:,} parameter" + "s" * (total != 1)
        inside = [
            f"  {name}: " + repr(member).replace("\n", "\n  ")
            for name, member in self.members()
            if isinstance(member, Module)
        ]
        return "\n".join([head, *inside])


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _found(name: str, value: object) -> Iterator[tuple[str, Parameter | Module]]:
    """Yield the parameters and modules that an attribute is or contains."""
    if isinstance(value, (Parameter, Module)):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _found(_joined(name, str(i)), item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _found(_joined(name, str(key)), item)


def _is_plain(value: object) -> bool:
    """Return whether a value is a Tensor or an array, but no Parameter."""
    return is_array(value) or (isinstance(value, Tensor) and not isinstance(value, Parameter))


def _as_array(value: Any) -> Array:
    """Return the array of a Tensor, of a PyTorch tensor, or the array itself."""
    if isinstance(value, Tensor):
        return value.array
    return value if is_array(value) else np.asarray(value)
