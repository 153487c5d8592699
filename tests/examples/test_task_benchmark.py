"""benchmarks/tasks.py builds its models as the examples do."""

import importlib.util
import math
import sys

import numpy as np
import pytest
from task_runs import EXAMPLES

import tinygrad_seq as tg
from tinygrad_seq.data import synthetic


def test_the_translator_of_the_benchmark(tmp_path, monkeypatch):
    path = EXAMPLES.parent / "benchmarks" / "tasks.py"
    spec = importlib.util.spec_from_file_location("benchmark_tasks", path)
    tasks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tasks)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setitem(sys.modules, "translate", None)  # afterwards as before
    del sys.modules["translate"]
    pairs = synthetic.number_pairs(np.random.default_rng(0))[:70]
    (tmp_path / "train.tsv").write_text("\n".join(map("\t".join, pairs)), encoding="utf-8")
    tg.manual_seed(0)
    model, batches, loss, _ = tasks.translate(tmp_path)
    assert len(batches) == 2
    untrained = math.log(len(model.target))
    assert loss(next(iter(batches))).item() == pytest.approx(untrained, rel=0.05)
