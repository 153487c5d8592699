"""Loading generated source through Numba's disk cache, and running it on threads."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import pathlib
import sys
import threading
import types
import uuid
import warnings

from .memory import address as address
from .memory import memory as memory

CACHE_VARIABLE = "TINYGRAD_SEQ_CACHE"

# ---- what can be compiled ------------------------------------------------------------------------


def available() -> bool:
    """Return whether kernels can be compiled: Numba is there, NUMBA_DISABLE_JIT is not set."""
    if importlib.util.find_spec("numba") is None:
        return False
    return not importlib.import_module("numba").config.DISABLE_JIT


# ---- generated source ----------------------------------------------------------------------------

_loaded: dict[str, types.ModuleType] = {}
_loading = threading.RLock()


def cache_folder() -> pathlib.Path:
    """Return where compiled code is kept: $TINYGRAD_SEQ_CACHE, or the platform's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return pathlib.Path(chosen)
    home = pathlib.Path.home()
    if sys.platform == "win32":
        base = pathlib.Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "tinygrad_seq"


@functools.cache
def _version() -> str:
    """What compiled code depends on beside its own text: this folder, Numba, the processor."""
    from .processor import FEATURES, PROCESSOR

    digest = hashlib.sha256()
    for name in ("functions.py", "vectors.py", "products.py"):
        digest.update(pathlib.Path(__file__).with_name(name).read_bytes())
    numba = importlib.import_module("numba").__version__
    digest.update(f"{numba} {PROCESSOR} {FEATURES.flatten()}".encode())
    return digest.hexdigest()


def load(source: str) -> types.ModuleType:
    """Return the module of this generated source, compiled now or found on disk.

    Its file is named by a hash of the text and of all it depends on, so that Numba's own cache
    finds the code again. Where the folder is of no use, a RuntimeWarning says so once.
    """
    name = "tinygrad_seq_" + hashlib.sha256((source + _version()).encode()).hexdigest()[:24]
    module = _loaded.get(name)
    if module is None:
        with _loading:
            module = _loaded.get(name) or _load(name, source)
            _loaded[name] = module
    return module


def _load(name: str, source: str) -> types.ModuleType:
    try:
        path = _written(name, source)
    except OSError as error:
        _warn_uncached(str(cache_folder()), str(error))
        return _execute(name, source, None)
    try:
        return _execute(name, source, path)
    except Exception:  # whatever a damaged cache file makes of itself: pickle raises anything
        _forget(path)
    try:
        return _execute(name, source, path)
    except Exception as error:
        module = _execute(name, source, None)  # raises the error itself if the source is to blame
        _warn_uncached(str(path.parent), str(error))
        return module


def _execute(name: str, source: str, path: pathlib.Path | None) -> types.ModuleType:
    """Run the source as a module; without a path, nothing is cached."""
    module = types.ModuleType(name)
    if path is None:
        source = source.replace("cache=True", "cache=False")
    module.__file__ = str(path or f"<{name}>")
    sys.modules[name] = module  # where Numba looks for the functions' globals
    try:
        exec(compile(source, module.__file__, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _written(name: str, source: str) -> pathlib.Path:
    """Write the source into the cache folder, atomically, unless it stands there already."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    text = source.encode()
    if not path.is_file() or path.read_bytes() != text:
        temporary = folder / f"{name}.{uuid.uuid4().hex}"
        temporary.write_bytes(text)
        temporary.replace(path)
    return path


def _forget(path: pathlib.Path) -> None:
    """Remove what Numba cached for a generated file."""
    for old in path.parent.joinpath("__pycache__").glob(f"{path.stem}.*"):
        try:
            old.unlink()
        except OSError:
            return


@functools.cache
def _warn_uncached(folder: str, reason: str) -> None:
    warnings.warn(
        f"compiled code is not cached and will be compiled in every process: {folder}: {reason}; "
        f"set {CACHE_VARIABLE} to a folder that can be written to",
        RuntimeWarning,
        stacklevel=4,
    )


def library(d: str) -> types.ModuleType:
    """Return the compiled matrix products of dtype `d`, "f4" or "f8"."""
    from . import products

    return load(products.library_source(d))


# ---- threads -------------------------------------------------------------------------------------

_DRIVER = '''\
"""Generated by tinygrad_seq.machine.runtime: chunks on threads."""
from numba import njit, prange, types
from tinygrad_seq.machine.vectors import call

get_num_threads = types.ExternalFunction("get_num_threads", types.int32())
set_num_threads = types.ExternalFunction("set_num_threads", types.void(types.int32))


@njit("void(int64,int64,int64,int64,int64)", parallel=True, cache=True, nogil=True)
def each(function, table, n, first, last):
    for k in prange(n):
        call(function, (k, table, n, first, last))


@njit("void(int64,int64,int64,int64,int64,int64)", cache=True, nogil=True)
def on_threads(function, table, n, first, last, threads):
    if threads > 1:
        each(function, table, n, first, last)
    else:
        for k in range(n):
            call(function, (k, table, n, first, last))


@njit("void(" + ",".join(["int64"] * 10) + ")", cache=True, nogil=True)
def run(pack, packs, steps, products, table, n, first, last, reverse, threads):
    before = get_num_threads()
    if threads > 1:
        set_num_threads(threads)
    if pack:
        on_threads(pack, packs, n, 0, 0, threads)
    if products == 0:
        on_threads(steps, table, n, first, last, threads)
    else:
        for q in range(first, last):
            block = first + last - 1 - q if reverse else q
            on_threads(steps, table, n, block, block + 1, threads)
            on_threads(products, table, n, block, block + 1, threads)
    if threads > 1:
        set_num_threads(before)
'''

_busy = threading.Lock()
_alone = False  # forked from a process whose threads had started: here they never will
_chosen: int | None = None


def get_num_threads() -> int:
    """Return how many threads a kernel splits its work into.

    Before set_num_threads: $OMP_NUM_THREADS, or the processors that this process may use.
    """
    if _chosen is not None:
        return _chosen
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_num_threads(n: int) -> None:
    """Nothing; afterwards kernels split their work for n threads, and so does NumPy's BLAS.

    The BLAS is told through threadpoolctl, where that is installed. The same n gives the same bits.
    Raises TypeError unless n is an int, ValueError unless it is at least 1.
    """
    global _chosen
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"set_num_threads: n is {type(n).__name__}, expected int")
    if n < 1:
        raise ValueError(f"set_num_threads: n is {n}, expected at least 1")
    _chosen = n
    if importlib.util.find_spec("threadpoolctl") is not None:
        importlib.import_module("threadpoolctl").threadpool_limits(n, user_api="blas")


@functools.cache
def _driver() -> tuple[types.ModuleType, int]:
    """Return the compiled driver, and the most threads that there can be."""
    numba = importlib.import_module("numba")
    parallel = importlib.import_module("numba.np.ufunc.parallel")
    named = {"NUMBA_THREADING_LAYER", "NUMBA_THREADING_LAYER_PRIORITY"} & os.environ.keys()
    if not named and not parallel._is_initialized:
        # OpenMP starts two threads in 3 us, where Numba's own queue takes 73 to 91 us.
        numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]
    numba.get_num_threads()  # starts the threads: cached code needs their symbols
    return load(_DRIVER), numba.config.NUMBA_NUM_THREADS


def threading_layer() -> str:
    """Return what starts the threads: "omp" (quick), "tbb" or "workqueue" (slow)."""
    _driver()
    name: str = importlib.import_module("numba").threading_layer()
    return name


def _threads(n: int, most: int) -> int:
    """Return how many threads may take n chunks; if more than one, _busy is held.

    One alone, in the calling thread, where another thread's kernel has the others, or in a process
    forked from one that had started them. The chunks, and so the bits, are the same.
    """
    if n == 1 or most == 1 or _alone or not _busy.acquire(blocking=False):
        return 1
    return min(n, most)


def run(
    pack: int, packs: int, steps: int, products: int, table: int, n: int, blocks: int, reverse: bool
) -> None:
    """Nothing; runs pack(k, packs), then steps and products block after block, for chunks k < n.

    pack, steps, products: addresses of functions (k, table, n, first block, last block), products 0
    where there are none; packs, table: addresses of their tables. Each call waits for all chunks of
    the one before. Blocks come in `reverse` order for the backward pass.
    """
    _run(pack, packs, steps, products, table, n, 0, blocks, int(reverse))


def on_threads(function: int, table: int, n: int, first: int = 0, last: int = 0) -> None:
    """Nothing; runs function(k, table, n, first, last), an address, for all chunks k < n."""
    _run(0, 0, function, 0, table, n, first, last, 0)


def _run(*args: int) -> None:
    driver, most = _driver()
    threads = _threads(args[5], most)
    try:
        driver.run(*args, threads)
    finally:
        if threads > 1:
            _busy.release()


def _after_fork() -> None:
    """In the child: no lock that another thread held, no threads that are not there."""
    global _alone, _busy, _loading
    _busy, _loading = threading.Lock(), threading.RLock()
    parallel = sys.modules.get("numba.np.ufunc.parallel")
    _alone = _alone or (parallel is not None and parallel._is_initialized)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
