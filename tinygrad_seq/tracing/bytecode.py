"""What a function's code names, and whether it may do more than compute."""

from __future__ import annotations

import dis
import functools
import types

EFFECTS = frozenset(
    {"__dict__", "__getattribute__", "__import__", "array", "attrgetter", "breakpoint", "delattr",
     "eval", "exec", "getattr", "globals", "grad", "input", "is_leaf", "iter", "methodcaller",
     "next", "open", "place", "print", "random", "setattr", "vars"}
)  # fmt: skip
"""Names that a step does not have where it can be said what it depends on."""

FILLS = frozenset(
    {"STORE_SUBSCR", "DELETE_SUBSCR", "add", "append", "clear", "discard", "extend", "insert",
     "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update"}
)  # fmt: skip
"""What changes a list or a dict; a step that has any of them is to reach none from outside."""

_OPAQUE = frozenset(
    {"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "DELETE_ATTR", "IMPORT_NAME", "MATCH_CLASS",
     "YIELD_VALUE"}
)  # fmt: skip
"""What writes outside, or takes attributes that no name tells of."""

_SUBSCRIPTS = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR"})


class Unknown(Exception):  # noqa: N818 - not an error: the step is traced again
    """What a step depends on cannot be said."""


@functools.lru_cache(maxsize=1024)
def names_of(code: types.CodeType) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the globals that a code and its inner functions read, and all names in them.

    Raises Unknown if it writes anything outside, or has a name that does more than compute.
    """
    names: dict[str, None] = {}
    every: set[str] = set()
    todo = [code]
    while todo:
        code = todo.pop()
        every.update(code.co_names)
        is_new = code.co_name == "__init__"  # it may write into what nobody has seen
        for instruction in dis.get_instructions(code):
            name, what = instruction.opname, instruction.argval
            if name == "STORE_DEREF" and what in code.co_freevars:
                raise Unknown
            if name in _OPAQUE and not (is_new and name == "STORE_ATTR"):
                raise Unknown
            if name in _SUBSCRIPTS:
                every.add(name)
            if name in ("LOAD_GLOBAL", "LOAD_NAME"):
                names[what] = None
        todo += [inner for inner in code.co_consts if isinstance(inner, types.CodeType)]
    if not EFFECTS.isdisjoint(every):
        raise Unknown
    return tuple(names), frozenset(every)
