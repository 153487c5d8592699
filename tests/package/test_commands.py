"""Every command that a page or a program names can be given: the options are the program's."""

import argparse
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = sorted(f"{p.parent.name}/{p.name}" for p in [*ROOT.glob("examples/*.py"),
                                                        *ROOT.glob("benchmarks/*.py")])  # fmt: skip
PAGES = ("README.md", "benchmarks/README.md", *PROGRAMS)
QUOTED = re.compile(r"`(?:\w+=\w+ )*python ((?:examples|benchmarks)/[^`]+)`")
LINE = re.compile(r"^ *python ((?:examples|benchmarks)/(?:(?! {2}| +#|`).)+)", re.MULTILINE)


def commands(page):
    """The command lines that a page names, each a program and its options."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [*QUOTED.findall(text.replace("\n", " ")), *LINE.findall(text)]
    return [shlex.split(line) for line in dict.fromkeys(found)]


def test_pages_name_commands():
    named = {name for page in PAGES for name, *_ in commands(page)}
    assert named <= set(PROGRAMS)
    assert set(PROGRAMS) - named == {"benchmarks/recurrent_peers.py"}  # no program of its own


@pytest.mark.parametrize("name", PROGRAMS)
def test_commands_can_be_given(name, monkeypatch):
    lines = {tuple(options) for page in PAGES for own, *options in commands(page) if own == name}
    if "argparse" not in (ROOT / name).read_text() and name.startswith("benchmarks"):
        assert lines <= {()}
        return
    parse = argparse.ArgumentParser.parse_args

    def parse_alone(self, *given):
        parse(self, *given)
        raise SystemExit("all is parsed")

    monkeypatch.syspath_prepend(str((ROOT / name).parent))  # as when it is run
    main = runpy.run_path(str(ROOT / name))["main"]
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_alone)
    for options in lines:
        monkeypatch.setattr(sys, "argv", [name, *options])
        with pytest.raises(SystemExit, match="all is parsed"):
            main()
