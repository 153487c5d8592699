"""The README is true: its Python runs as it stands, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinygrad_seq.engine.primitive import registry

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) >= 4
    before = dict(registry)
    try:
        exec(compile("\n".join(blocks), "README.md", "exec"), {"__name__": "readme"})
    finally:
        registry.clear()
        registry.update(before)
    assert float(capsys.readouterr().out) < 0.03


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pattern = re.compile(r"^make ([a-z-]+)|`make ([a-z-]+)`", flags=re.MULTILINE)
    targets = set(map("".join, pattern.findall(README)))
    assert {"demo", "test", "lint", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_every_example_is_named() -> None:
    for path in sorted((ROOT / "examples").glob("*.py")):
        assert re.search(rf"\b{path.stem}\b", README), path.stem
