"""Sources of `words.py` as machine code: compiled once, found again in the cache folder.

A file there is a digest of what follows it, then an object file. What does not fit its digest is
compiled again.
"""

from __future__ import annotations

import functools
import hashlib
import pathlib
import uuid
from typing import Any

import llvmlite.binding as llvm

from . import loading
from .processor import FEATURES

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py


class Native:
    """Compiled functions, by their names: `native["chunk"]` is an address."""

    def __init__(self, code: bytes) -> None:
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self.engine.finalize_object()

    def __getitem__(self, name: str) -> int:
        address: int = self.engine.get_function_address(name)
        if not address:
            raise KeyError(name)
        return address


_loaded: dict[str, Native] = {}


def load(source: str) -> Native:
    """Return the functions of this source, compiled now or found on disk.

    Where the cache folder is of no use, a RuntimeWarning says so once.
    """
    key = loading.key_of(source)
    found = _loaded.get(key)
    if found is None:
        with loading.lock:
            found = _loaded.get(key)
            if found is None:
                found = _loaded[key] = Native(_stored(key) or _made(key, source))
    return found


def _path(key: str) -> pathlib.Path:
    return loading.cache_folder() / f"{key}.o"


def _stored(key: str) -> bytes | None:
    """Return the object file of the cache; None where there is none, or a damaged one."""
    try:
        data = _path(key).read_bytes()
    except OSError:
        return None
    digest, code = data[:32], data[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _made(key: str, source: str) -> bytes:
    """Return the object file of a source, and write it to the cache."""
    code, path = compiled(source), _path(key)
    temporary = path.with_suffix(f".{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(hashlib.sha256(code).digest() + code)
        temporary.replace(path)
    except OSError as error:
        loading.warn_uncached(str(path.parent), str(error))
    return code


def compiled(source: str) -> bytes:
    """Return the object file of a source."""
    from .words import module_of

    module, machine = module_of(source), _machine()
    module.triple, module.data_layout = llvm.get_process_triple(), str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    code: bytes = machine.emit_object(parsed)
    return code


@functools.cache
def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple())


def _machine() -> Any:
    """Return this processor as LLVM sees it; an engine owns its own."""
    target = _target()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=FEATURES.flatten(),
        opt=2,
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )
