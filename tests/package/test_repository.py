"""The repository itself: no file holds a merge that was not finished."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACES = ["tinygrad_seq", "tests", "examples", "benchmarks", "docs"]


def test_no_file_holds_the_marks_of_a_conflict() -> None:
    files = [path for name in PLACES for path in (ROOT / name).rglob("*.*")]
    texts = [p for p in [*files, *ROOT.glob("*.*")] if p.suffix in {".py", ".md", ".toml", ".svg"}]
    assert len(texts) > 200
    marks = tuple(sign * 7 + " " for sign in "<>")
    for path in texts:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith(marks)], path
