"""Arrays in files: what is written comes back bit for bit, and a failed write changes nothing."""

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_seq import serialize
from tinygrad_seq.serialize import load, load_metadata, save

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


class TensorLike:
    """What `save` needs of a Tensor that requires a gradient."""

    def __init__(self, array, needs_gradient=True):
        self.array, self.needs_gradient = array, needs_gradient

    def detach(self):
        return TensorLike(self.array, needs_gradient=False)

    def numpy(self):
        if self.needs_gradient:
            raise RuntimeError("requires a gradient")
        return self.array


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4)])
def test_round_trip(tmp_path, dtype, shape):
    bits = np.random.default_rng(0).integers(0, 2, (*shape, np.dtype(dtype).itemsize), np.uint8)
    array = np.ascontiguousarray(bits).view(dtype).reshape(shape)
    save(tmp_path / "a", {"x": array})
    loaded = load(tmp_path / "a")["x"]
    assert (loaded.dtype, loaded.shape) == (array.dtype, array.shape)
    assert loaded.tobytes() == array.tobytes()


def test_round_trip_of_layouts_scalars_and_tensors(tmp_path):
    base = np.arange(24.0, dtype=np.float32).reshape(4, 6)
    values = {
        "transposed": base.T,
        "strided": base[::2, ::-3],
        "broadcast": np.broadcast_to(base[0], (3, 6)),
        "big endian": base.astype(">f4"),
        "scalar": np.float32(2.5),
        "tensor": TensorLike(base),
        "": base[:1],
    }
    save(str(tmp_path / "a"), values)
    loaded = load(tmp_path / "a")
    assert list(loaded) == sorted(values)
    for name, value in values.items():
        expected = value.array if isinstance(value, TensorLike) else np.asarray(value)
        assert loaded[name].dtype == expected.dtype.newbyteorder("=")
        assert loaded[name].shape == expected.shape
        assert np.array_equal(loaded[name], expected)


def test_special_floats_keep_their_bits(tmp_path):
    bits = np.array([0x7FC00001, 0xFFC00000, 0x80000000, 0x7F800000, 1], dtype=np.uint32)
    save(tmp_path / "a", {"x": bits.view(np.float32)})
    assert np.array_equal(load(tmp_path / "a")["x"].view(np.uint32), bits)


def test_metadata_round_trip(tmp_path):
    text = {"": "", "quote": '"\\\n\0', "имя": "значение 🙂", "__metadata__": "x"}
    save(tmp_path / "a", {"x": np.zeros(2)}, text)
    assert load_metadata(tmp_path / "a") == text
    save(tmp_path / "b", {})
    assert (load(tmp_path / "b"), load_metadata(tmp_path / "b")) == ({}, {})


def test_loaded_arrays_are_the_readers_own(tmp_path):
    save(tmp_path / "a", {"x": np.zeros(4)})
    load(tmp_path / "a")["x"][:] = 1
    assert not load(tmp_path / "a")["x"].any()


def test_file_is_plain_safetensors(tmp_path):
    from safetensors.numpy import load_file

    save(tmp_path / "a", {"x": np.arange(3)})
    assert load_file(tmp_path / "a")["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "named"),
    [
        ({"x": np.array(["a"])}, None, TypeError, "'x' has dtype <U1"),
        ({"x": np.array([None])}, None, TypeError, "'x' has dtype object"),
        ({"x": np.zeros(2, complex)}, None, TypeError, "'x' has dtype complex128"),
        ({"x": np.zeros(2, "M8[s]")}, None, TypeError, "'x' has dtype datetime64"),
        ({"x": [1.0, 2.0]}, None, TypeError, "'x' is a list"),
        ({"x": None}, None, TypeError, "'x' is a NoneType"),
        ({3: np.zeros(2)}, None, TypeError, "a name in tensors is 3"),
        ([np.zeros(2)], None, TypeError, "tensors is a list"),
        ({}, {"a": 1}, TypeError, r"metadata\['a'\] is 1"),
        ({}, {1: "a"}, TypeError, "a key of metadata is 1"),
        ({}, ["a"], TypeError, "metadata is a list"),
        ({"__metadata__": np.zeros(2)}, None, ValueError, "'__metadata__' is reserved"),
        ({"\ud800": np.zeros(2)}, None, ValueError, "not valid Unicode"),
        ({}, {"a": "\udc00"}, ValueError, "not valid Unicode"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path, tensors, metadata, error, named):
    with pytest.raises(error, match=named):
        save(tmp_path / "a", tensors, metadata)
    assert os.listdir(tmp_path) == []


def test_too_much_metadata_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(serialize, "_HEADER_LIMIT", 1000)
    with pytest.raises(ValueError, match=r"names and metadata take 12.. bytes, at most 1000"):
        save(tmp_path / "a", {"x": np.zeros(1)}, {"key": "é" * 550})
    save(tmp_path / "a", {"x": np.zeros(1)}, {"key": "é" * 400})


# ---------------------------------------------------------------- all or nothing


def fail_at(monkeypatch, stage, error):
    def broken(*args, **kwargs):
        raise error

    owner, name = {
        "touch": (Path, "touch"),
        "write": (serialize, "save_file"),
        "flush": (os, "fsync"),
        "permissions": (Path, "chmod"),
        "exchange": (os, "replace"),
    }[stage]
    monkeypatch.setattr(owner, name, broken)


@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt()])
@pytest.mark.parametrize("stage", ["touch", "write", "flush", "permissions", "exchange"])
def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch, stage, error):
    target = tmp_path / "a"
    save(target, {"x": np.zeros(3)})
    before = target.read_bytes()
    fail_at(monkeypatch, stage, error)
    with pytest.raises(type(error)):
        save(target, {"x": np.ones(30)})
    assert target.read_bytes() == before
    assert os.listdir(tmp_path) == ["a"]


def test_half_written_file_is_removed(tmp_path, monkeypatch):
    def half(arrays, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(serialize, "save_file", half)
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path / "a", {"x": np.ones(3)})
    assert os.listdir(tmp_path) == []


def test_folder_that_cannot_be_flushed_is_no_failure(tmp_path, monkeypatch):
    flush = os.fsync

    def files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError("not supported")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    save(tmp_path / "a", {"x": np.ones(3)})
    assert load(tmp_path / "a")["x"].tolist() == [1, 1, 1]
    assert os.listdir(tmp_path) == ["a"]


def test_file_and_folder_are_flushed_around_the_exchange(tmp_path, monkeypatch):
    done = []
    flush, exchange = os.fsync, os.replace
    kind = {True: "folder", False: "file"}

    def noted_flush(fd):
        done.append(kind[stat.S_ISDIR(os.fstat(fd).st_mode)])
        flush(fd)

    def noted_exchange(*names):
        done.append("exchange")
        exchange(*names)

    monkeypatch.setattr(os, "fsync", noted_flush)
    monkeypatch.setattr(os, "replace", noted_exchange)
    save(tmp_path / "a", {"x": np.ones(3)})
    assert done == ["file", "exchange", "folder"]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_full_disk_is_an_os_error(tmp_path):
    save(tmp_path / "a", {"x": np.zeros(3)})
    program = """
import os, resource, sys
import numpy as np
from tinygrad_seq.serialize import load, save
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    save(sys.argv[1], {"x": np.ones(10_000)})
except OSError as error:
    assert sys.argv[1] in str(error), error
else:
    raise SystemExit("no error")
assert load(sys.argv[1])["x"].tolist() == [0, 0, 0]
assert os.listdir(os.path.dirname(sys.argv[1])) == ["a"]
"""
    root = Path(serialize.__file__).parents[1]
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a")], cwd=root, check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_permissions_and_links_are_kept(tmp_path):
    old = os.umask(0o027)
    try:
        save(tmp_path / "a", {"x": np.zeros(1)})
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    (tmp_path / "a").chmod(0o604)
    (tmp_path / "link").symlink_to("a")
    save(tmp_path / "link", {"x": np.ones(1)})
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604
    assert load(tmp_path / "a")["x"].tolist() == [1]


def test_bad_targets(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist"):
        save(tmp_path / "none" / "a", {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="folder: exists and is not a regular file"):
        save(tmp_path / "folder", {})
    with pytest.raises(ValueError, match="not a regular file"):
        save(os.devnull, {})
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_what_cannot_be_written_is_named(number, tmp_path):
    """Not the file beside it that nobody asked for, and not nothing, as when a disk is full."""
    path = tmp_path / "file"
    for named in (lambda place: (), lambda place: (str(place),)):
        match = re.escape(f"[Errno {number}] {os.strerror(number)}: '{path}'")
        with pytest.raises(OSError, match=match), serialize.replacing(path) as place:
            raise OSError(number, os.strerror(number), *named(place))
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="elsewhere"), serialize.replacing(path):
        raise OSError(number, os.strerror(number), "elsewhere")
