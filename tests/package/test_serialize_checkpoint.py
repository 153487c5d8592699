"""Checkpoints: nested training state comes back bit for bit, arrays under readable names."""

import json
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq.serialize import load, load_checkpoint, save, save_checkpoint

KEY = "tinygrad_seq.checkpoint"


def same_bits(left, right):
    """Equality of trees in types, dtypes, shapes and bits, NaN included."""
    if isinstance(left, np.ndarray):
        return (
            isinstance(right, np.ndarray)
            and (left.dtype, left.shape) == (right.dtype, right.shape)
            and left.tobytes() == right.tobytes()
        )
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same_bits(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same_bits, left, right))
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right)
    return left == right


def test_checkpoint_round_trip(tmp_path):
    generator = np.random.default_rng(5)
    tree = {
        "model": {"rnn.weight_ih_l0": np.ones((2, 3), np.float32), "empty": np.zeros((0, 2))},
        "optimizer": {"state": [{"step": np.array(3), "m": np.zeros(3)}, None], "rate": 0.1},
        "generator": generator.bit_generator.state,
        "text": ["", 'q"uote', "\0", "имя", "\ud800"],
        "ints": [0, -1, 2**63 - 1, 2**63, -(2**63), -(2**127), 10**5000],
        "floats": [0.1, -0.0, 5e-324, 1.7976931348623157e308, np.nan, np.inf, -np.inf],
        "nothing": [None, True, False, [], {}, [[]], {"": {}}],
    }
    tree["floats"].append(struct.unpack("d", struct.pack("Q", 0xFFF8_0000_0000_0001))[0])
    save_checkpoint(tmp_path / "c", tree)
    loaded = load_checkpoint(tmp_path / "c")
    assert same_bits(loaded, tree)
    resumed = np.random.default_rng(0)
    resumed.bit_generator.state = loaded["generator"]
    assert resumed.random() == generator.random()


def test_checkpoint_turns_tuples_and_scalars_plain(tmp_path):
    tree = {
        "tuple": (1, (2.0, "x")),
        "scalars": [np.float32(0.1), np.int8(-3), np.bool_(True), np.str_("s"), np.float64(2)],
    }
    save_checkpoint(tmp_path / "c", tree)
    loaded = load_checkpoint(tmp_path / "c")
    expected = {
        "tuple": [1, [2.0, "x"]],
        "scalars": [float(np.float32(0.1)), -3, True, "s", 2.0],
    }
    assert same_bits(loaded, expected)


KEYS = st.text(st.sampled_from("a/~$01."), max_size=3) | st.sampled_from(
    ["$array", "$int", "$$array", "__metadata__", "/", "~1", "0"]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([np.zeros(2), np.float32([[1, 2]]), np.array(True), np.array(7)])
)
TREES = st.recursive(
    LEAVES, lambda t: st.lists(t, max_size=3) | st.dictionaries(KEYS, t, max_size=3), max_leaves=12
)


@settings(deadline=None)
@given(TREES)
def test_any_tree_round_trips(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "tree"
    save_checkpoint(path, tree)
    assert same_bits(load_checkpoint(path), tree)


def test_arrays_are_named_by_their_place(tmp_path):
    save_checkpoint(tmp_path / "c", {"a": {"b/c": np.zeros(1)}, "d": [1, np.ones(2)], "~": 3})
    assert list(load(tmp_path / "c")) == ["/a/b~1c", "/d/1"]


@pytest.mark.parametrize(
    ("tree", "error", "named"),
    [
        ({"a": {1: 2}}, TypeError, "key 1 in '/a'"),
        ({"a": [b"x"]}, TypeError, "'/a/0' is a bytes"),
        ({"a": {1, 2}}, TypeError, "'/a' is a set"),
        ({"a": 1j}, TypeError, "'/a' is a complex"),
        ({"a": np.complex64(1)}, TypeError, "'/a' is a complex64 scalar"),
        ({"a": np.array([object()])}, TypeError, "'/a' has dtype object"),
        ({"a": np.datetime64(0, "s")}, TypeError, "'/a' is a datetime64"),
    ],
)
def test_what_a_checkpoint_cannot_hold(tmp_path, tree, error, named):
    with pytest.raises(error, match=named):
        save_checkpoint(tmp_path / "c", tree)
    assert os.listdir(tmp_path) == []


def nested(depth):
    tree = 1
    for _ in range(depth):
        tree = [tree]
    return tree


def test_depth_has_a_limit(tmp_path):
    save_checkpoint(tmp_path / "c", nested(100))
    assert load_checkpoint(tmp_path / "c") == nested(100)
    endless = []
    endless.append(endless)
    for tree in (nested(101), endless):
        with pytest.raises(ValueError, match="nested more than 100 deep"):
            save_checkpoint(tmp_path / "c", tree)


def test_other_files_are_no_checkpoints(tmp_path):
    save(tmp_path / "plain", {"x": np.zeros(1)})
    with pytest.raises(ValueError, match="plain: not a checkpoint"):
        load_checkpoint(tmp_path / "plain")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"version": 2, "tree": 1}',
        "[" * 100_000,
        '{"version": 1, "tree": ' + "[" * 300 + "]" * 300 + "}",
        '{"version": 1, "tree": {"$array": "/x"}, "n": ' + "9" * 5000 + "}",
    ]
    + [
        json.dumps({"version": 1, "tree": tree})
        for tree in (
            1,
            {"x": {"$array": "/y"}},
            {"x": {"$array": 3}},
            {"x": {"$array": None}},
            {"x": [{"$array": "/x"}, {"$array": "/x"}]},
            {"x": {"$array": "/x"}, "y": {"$int": "zz"}},
            {"x": {"$array": "/x"}, "y": {"$float": "00"}},
            {"x": {"$array": "/x"}, "y": {"$float": "no hex"}},
            {"x": {"$array": "/x"}, "y": {"$other": "1"}},
            {"x": {"$array": "/x"}, "y": {"$int": "1", "more": 1}},
        )
    ],
)
def test_damaged_checkpoint_metadata(tmp_path, text):
    save(tmp_path / "c", {"/x": np.zeros(1)}, {KEY: text})
    with pytest.raises(ValueError, match="c: damaged checkpoint: "):
        load_checkpoint(tmp_path / "c")


def test_failed_checkpoint_leaves_the_old_one(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "c", {"step": 1, "x": np.zeros(2)})

    def broken(*names):
        raise OSError("lost")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="lost"):
        save_checkpoint(tmp_path / "c", {"step": 2, "x": np.ones(2)})
    assert same_bits(load_checkpoint(tmp_path / "c"), {"step": 1, "x": np.zeros(2)})
    assert os.listdir(tmp_path) == ["c"]


def test_keys_that_look_escaped_do_not_collide(tmp_path):
    tree = {"a/b": np.zeros(1), "a~1b": np.ones(2), "a": {"b": np.zeros(3)}, "a~01b": np.ones(4)}
    save_checkpoint(tmp_path / "c", tree)
    assert same_bits(load_checkpoint(tmp_path / "c"), tree)
