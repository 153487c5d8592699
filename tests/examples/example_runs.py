"""Running an example on small texts, in this process or in one of its own."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import task_runs

PROGRAM = Path(__file__).parents[2] / "examples" / "language_model.py"
TINY = ("--layers", "1", "--hidden", "12", "--embedding", "8", "--epochs", "2", "--batch", "4")
TINY += ("--steps", "10", "--length", "20", "--dropout", "0.1", "--lr", "0.02")
SCORE = re.compile(r"(.+): ([\d.]+) nats or ([\d.]+) bits a (\w+), perplexity ([\d.]+)")


def call(folder, *options, path=PROGRAM):
    """The exit code, stdout and stderr of the program, called in this process."""
    return task_runs.call(path.stem, folder, *options)


def start(folder, *options):
    """A process of the program."""
    command = [sys.executable, str(PROGRAM), *map(str, options)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True)


def finish(process):
    """The exit code, stdout and stderr of a process."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def run(folder, *options, path=PROGRAM):
    """What a successful run prints."""
    code, out, err = call(folder, *options, path=path)
    assert code == 0, err
    return out


def scores(out):
    """(name, nats, unit) of each line that judges the model, its figures agreeing."""
    found = []
    for name, nats, bits, unit, perplexity in SCORE.findall(out):
        assert float(bits) == pytest.approx(float(nats) / math.log(2), abs=1e-3)
        assert float(perplexity) == pytest.approx(math.exp(float(nats)), rel=1e-3)
        found.append((name, float(nats), unit))
    return found


def complaint(result, path=PROGRAM):
    """The one line that a run which cannot be done says."""
    code, out, err = result
    assert code == 2, (out, err)
    assert "Traceback" not in err
    *usage, line = err.rpartition("\r")[2].strip().splitlines()
    assert [part.startswith("usage: ") for part in usage] in ([], [True])
    assert line.startswith(f"{path.name}: error: ")
    return line
