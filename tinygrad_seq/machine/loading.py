"""Generated source as machine code: compiled once, found again through Numba's disk cache."""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import pathlib
import sys
import threading
import types
import uuid
import warnings

CACHE_VARIABLE = "TINYGRAD_SEQ_CACHE"

# ---- what can be compiled ------------------------------------------------------------------------


def available() -> bool:
    """Return whether kernels can be compiled: Numba is there, NUMBA_DISABLE_JIT is not set."""
    try:
        numba = importlib.import_module("numba")
    except ModuleNotFoundError:
        return False
    return not numba.config.DISABLE_JIT


# ---- generated source ----------------------------------------------------------------------------

_loaded: dict[str, types.ModuleType] = {}
lock = threading.RLock()
"""Held while something is compiled or read."""


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
    """What compiled code depends on beside its own text: this folder, Numba, the processor.

    Modules that write code keep the `TEXT` that they were imported with: files may be newer by now.
    """
    from .processor import FEATURES, PROCESSOR

    digest = hashlib.sha256()
    folder = pathlib.Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(folder).with_suffix("").parts)
        module = importlib.import_module(f"{__package__}.{name}")
        digest.update(getattr(module, "TEXT", b""))
    numba = importlib.import_module("numba").__version__
    digest.update(f"{numba} {PROCESSOR} {FEATURES.flatten()}".encode())
    return digest.hexdigest()


def key_of(source: str) -> str:
    """Return the name of this source's files: a hash of the text and of all it depends on."""
    return "tinygrad_seq_" + hashlib.sha256((source + _version()).encode()).hexdigest()[:24]


def load(source: str) -> types.ModuleType:
    """Return the module of this source, compiled by Numba now or found on disk.

    Its file is named by `key_of`, so that Numba's own cache finds the code again. Where the folder
    is of no use, a RuntimeWarning says so once.
    """
    name = key_of(source)
    module = _loaded.get(name)
    if module is None:
        with lock:
            module = _loaded.get(name) or _load(name, source)
            _loaded[name] = module
    return module


def _load(name: str, source: str) -> types.ModuleType:
    try:
        path = _written(name, source)
    except OSError as error:
        warn_uncached(str(cache_folder()), str(error))
        return _execute(name, source, None)
    try:
        return _execute(name, source, path)
    except Exception:  # whatever a damaged cache file makes of itself: pickle raises anything
        _forget(path)
    try:
        return _execute(name, source, path)
    except Exception as error:
        module = _execute(name, source, None)  # raises the error itself if the source is to blame
        warn_uncached(str(path.parent), str(error))
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
def warn_uncached(folder: str, reason: str) -> None:
    """Nothing; warns, once, that compiled code cannot be kept in the folder."""
    warnings.warn(
        f"compiled code is not cached and will be compiled in every process: {folder}: {reason}; "
        f"set {CACHE_VARIABLE} to a folder that can be written to",
        RuntimeWarning,
        stacklevel=4,
    )


def _after_fork() -> None:
    """In the child: no lock that another thread held."""
    global lock
    lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
