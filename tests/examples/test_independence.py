"""Every example stands by itself: it imports the package and libraries, and no other example."""

import ast

import pytest
from task_runs import EXAMPLES

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def imported(source):
    """The first parts of the names of all modules that a program imports; "" for a relative one."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("" if node.level else node.module.partition(".")[0])
    return found


def test_imports_are_found():
    source = "import numpy as np, a.b\ndef f():\n    from names import score\nfrom . import c"
    assert imported(source) == {"numpy", "a", "names", ""}


@pytest.mark.parametrize("name", NAMES)
def test_no_example_imports_another(name):
    found = imported((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))
    assert "tinygrad_seq" in found
    assert not found & {"", "examples", *NAMES}
