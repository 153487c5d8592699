"""The hot loop against its definition: same windows, same negatives, same steps."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from corpora import ids_corpus, vectors

from tinygrad_seq.machine import runtime
from tinygrad_seq.word2vec import definition
from tinygrad_seq.word2vec.definition import CBOW, PAIRS, SKIPGRAM
from tinygrad_seq.word2vec.epoch import Epoch, Rows, Shard

compiled = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")


def both(corpus, width, *, first=0, last=None, pieces=1, measured=0, rate=(0.1, 0.01), **settings):
    """(inputs, outputs, loss, pairs) by the kernel and by the definition in float64."""
    chosen = {"window": 5, "shrink": True, "negative": 5, "architecture": SKIPGRAM}
    chosen |= {"scales": (True, False)} | settings
    plan = Epoch(corpus, rate, seed=2**63 + 7, measured=measured, **chosen)
    words = len(corpus.sampler[0])
    inputs, outputs = vectors(words, width)
    rows = Rows(inputs)
    rows.load_state_dict({"inputs": inputs, "outputs": outputs})
    last = len(corpus.ids) if last is None else last
    shard = Shard(first, last, first)
    for _ in range(pieces):
        plan.train(rows.inputs, rows.outputs, shard, -(-(last - first) // pieces))
    assert shard.done == last
    assert not rows.inputs[:, width:].any()
    assert not rows.outputs[:, width:].any()
    expected = [inputs.astype(float), outputs.astype(float)]
    span, ramp = (first, last), (rate[0], (rate[1] - rate[0]) / (last - first), first)
    loss, pairs = definition.train(
        chosen["negative"], corpus, *expected, *span, ramp, chosen["window"],
        chosen["shrink"], plan.seed, measured, chosen["architecture"], chosen["scales"],
    )  # fmt: skip
    assert np.abs(expected[0] - inputs).max() > 0.05
    state = rows.state_dict()
    return (state["inputs"], state["outputs"], shard.loss, shard.pairs), (*expected, loss, pairs)


def assert_equal(got, expected):
    for mine, theirs in zip(got[:2], expected[:2], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
    assert got[3] == expected[3]
    assert got[2] == pytest.approx(expected[2], rel=1e-6)


both_ways = pytest.mark.parametrize("measured", [0, 3])
"""Every target's loss is measured, or a quarter of them: the others take a shorter way."""


@compiled
@both_ways
@pytest.mark.parametrize("width", [100, 37])
@pytest.mark.parametrize(
    ("architecture", "scales"),
    [
        (SKIPGRAM, (True, False)),
        (PAIRS, (True, False)),
        (CBOW, (True, False)),
        (CBOW, (True, True)),
        (CBOW, (False, False)),
    ],
)
def test_loop_is_its_definition(architecture, scales, width, measured):
    settings = {"architecture": architecture, "scales": scales, "measured": measured}
    assert_equal(*both(ids_corpus(), width, **settings))


@compiled
@both_ways
@pytest.mark.parametrize("negative", [2, 7, 8, 20])
@pytest.mark.parametrize("architecture", [SKIPGRAM, PAIRS, CBOW])
def test_any_number_of_negatives(negative, architecture, measured):
    settings = {"negative": negative, "architecture": architecture, "measured": measured}
    assert_equal(*both(ids_corpus((40, 100, 3)), 20, **settings))


@compiled
@pytest.mark.parametrize("window", [1, 30, 3000])
@pytest.mark.parametrize("shrink", [True, False])
def test_any_window(window, shrink):
    corpus = ids_corpus((200, 5), words=150, sample=0)
    rate = (0.1 / min(window, 30), 0.01 / min(window, 30))
    assert_equal(*both(corpus, 16, window=window, shrink=shrink, rate=rate))


@compiled
@pytest.mark.parametrize("words", [1, 2, 4])
@pytest.mark.parametrize("architecture", [SKIPGRAM, PAIRS, CBOW])
@pytest.mark.parametrize(("negative", "measured"), [(5, 0), (5, 3), (20, 0)])
def test_fewer_words_than_negatives(words, architecture, negative, measured):
    corpus = ids_corpus((30, 4), words=words, sample=0)
    settings = {"negative": negative, "architecture": architecture, "measured": measured}
    assert_equal(*both(corpus, 16, **settings))


@compiled
def test_pieces_and_sentences_longer_than_the_buffer():
    corpus = ids_corpus((9000,), words=500, sample=0)
    whole, expected = both(corpus, 16)
    assert_equal(whole, expected)
    parts, _ = both(corpus, 16, pieces=7)
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[1], parts[1])
    assert whole[3] == parts[3]
    assert_equal(*both(corpus, 16, first=2500, last=8100))


@compiled
def test_a_part_of_the_targets_is_measured():
    corpus = ids_corpus()
    got, expected = both(corpus, 16, measured=3)
    assert_equal(got, expected)
    _, every = both(corpus, 16)
    assert 0.15 * every[3] < got[3] < 0.35 * every[3]


WIDTHS = """
from corpora import ids_corpus
from test_kernel import assert_equal, both
from tinygrad_seq.machine.processor import PROCESSOR
from tinygrad_seq.word2vec.definition import CBOW, PAIRS, SKIPGRAM

assert PROCESSOR == "{name}"
corpus = ids_corpus((40, 100, 3))
for architecture in (SKIPGRAM, PAIRS, CBOW):
    settings = {{"negative": {negative}, "architecture": architecture, "measured": 3}}
    assert_equal(*both(corpus, 37, **settings))
"""


@compiled
@pytest.mark.slow
@pytest.mark.parametrize(("name", "negative"), [("avx2", 5), ("plain", 5), ("plain", 20)])
def test_narrower_vectors(name, negative):
    """A neon register is as wide as a plain one."""
    subprocess.run(
        [sys.executable, "-c", WIDTHS.format(name=name, negative=negative)],
        env={**os.environ, "TINYGRAD_SEQ_VECTORS": name},
        cwd=pathlib.Path(__file__).parent,
        check=True,
    )
