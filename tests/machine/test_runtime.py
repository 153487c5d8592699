"""Loading compiled code from a cache that may be damaged, threads, forks, memory."""

import ast
import importlib
import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.engine import writes
from tinygrad_seq.machine import loading, memory, native, runtime, workers

needs_numba = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

COUNT = '''\
"""Adds 1 to out[k]; table: its address."""
from numba import cfunc
from tinygrad_seq.machine.addresses import get_f8, put_f8, word

@cfunc("void(int64,int64,int64,int64)", cache=True)
def count(k, table, n, pool):
    out = word(table, 0) + 8 * k
    put_f8(out, get_f8(out) + 1)
'''


def counted(n, times=1):
    """What n chunks leave after some runs."""
    out = np.zeros(n)
    job = runtime.Job((0, runtime.load(COUNT).count.address, 0), n, [0], [], [0])
    for _ in range(times):
        job.run([out])
    return out.tolist()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder, and nothing loaded yet."""
    monkeypatch.setenv(loading.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(loading, "_loaded", {})
    loading.warn_uncached.cache_clear()
    return tmp_path


def forget():
    loading._loaded.clear()


def in_process(program, *, code=0, wait=True, **environment):
    """Run a program in a process of its own; what it prints."""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if not wait:
        return child
    out, error = child.communicate(timeout=100)
    assert child.returncode == code, error
    return out.strip()


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


@needs_numba
@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_chunk_runs_once(n):
    assert counted(n, 5) == [5.0] * n


@needs_numba
def test_functions_wait_for_each_other(folder):
    """pack, then steps, then finish: each sees what all chunks of the one before have written."""
    source = '''\
from numba import cfunc
from tinygrad_seq.machine.addresses import get_f8, put_f8, word

@cfunc("void(int64,int64,int64,int64)", cache=True)
def there(k, table, n, pool):
    """out[k] = sum over all of in, + 1."""
    total = 1.0
    for i in range(n):
        total += get_f8(word(table, 0) + 8 * i)
    put_f8(word(table, 1) + 8 * k, total)

@cfunc("void(int64,int64,int64,int64)", cache=True)
def back(k, table, n, pool):
    total = 1.0
    for i in range(n):
        total += get_f8(word(table, 1) + 8 * i)
    put_f8(word(table, 0) + 8 * k, total)
'''
    module = runtime.load(source)
    there, back = module.there.address, module.back.address
    a, b = np.ones(2), np.zeros(2)
    job = runtime.Job((there, back, there), 2, [0] * 4, [], [0, 1, 2, 3], packs=2)
    for i in range(20):
        a[:] = i
        job.run([a, b] * 2)
        first = 2 * i + 1
        assert a.tolist() == [2 * first + 1] * 2
        assert b.tolist() == [2 * (2 * first + 1) + 1] * 2


@needs_numba
def test_threads_of_python_may_run_kernels_at_once():
    results = []

    def work():
        results.append(counted(4, 300))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[300.0] * 4] * 4


@needs_numba
def test_threads_of_python_may_train_and_step_at_once():
    program = """
    import threading
    import numpy as np, tinygrad_seq as tg
    from tinygrad_seq import nn
    tg.set_num_threads(2)
    layer = nn.GRU(8, 300, generator=tg.Generator(0))
    xs = np.random.default_rng(0).standard_normal((6, 4, 8), dtype=np.float32)
    found = []

    def work():
        for _ in range(20):
            x = tg.Tensor(xs, requires_grad=True)
            layer(x)[0].sum().backward()
            with tg.no_grad():
                y = layer(tg.Tensor(xs[:1, :1]))[0]
            found.append((x.grad.array.tobytes(), y.array.tobytes()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(len(found), len(set(found)))
    """
    assert in_process(program) == "80 1"


@needs_numba
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child_has_threads_of_its_own():
    program = f"""
    import os, numpy as np
    from tinygrad_seq.machine import runtime, workers

    def count():
        out = np.zeros(4)
        runtime.Job((0, runtime.load({COUNT!r}).count.address, 0), 4, [0], [], [0]).run([out])
        return out.tolist() == [1.0] * 4

    workers.most = lambda: 3
    assert count() and workers.pool.threads == 2
    child = os.fork()
    if child == 0:
        assert workers.pool.threads == 0
        os._exit(0 if count() and count() and workers.pool.threads == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0 and count()
    print("both")
    """
    assert in_process(program) == "both"


MEET = '''\
def meet(k, table, n, pool):
    """Waits until all chunks have begun; table: where they are counted."""
    count(word(table, 0), 0, 1)
    while fetch(word(table, 0), 0) < n:
        pause()
'''


@needs_numba
def test_chunks_run_at_once(monkeypatch):
    """Each waits for the others: threads that slept are woken, and more are started when wanted."""
    monkeypatch.setattr(workers, "most", lambda: 4)
    meet = native.load(MEET)["meet"]
    for n in (2, 4, 3):
        counts = [np.zeros(1, np.int64) for _ in range(2)]
        runtime.Job((meet, meet, 0), n, [0, 0], [], [0, 1], packs=1).run(counts)
        assert counts == [n, n]
        time.sleep(0.1)


@needs_numba
def test_chunks_are_done_though_no_thread_comes(monkeypatch):
    monkeypatch.setattr(workers, "pool", workers.Pool())
    monkeypatch.setattr(workers.Pool, "_serve", lambda self: None)
    assert counted(5, 20) == [20.0] * 5


@needs_numba
def test_one_processor_starts_no_threads(monkeypatch):
    monkeypatch.setattr(workers, "pool", workers.Pool())
    monkeypatch.setattr(workers, "most", lambda: 1)
    assert counted(5, 3) == [3.0] * 5
    assert workers.pool.threads == 0


def test_number_of_threads(monkeypatch):
    monkeypatch.setattr(runtime, "_chosen", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert runtime.get_num_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert 1 <= runtime.get_num_threads() <= os.cpu_count()
    runtime.set_num_threads(5)
    assert runtime.get_num_threads() == 5
    for wrong, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="set_num_threads: n is"):
            runtime.set_num_threads(wrong)


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
