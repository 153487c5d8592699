"""Each floor of the house uses only floors below it, and of those only the ones named here."""

import ast
from pathlib import Path

import pytest

import tinygrad_seq as tg

HOUSE = Path(tg.__file__).parent
USES = {  # by each entry of the package, the others that it may import, at whatever time
    "engine": set(),
    "machine": {"engine"},
    "ops": {"engine", "machine"},
    "testing": {"engine"},
    "tracing": {"engine", "ops"},
    "compiler": {"engine", "machine", "ops", "tracing"},
    "serialize": {"engine"},
    "nn": {"engine", "ops", "compiler"},
    "optim": {"engine", "machine", "ops", "compiler"},
    "data": {"engine", "machine", "serialize"},
    "decode": {"engine", "ops", "data"},
    "train": {"engine", "nn", "optim", "serialize", "data", "decode"},
    "word2vec": {"engine", "machine", "nn", "optim", "serialize", "data", "train"},
}
DOORS = {"arrays", "explain", "fuse", "scan", "single"}
"""Files of the compiler that other floors may import."""


def imported(path):
    """The modules that a file imports from within the package, by their parts."""
    package = path.relative_to(HOUSE.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = (*above, *(node.module or "").split("."))
            yield from ([*filter(None, module), name.name] for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name.split(".") for name in node.names)


def files_of(entry):
    """The Python files of an entry of the package, a module or a folder."""
    module = HOUSE / f"{entry}.py"
    return [module] if module.exists() else [*(HOUSE / entry).rglob("*.py")]


@pytest.mark.parametrize("floor", USES)
def test_a_floor_imports_only_what_lies_below(floor):
    files = files_of(floor)
    assert files
    found = {parts[1] for file in files for parts in imported(file) if parts[0] == HOUSE.name}
    assert found - {floor} <= USES[floor]


def test_other_floors_know_the_doors_of_the_compiler_only():
    files = [file for floor in {*USES, "__init__"} - {"compiler"} for file in files_of(floor)]
    found = {parts[2] for file in files for parts in imported(file) if parts[1:2] == ["compiler"]}
    assert found == DOORS


def test_every_floor_is_in_the_table_after_those_that_it_uses():
    entries = {p.stem for p in HOUSE.iterdir() if p.stem[0] != "_" and p.name != "py.typed"}
    assert entries == set(USES)
    floors = list(USES)
    assert all(floors.index(used) < floors.index(floor) for floor in USES for used in USES[floor])
