"""Running the programs of examples/ in this process."""

import contextlib
import importlib.util
import io
import re
import sys
from pathlib import Path

from tinygrad_seq.engine import backend
from tinygrad_seq.train import run_program

EXAMPLES = Path(__file__).parents[2] / "examples"


def program(name):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(name, folder, *options):
    """The exit code, stdout and stderr of an example."""
    out, err, before = io.StringIO(), io.StringIO(), (sys.argv, backend._default)
    sys.argv = [f"{name}.py", *map(str, options)]
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    try:
        with contextlib.chdir(folder), streams[0], streams[1]:
            run_program(program(name).main)
        code = 0
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.argv, backend._default = before
    return code, out.getvalue(), err.getvalue()


def run(name, folder, *options):
    """What a successful run prints."""
    code, out, err = call(name, folder, *options)
    assert code == 0, err
    return out


def complaint(name, folder, *options):
    """The one line that a run which cannot be done says."""
    code, out, err = call(name, folder, *options)
    assert code == 2, (out, err)
    assert "Traceback" not in err
    line = err.rpartition("\r")[2].strip().splitlines()[-1]
    assert line.startswith(f"{name}.py: error: ")
    return line.removeprefix(f"{name}.py: error: ")


def figures(out, start):
    """All numbers in the last line that begins so."""
    lines = [line for line in out.splitlines() if line.startswith(start)]
    assert lines, out
    text = lines[-1].removeprefix(start)
    return [float(x) for x in re.findall(r"-?\d+\.\d+", text)]
