"""Files that lie: cut, damaged and false safetensors files are refused, whatever is wrong."""

import json
import os
import random
import struct
from contextlib import suppress

import numpy as np
import pytest

from tinygrad_seq.serialize import load, load_checkpoint, load_metadata, save, save_checkpoint


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


LIES = {
    "empty": b"",
    "short": b"abc",
    "header longer than the file": struct.pack("<Q", 1000) + b"{}",
    "huge header": struct.pack("<Q", 2**63) + b"{}",
    "all ones": b"\xff" * 64,
    "not UTF-8": file_of(b'{"\xff":1}'),
    "not JSON": file_of(b'{"a":'),
    "a list": file_of([]),
    "nested": file_of(b"[" * 100_000),
    "metadata not text": file_of({"__metadata__": {"a": 3}}),
    "metadata a list": file_of({"__metadata__": []}),
    "no dtype": file_of({"a": {"shape": [1], "data_offsets": [0, 4]}}, b"1234"),
    "unknown dtype": file_of({"a": entry("F33")}, b"1234"),
    "bfloat16": file_of({"a": entry("BF16", (2,))}, b"1234"),
    "complex": file_of({"a": entry("C64", (1,), (0, 8))}, b"12345678"),
    "offsets past the end": file_of({"a": entry("F32", (2,), (0, 8))}, b"1234"),
    "bytes left over": file_of({"a": entry()}, b"12345678"),
    "hole": file_of({"a": entry(offsets=(4, 8))}, b"12345678"),
    "overlap": file_of({"a": entry(), "b": entry()}, b"1234"),
    "backwards": file_of({"a": entry(offsets=(4, 0))}, b"1234"),
    "size differs": file_of({"a": entry("F32", (2,))}, b"1234"),
    "size overflows": file_of({"a": entry("F32", (2**40, 2**40))}, b"1234"),
    "empty but too big": file_of({"a": entry("F32", (0, 2**62), (0, 0))}),
    "negative": file_of({"a": entry("F32", (-1,))}, b"1234"),
    "a hundred axes": file_of({"a": entry("F32", (1,) * 100)}, b"1234"),
    "neither true nor false": file_of({"a": entry("BOOL", (4,))}, b"\0\1\2\1"),
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94",
}


@pytest.mark.parametrize("read", [load, load_checkpoint])
@pytest.mark.parametrize("lie", LIES)
def test_lying_file_is_a_value_error(tmp_path, lie, read):
    path = tmp_path / "lie"
    path.write_bytes(LIES[lie])
    with pytest.raises(ValueError, match="lie: ") as caught:
        read(path)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("read", [load, load_metadata, load_checkpoint])
def test_missing_and_other_files(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read(tmp_path / "nothing")
    with pytest.raises(ValueError, match="expected a regular file"):
        read(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="expected a regular file"):
            read(tmp_path / "pipe")


def damaged(content, rng):
    """`content` with one thing wrong: cut, lengthened, bytes flipped, replaced or exchanged."""
    broken = bytearray(content)
    header = 8 + struct.unpack("<Q", content[:8])[0]
    way = rng.randrange(5)
    if way == 0:
        return bytes(broken[: rng.randrange(len(broken))])
    if way == 1:
        return bytes(broken) + rng.randbytes(rng.randrange(1, 20))
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(header)
        if way == 2:
            broken[place] ^= 1 << rng.randrange(8)
        elif way == 3:
            broken[place] = rng.choice(b'0123456789{}[]",:-eE.')
        else:
            other = rng.randrange(header)
            broken[place], broken[other] = broken[other], broken[place]
    return bytes(broken)


def test_damage_is_found_or_harmless(tmp_path):
    tree = {"model": {"w": np.zeros((2, 3), "f4"), "mask": np.ones(5, bool)}, "n": [2**80, 1.5]}
    save_checkpoint(tmp_path / "whole", tree)
    content = (tmp_path / "whole").read_bytes()
    rng = random.Random(0)
    path, refused = tmp_path / "broken", 0
    for _ in range(1500):
        path.write_bytes(damaged(content, rng))
        for read in (load, load_metadata, load_checkpoint):
            with suppress(ValueError):  # any other exception fails
                read(path)
                refused -= 1
            refused += 1
    assert refused > 2000


def test_every_cut_is_refused(tmp_path):
    save(tmp_path / "whole", {"x": np.zeros(3, np.float32), "y": np.zeros(2, np.int8)})
    content = (tmp_path / "whole").read_bytes()
    for length in range(len(content)):
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(ValueError, match="cut: "):
            load(tmp_path / "cut")
