"""What a step depends on beside its arguments: read from the function itself, at every call.

A step is traced again only if this differs from what it was. So everything that the step can reach
is read: its code, closure and defaults, the globals that its code names, the attributes of the
object that it is a method of; and, from there, functions, objects and containers, in turn. Where
something is met that cannot be compared (a file, random numbers), the answer is None, and the step
is traced at every call.
"""

from __future__ import annotations

import functools
import math
import types
import weakref
from collections.abc import Callable
from operator import attrgetter, is_
from typing import Any

import numpy as np

from ..engine.primitive import Primitive
from ..engine.tensor import Tensor
from .bytecode import EFFECTS, FILLS, Unknown, names_of
from .trace import Memory

MOST = 300
"""Values that are read of a step before it is given up: reading has to cost less than tracing."""

KEPT = 512
"""Forms, and steps, that are remembered."""

_TRUSTED = ("tinygrad_seq", "numpy", "math", "operator", "functools", "builtins")
_UNUSED = frozenset(
    {"__annotations__", "__class_getitem__", "__del__", "__dict__", "__doc__", "__init__",
     "__init_subclass__", "__module__", "__new__", "__repr__", "__weakref__"}
)  # fmt: skip
"""What a class may have that a step does not use of an object."""

_NOTHING: frozenset[str] = frozenset()
_PLAIN = frozenset({int, bool, str, bytes, type(None), type(Ellipsis)})


class Form:
    """Stands for all contents that compare equal: a key that is quick to hash."""


Read = tuple[Callable[[Any], list[Any]], Any, list[Any]]
"""How something was looked at, where, and what was seen."""


class Contents:
    """What a step depends on.

    form: the same for equal contents
    tensors: of these nothing is compared: shapes, dtypes and places are the caller's to look at
    """

    def __init__(
        self, itself: list[Any], form: Form, tensors: list[Tensor], reads: list[Read]
    ) -> None:
        self.form, self.tensors = form, tensors
        self._places = [(look, where) for look, where, _ in reads]
        self._seen = itself + [part for look, _, seen in reads for part in (look, *seen)]

    def hold(self, function: types.FunctionType) -> bool:
        """Return whether all that was read of a step is, object by object, still there."""
        now = _itself(function)
        for look, where in self._places:
            now.append(look)  # between two reads: what one lacks is not made up for by the next
            now += look(where)
        return _same(now, self._seen)


_forms = Memory(KEPT)
_last: dict[int, tuple[weakref.ref[Any], Contents]] = Memory(KEPT)
"""By the identity of a step, or of its owner: the contents when they were last asked for."""


def contents(step: Any) -> Contents | None:
    """Return what a step depends on, None where that is not known."""
    if type(step) is types.FunctionType:
        owner = function = step
    else:
        if type(step) is not types.MethodType:
            step = types.MethodType(type(step).__call__, step)
        owner, function = step.__self__, step.__func__
        if type(function) is not types.FunctionType:
            return None
    place = id(owner)
    last = _last.get(place)
    if last is not None and last[0]() is owner and last[1].hold(function):
        return last[1]
    reader = _Reader(function)
    try:
        reader.read(step)
        reference = weakref.ref(owner, lambda _: _last.pop(place, None))
    except (Unknown, TypeError):
        return None
    found = tuple(reader.found)
    form = _forms.get(found)
    if form is None:
        form = _forms[found] = Form()
    known = Contents(_itself(function), form, reader.tensors, reader.reads)
    _last[place] = reference, known
    return known


class _Reader:
    """Reads values one after the other, each object once.

    found: for each value what can be compared; tensors: the Tensors, in the order met
    reads: what was looked at, but for the step itself, which is not to live longer for that
    named: the names of attributes in the codes met; unnamed: attributes of classes not among them
    containers: whether lists or dicts were met; bases: classes whose methods call super()
    """

    def __init__(self, step: types.FunctionType) -> None:
        self.step = step
        self.found: list[Any] = []
        self.tensors: list[Tensor] = []
        self.reads: list[Read] = []
        self.met: dict[int, int] = {}
        self.named: set[str] = set()
        self.unnamed: list[tuple[str, Any]] = []
        self.containers = False
        self.bases: set[str] = set()

    def read(self, root: Any) -> None:
        """Nothing; reads a value and all that it leads to. Raises Unknown."""
        todo = [root]
        while todo:
            self._read(todo)
            later = [pair for pair in self.unnamed if pair[0] not in self.named]
            todo = [part for name, part in self.unnamed if name in self.named]
            self.unnamed = later
        if self.containers and not FILLS.isdisjoint(self.named):
            raise Unknown

    def _read(self, todo: list[Any]) -> None:
        found, met = self.found, self.met
        while todo:
            value = todo.pop()
            kind = type(value)
            if kind in _PLAIN:
                found += value, kind
                continue
            if kind is float:
                found.append((value, math.copysign(1.0, value)))
                continue
            if id(value) in met:
                found.append(met[id(value)])  # which are the same object counts too
                continue
            met[id(value)] = len(met)
            if len(met) > MOST:
                raise Unknown
            found.append(kind)
            if isinstance(value, Tensor) and _is_ours(kind):
                self.tensors.append(value)
            else:
                parts: Callable[[_Reader, Any], Any] = _PARTS.get(kind, _Reader._object)
                todo += parts(self, value)

    def look(self, how: Callable[[Any], list[Any]], where: Any) -> list[Any]:
        """Return what there is to see; it is looked at again before the contents hold again."""
        seen = how(where)
        self.reads.append((how, where, seen))
        return seen

    def _function(self, value: types.FunctionType) -> list[Any]:
        """Return what a function uses; a function of the package's own modules is a constant."""
        ours = _is_trusted(value) and _is_known(value.__globals__.get("__name__"))
        if ours and "<locals>" not in value.__qualname__:  # functools.wraps copies another's names
            return self._constant(value)
        names, attributes = names_of(value.__code__)
        self.named |= attributes
        if "__class__" in value.__code__.co_freevars:  # it calls super()
            self.bases.add(value.__qualname__.rpartition(".")[0])
        outside = value.__globals__, names, value.__closure__ or ()
        if value is self.step:
            return [*_itself(value), *self.look(_outside, (None, *outside))]
        return self.look(_outside, (value, *outside))

    def _dictionary(self, value: Any) -> list[Any]:
        """Return the values under names or numbers, which go to `found`."""
        if not all(isinstance(key, (str, int)) for key in value):
            raise Unknown
        seen = self.look(_items, value)
        self.found.append(tuple(value))
        return seen[len(value) :]

    def _class(self, kind: type, unused: frozenset[str]) -> list[Any]:
        """Return what may be used of a class that a user wrote, and of those it derives from.

        That is what the codes met name, special methods, and what a class of the package has too.
        """
        parts: list[Any] = []
        trusted = [b for b in kind.__mro__ if b is types.SimpleNamespace or _is_trusted(b)]
        for base in kind.__mro__:
            if base in trusted:
                continue
            if type(base) is not type or any(map(_is_native, vars(base).items())):
                raise Unknown
            self.found.append(base)
            self.look(_items, vars(base))
            for name, part in vars(base).items():
                if name in unused:
                    continue
                self.found.append(name)
                if name.startswith("__") or any(hasattr(b, name) for b in trusted):
                    parts.append(part)
                else:
                    self.unnamed.append((name, part))
        return parts

    def _object(self, value: Any) -> list[Any]:
        """Return what is none of the known kinds consists of: a class, or an object of one."""
        if isinstance(value, (Primitive, np.ufunc, np.dtype)):
            return self._constant(value)
        if isinstance(value, np.generic):
            return self._constant((value.dtype.char, value.tobytes()))
        if isinstance(value, type):
            is_base = value.__qualname__ in self.bases and value.__name__ not in self.named
            return [*self._constant(value), *self._class(value, _UNUSED if is_base else _NOTHING)]
        hidden = [b for b in type(value).__mro__[:-1] if _is_trusted(b) and not _is_ours(b)]
        if (
            isinstance(value, Tensor) or not hasattr(value, "__dict__") or hidden
        ):  # a base may hold what no attribute tells of
            raise Unknown
        if type(value) is not types.SimpleNamespace:  # whose class cannot be another
            self.look(_class_of, weakref.ref(value))
        return [*self._class(type(value), _UNUSED), *self._dictionary(vars(value))]

    def _container(self, value: Any) -> list[Any]:
        """Return the elements of a list or a dict, which may change."""
        self.containers = True
        if type(value) is dict:
            return self._dictionary(value)
        return [len(value), *self.look(list, value)]

    def _module(self, value: types.ModuleType) -> list[Any]:
        """Return nothing more; a module whose functions a step may call stays as it is."""
        if not _is_known(value.__name__):
            raise Unknown
        return self._constant(value)

    def _built_in(self, value: Any) -> list[Any]:
        """Return nothing more. Raises Unknown for a method of an object, and for a clock, say."""
        owner = value.__self__
        if not isinstance(owner, (types.ModuleType, type(None))) or not _is_trusted(value):
            raise Unknown
        return self._constant(value)

    def _constant(self, value: Any) -> list[Any]:
        if getattr(value, "__name__", None) in EFFECTS:  # by whatever name the step calls it
            raise Unknown
        self.found.append(value)
        return []


_NATIVE = frozenset(
    {types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType,
     types.MemberDescriptorType, types.ClassMethodDescriptorType}
)  # fmt: skip
_PARTS: dict[type, Callable[[_Reader, Any], Any]] = {
    types.FunctionType: _Reader._function,
    types.MethodType: lambda _, value: (value.__func__, value.__self__),
    types.CodeType: _Reader._constant,
    types.ModuleType: _Reader._module,
    types.BuiltinFunctionType: _Reader._built_in,
    functools.partial: lambda _, partial: (partial.func, partial.args, partial.keywords),
    property: lambda _, attribute: (attribute.fget,),
    staticmethod: lambda _, method: (method.__func__,),
    classmethod: lambda _, method: (method.__func__,),
    dict: _Reader._container,
    list: _Reader._container,
    tuple: lambda _, value: [len(value), *value],
}
_missing = object()
_contents_of = attrgetter("cell_contents")


def _same(now: list[Any], seen: list[Any]) -> bool:
    return len(now) == len(seen) and all(map(is_, now, seen))


def _itself(function: Any) -> list[Any]:
    own = _items(function.__dict__) if function.__dict__ else ()
    return [function.__code__, function.__defaults__, function.__kwdefaults__, *own]


def _class_of(reference: weakref.ref[Any]) -> list[Any]:
    return [type(reference())]


def _items(dictionary: Any) -> list[Any]:
    return [*dictionary, *dictionary.values()]


def _outside(where: tuple[Any, dict[str, Any], tuple[str, ...], Any]) -> list[Any]:
    """Return what a function uses: its parts, if it is given, globals of these names, cells.

    None stands for globals that are the language's.
    """
    function, space, names, closure = where
    seen = [] if function is None else _itself(function)
    seen += map(space.get, names)
    try:
        seen += map(_contents_of, closure)
    except ValueError:  # a cell that is not filled yet
        seen.append(_missing)
    return seen


def _is_trusted(value: Any) -> bool:
    """Return whether a function or class is the package's, NumPy's or the language's own."""
    return _is_known(value.__module__)


def _is_known(module: str | None) -> bool:
    return str(module).lstrip("_").partition(".")[0] in _TRUSTED


def _is_native(item: tuple[str, Any]) -> bool:
    """Return whether a class's attribute is not written in Python: what it does is not known."""
    name, part = item
    return type(part) in _NATIVE and name not in _UNUSED


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "tinygrad_seq"
