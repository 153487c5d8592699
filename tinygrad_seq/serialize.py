"""Files: arrays and training state in safetensors, each file replaced as a whole or not at all."""

from __future__ import annotations

import json
import math
import os
import secrets
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .engine.backend import backend_of, is_array
from .engine.tensor import Tensor

PathLike: TypeAlias = str | os.PathLike[str]
Array: TypeAlias = npt.NDArray[Any]
_Result = TypeVar("_Result")

_DTYPES = {
    "BOOL": "bool",
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
}
_HEADER_LIMIT = 100_000_000  # bytes; the format's own limit
_RESERVED = "__metadata__"
_CHECKPOINT = "tinygrad_seq.checkpoint"
_VERSION = 1
_DEPTH = 100  # Python's and JSON's own recursion limits lie beyond


def save(
    path: PathLike, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays and text to a safetensors file; a failure leaves an older file as it was.

    tensors: arrays, or tensors with `.numpy()`, of booleans, integers or real numbers, any shape
    Raises TypeError for other dtypes and for names or metadata that are not text, ValueError for
    the name `__metadata__` and for more text than the format holds, OSError if writing fails.
    Source: the safetensors format, https://github.com/huggingface/safetensors
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(f"save: tensors is a {_kind(tensors)}, expected a mapping of names")
    for name in tensors:
        _check_text("a name in tensors", name)
        if name == _RESERVED:
            raise ValueError(f"save: the name {_RESERVED!r} is reserved by the file format")
    arrays = {name: _host_array(name, value) for name, value in tensors.items()}
    if not isinstance(metadata, Mapping | None):
        raise TypeError(f"save: metadata is a {_kind(metadata)}, expected a mapping of text")
    text = dict(metadata or {})
    for key, value in text.items():
        _check_text("a key of metadata", key)
        _check_text(f"metadata[{key!r}]", value)
    _check_header(arrays, text)
    with replacing(path) as temporary:
        try:
            # safetensors 0.8 writes invalid JSON for no arrays with an empty mapping of metadata
            save_file(arrays, temporary, text or None)
        except SafetensorError as error:
            raise OSError(f"save: {os.fspath(path)}: {error}") from error


def load(path: PathLike) -> dict[str, Array]:
    """Return the arrays of a safetensors file by name, in order of name.

    Raises FileNotFoundError, and ValueError for a file that is not whole, valid safetensors.
    """
    return _read(path, _arrays)


def load_metadata(path: PathLike) -> dict[str, str]:
    """Return the text kept in a safetensors file, {} if none; reads no array.  Raises as `load`."""
    return _read(path, _metadata)


def save_checkpoint(path: PathLike, tree: Any) -> None:
    """Write nested dicts and lists of arrays, numbers, text, booleans and None, bit for bit.

    An array is stored under its JSON pointer (`/model/weight`), all else as JSON in the metadata.
    Tuples come back as lists, NumPy scalars as Python's, tensors as arrays.
    Raises TypeError for a key that is not text or a value of another type, ValueError for a tree
    nested more than 100 deep, and as `save`.
    Source: names, RFC 6901
    """
    arrays: dict[str, Any] = {}
    plain = _encode(tree, "", arrays, 0)
    document = json.dumps({"version": _VERSION, "tree": plain}, allow_nan=False)
    save(path, arrays, {_CHECKPOINT: document})


def load_checkpoint(path: PathLike) -> Any:
    """Return the tree that `save_checkpoint` wrote.

    Raises FileNotFoundError, and ValueError for a file that is damaged or not a checkpoint.
    """
    arrays, metadata = _read(path, lambda file: (_arrays(file), _metadata(file)))
    if _CHECKPOINT not in metadata:
        raise ValueError(f"{os.fspath(path)}: not a checkpoint: no {_CHECKPOINT!r} in its metadata")
    try:
        document = json.loads(metadata[_CHECKPOINT])
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            raise ValueError(f"expected a document of version {_VERSION}")
        tree = _decode(document.get("tree"), "", arrays, 0)
        if arrays:
            raise ValueError(f"arrays that the tree does not name: {sorted(arrays)[:5]}")
    except (ValueError, RecursionError, struct.error) as error:
        raise ValueError(f"{os.fspath(path)}: damaged checkpoint: {error}") from error
    return tree


@contextmanager
def replacing(path: PathLike) -> Iterator[Path]:
    """Path of a new file beside `path` that takes its place if the block ends without an error.

    The new file is flushed to disk before the exchange, keeps the old one's permissions, and is
    removed whenever the block, the flush or the exchange fails. A link keeps pointing at its file.
    Raises FileNotFoundError if the folder is missing, ValueError if `path` is no regular file, and
    OSError naming `path` where nothing can be written: a full disk, a folder that may not be used.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{os.fspath(path)}: the folder {target.parent} does not exist")
    if target.exists() and not target.is_file():
        raise ValueError(f"{os.fspath(path)}: exists and is not a regular file")
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        temporary.touch(exist_ok=False)
        mode = (target if target.exists() else temporary).stat().st_mode
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        # safetensors makes files that only their owner can read
        temporary.chmod(stat.S_IMODE(mode))
        os.replace(temporary, target)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary), temporary):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
    # Some file systems cannot flush a folder; the new file stands, so this is not a failed save.
    with suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_readable(path: PathLike) -> None:
    """Raise FileNotFoundError, PermissionError, or ValueError if `path` is no regular file."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a named pipe would wait for ever
        raise ValueError(f"{os.fspath(path)}: a folder or device, expected a regular file")
    with open(path, "rb"):
        pass


def _read(path: PathLike, part: Callable[[Any], _Result]) -> _Result:
    check_readable(path)
    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            return part(file)
    except (SafetensorError, ValueError, OverflowError) as error:
        raise ValueError(f"{os.fspath(path)}: not valid safetensors: {error}") from error


def _arrays(file: Any) -> dict[str, Array]:
    return {name: _stored_array(file, name) for name in sorted(file.keys())}


def _metadata(file: Any) -> dict[str, str]:
    return dict(file.metadata() or {})


def _stored_array(file: Any, name: str) -> Array:
    dtype = file.get_slice(name).get_dtype()
    if dtype not in _DTYPES:
        raise ValueError(f"{name!r} has dtype {dtype}, expected one of {', '.join(_DTYPES)}")
    array: Array = file.get_tensor(name)
    if dtype == "BOOL" and np.any(array.view(np.uint8) > 1):
        raise ValueError(f"{name!r} holds bytes that are neither true nor false")
    return array


def _host_array(name: str, value: Any) -> Array:
    """Return `value`, an array of any backend or a tensor, as a contiguous NumPy array."""
    if isinstance(value, Tensor):
        value = value.array
    if is_array(value):
        value = backend_of(value).to_numpy(value)
    elif callable(getattr(value, "detach", None)):  # PyTorch's
        value = value.detach().numpy()
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"save: {name!r} is a {_kind(value)}, expected an array")
    if value.dtype.name not in _DTYPES.values():
        expected = "booleans, integers or real numbers of 16 to 64 bits"
        raise TypeError(f"save: {name!r} has dtype {value.dtype}, expected {expected}")
    return np.asarray(value, order="C")


def _check_text(what: str, text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"save: {what} is {text!r}, a {_kind(text)}, expected a str")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"save: {what} is not valid Unicode: {error}") from error


def _check_header(arrays: Mapping[str, Array], text: Mapping[str, str]) -> None:
    outline = json.dumps([{k: a.shape for k, a in arrays.items()}, text], ensure_ascii=False)
    size = len(outline.encode()) + 100 * len(arrays)  # 100: dtype, offsets and their names
    if size > _HEADER_LIMIT:
        raise ValueError(f"save: names and metadata take {size} bytes, at most {_HEADER_LIMIT}")


def _kind(value: object) -> str:
    return type(value).__name__


def _encode(node: Any, name: str, arrays: dict[str, Any], depth: int) -> Any:
    """JSON of `node`, its arrays moved to `arrays`; what JSON lacks is an object of one `$` key."""
    if depth > _DEPTH:
        raise ValueError(f"save_checkpoint: nested more than {_DEPTH} deep at {name[:60]!r}...")
    if isinstance(node, np.generic):
        node = _python_scalar(name, node)
    if node is None or isinstance(node, bool | str):
        return node
    if isinstance(node, int):  # beyond 64 bits other readers of JSON round
        return int(node) if -(2**63) <= node < 2**63 else {"$int": hex(node)}
    if isinstance(node, float):
        return float(node) if math.isfinite(node) else {"$float": struct.pack(">d", node).hex()}
    if isinstance(node, list | tuple):
        return [_encode(x, f"{name}/{i}", arrays, depth + 1) for i, x in enumerate(node)]
    if isinstance(node, Mapping):
        return {
            f"${key}" if key.startswith("$") else key: _encode(value, child, arrays, depth + 1)
            for key, value, child in _children(name, node)
        }
    arrays[name] = node
    return {"$array": name}


def _children(name: str, node: Mapping[Any, Any]) -> Iterator[tuple[str, Any, str]]:
    for key, value in node.items():
        if not isinstance(key, str):
            raise TypeError(f"save_checkpoint: key {key!r} in {name!r} is no str")
        yield key, value, _pointer(name, key)


def _pointer(name: str, key: str) -> str:
    return f"{name}/{key.replace('~', '~0').replace('/', '~1')}"


def _python_scalar(name: str, scalar: np.generic) -> Any:
    value = scalar.item()
    if scalar.dtype.name not in _DTYPES.values() and not isinstance(value, str):
        raise TypeError(f"save_checkpoint: {name!r} is a {scalar.dtype} scalar, cannot be stored")
    return value


def _decode(node: Any, name: str, arrays: dict[str, Array], depth: int) -> Any:
    """Tree of the JSON `node`; takes the arrays it names out of `arrays`."""
    if depth > _DEPTH:
        raise ValueError(f"nested more than {_DEPTH} deep")
    if isinstance(node, list):
        return [_decode(x, f"{name}/{i}", arrays, depth + 1) for i, x in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and (tag := next(iter(node))) in _TAGS:
        if not isinstance(node[tag], str):
            raise ValueError(f"{name!r}: {tag} is a {_kind(node[tag])}, expected a str")
        return _TAGS[tag](node[tag], arrays)
    tree = {}
    for key, value in node.items():
        plain = key[1:] if key.startswith("$") else key
        if key.startswith("$") and not plain.startswith("$"):
            raise ValueError(f"{name!r}: unknown mark {key!r}")
        tree[plain] = _decode(value, _pointer(name, plain), arrays, depth + 1)
    return tree


def _take(name: str, arrays: dict[str, Array]) -> Array:
    if name not in arrays:
        raise ValueError(f"the array {name!r} is missing or named twice")
    return arrays.pop(name)


_TAGS: dict[str, Callable[[str, dict[str, Array]], Any]] = {
    "$array": _take,
    "$int": lambda text, _: int(text, 16),
    "$float": lambda text, _: struct.unpack(">d", bytes.fromhex(text))[0],
}
