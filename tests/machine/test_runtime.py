"""Loading compiled code from a cache that may be damaged; memory."""

import ast
import importlib
import pathlib
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_jobs import COUNT, counted, in_process, needs_numba

from tinygrad_seq.engine import writes
from tinygrad_seq.machine import loading, memory, runtime


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder, and nothing loaded yet."""
    monkeypatch.setenv(loading.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(loading, "_loaded", {})
    loading.warn_uncached.cache_clear()
    return tmp_path


def forget():
    loading._loaded.clear()


@needs_numba
def test_code_is_found_on_disk_again(folder):
    assert counted(3) == [1.0, 1.0, 1.0]
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nbc")}
    assert files
    forget()
    assert counted(3) == [1.0, 1.0, 1.0]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nbc")} == files


@needs_numba
@pytest.mark.parametrize("ending", ["py", "nbi", "nbc"])
@pytest.mark.parametrize("damage", [b"", b"\x00rubbish", b"\x80\x05."])
def test_damaged_files_are_made_anew(folder, ending, damage):
    runtime.load(COUNT)
    for path in folder.rglob(f"*.{ending}"):
        path.write_bytes(damage)
    forget()
    assert counted(2) == [1.0, 1.0]
    forget()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert counted(2) == [1.0, 1.0]


@needs_numba
def test_all_that_writes_code_is_a_key_of_the_cache():
    folder = pathlib.Path(loading.__file__).parent
    for path in folder.rglob("*.py"):
        imports = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ImportFrom)]
        writers = ("llvmlite", "numba", "addresses", "vectors", "lanes")
        if any(str(n.module).startswith(writers) for n in imports):
            name = ".".join(path.relative_to(folder).with_suffix("").parts)
            module = importlib.import_module(f"tinygrad_seq.machine.{name}")
            assert path.read_bytes() == module.TEXT, path.name


@needs_numba
def test_code_of_a_module_edited_since_its_import_is_not_taken_for_the_new(monkeypatch):
    """What is in memory counts, not what the file says by now."""
    loading._version.cache_clear()
    before = loading._version()
    vectors = importlib.import_module("tinygrad_seq.machine.vectors.lanes")
    real = pathlib.Path.read_bytes
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda path: real(path) + b"# edited")
    loading._version.cache_clear()
    assert loading._version() == before
    monkeypatch.setattr(vectors, "TEXT", vectors.TEXT + b"# edited")
    loading._version.cache_clear()
    assert loading._version() != before
    loading._version.cache_clear()


@needs_numba
def test_files_cut_short_are_made_anew(folder):
    runtime.load(COUNT)
    for path in [*folder.rglob("*.nbc"), *folder.rglob("*.nbi")]:
        path.write_bytes(path.read_bytes()[:-40])
    forget()
    assert counted(2) == [1.0, 1.0]


@needs_numba
def test_folder_that_cannot_be_made_warns_once(folder, monkeypatch):
    blocked = folder / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv(loading.CACHE_VARIABLE, str(blocked))
    with pytest.warns(RuntimeWarning, match="not cached.*TINYGRAD_SEQ_CACHE"):
        runtime.load(COUNT)
    forget()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert counted(2) == [1.0, 1.0]


@needs_numba
def test_numba_that_cannot_write_beside_the_source_still_runs(folder, monkeypatch):
    (folder / "__pycache__").write_text("not a folder")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert counted(2) == [1.0, 1.0]


@needs_numba
def test_mistakes_in_the_source_are_raised(folder):
    with pytest.raises(NameError):
        runtime.load("nothing_of_this_name\n")


@needs_numba
def test_two_processes_compile_at_once(folder):
    program = f"""
    import numpy as np
    from tinygrad_seq.machine import runtime
    out = np.zeros(2)
    runtime.Job((0, runtime.load({COUNT!r}).count.address, 0), 2, [0], [], [0]).run([out])
    print(out.tolist())
    """
    children = [in_process(program, wait=False) for _ in range(2)]
    for child in children:
        out, error = child.communicate(timeout=100)
        assert out.strip() == "[1.0, 1.0]", error


def test_definitions_run_where_nothing_is_compiled():
    program = "from tinygrad_seq.machine import runtime; print(runtime.available())"
    assert in_process(program, NUMBA_DISABLE_JIT="1") == "False"


def test_package_does_not_import_numba():
    assert in_process("import sys, tinygrad_seq; print('numba' in sys.modules)") == "False"


def test_memory_is_used_again_once_nobody_holds_it():
    made = memory.Memory()
    shape, dtype = (3, 5), np.dtype(np.float32)
    first = made(shape, dtype)
    assert (first.shape, first.dtype, first.ctypes.data % 64) == (shape, dtype, 0)
    at = first.ctypes.data
    part = first[1:]
    second = made(shape, dtype)
    assert second.ctypes.data != at
    del first
    assert made(shape, dtype).ctypes.data not in (at, second.ctypes.data)
    del part
    assert made(shape, dtype).ctypes.data == at


def test_memory_forgets_what_stays_idle(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_IDLE", 10_000)
    made = memory.Memory()
    for n in range(1, 200):
        made((n, 100), np.dtype(np.float64))
    kept = sum(slot.bytes.nbytes for slots in made._slots.values() for slot in slots)
    assert kept < 400_000


def test_memory_is_used_again_for_other_shapes_of_nearly_the_size():
    made = memory.Memory()
    places = set()
    for n in range(1000, 1050):
        held = made((n, 3), np.dtype(np.float32))
        held[:] = n
        assert (held.shape, held.dtype) == ((n, 3), np.float32)
        assert writes._owner(held).nbytes >= held.nbytes
        places.add(held.ctypes.data)
    assert len(places) <= 4  # one held while the next is made, of two sizes
    assert made((600, 3), np.dtype(np.float32)).ctypes.data in places
    assert made((400, 3), np.dtype(np.float32)).ctypes.data not in places  # less than half
    other = made((1000, 3), np.dtype(np.int32))
    assert (other.dtype, other.ctypes.data in places) == (np.int32, True)


@given(st.integers(0, 2**40))
def test_blocks_hold_what_is_asked_for(count):
    room = memory._room(count)
    assert count <= room <= max(64 * (count > 0), count + count // 8 + 64)
    assert memory._room(room) == room


@needs_numba
def test_any_array_is_found_by_its_address():
    array, held = np.arange(6.0), memory.memory((2,), np.dtype(np.float64))
    held[:] = 7
    job = runtime.Job((0, runtime.load(COUNT).count.address, 0), 2, [0], [], [0])
    for one in (array, array[3:], held):
        job.run([one])
    assert array.tolist() == [1, 2, 2, 4, 5, 5]
    assert held.tolist() == [8, 8]
