"""Modules made of modules: one after the other, or a list of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .module import Module


class Sequential(Module):
    """layers[-1](...layers[0](x)): each layer's output is the next one's input.

    layers: modules, or plain functions of a Tensor such as ops.tanh
    """

    unnamed = "layers"

    def __init__(self, *layers: Callable[..., Any]) -> None:
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Return the last layer's output."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int) -> Any:
        return self.layers[i]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)


class ModuleList(Module):
    """A list of modules, which are parts of the module that holds it.

    Raises TypeError for an item that is not a Module.
    """

    unnamed = "items"

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.items: list[Module] = []
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        """Return this list, one module longer. Raises TypeError for anything but a Module."""
        if not isinstance(module, Module):
            raise TypeError(f"ModuleList: got a {type(module).__name__}, expected a Module")
        self.items.append(module)
        return self

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Module:
        return self.items[i]

    def __iter__(self) -> Iterator[Module]:
        return iter(self.items)
