"""Public data by name: fetched once, checked by its SHA-256, archives vetted, nothing executed."""

from __future__ import annotations

import gzip
import importlib
import lzma
import os
import tarfile
import tempfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

FOLDER_VARIABLE = "TINYGRAD_SEQ_DATA"


@dataclass(frozen=True)
class Source:
    """A file to fetch: where it is, the SHA-256 that it must have, and whose it is."""

    url: str
    sha256: str
    licence: str

    @property
    def name(self) -> str:
        """The file's own name, the last of its address. Raises ValueError if there is none."""
        name = urllib.parse.urlsplit(self.url).path.rpartition("/")[2]
        if name in ("", ".", "..") or "\\" in name:
            raise ValueError(f"fetch: {self.url} does not end with the name of a file")
        return name


_GENSIM = "https://raw.githubusercontent.com/piskvorky/gensim/4.4.0/gensim/test/test_data/"

SOURCES = {
    "questions-words": Source(
        _GENSIM + "questions-words.txt",
        "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
        "Apache-2.0, Mikolov et al. 2013: analogies between words",
    ),
    "simlex999": Source(
        _GENSIM + "simlex999.txt",
        "d5e0501971478a511430ee880bd0121e94ac701ba86d90544d83e6d2ba3db05d",
        "Hill, Reichart & Korhonen 2015: pairs of words and their similarity",
    ),
    "wordsim353": Source(
        _GENSIM + "wordsim353.tsv",
        "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
        "Finkelstein et al. 2002: pairs of words and their relatedness",
    ),
}
"""What `fetch` knows by name."""


def data_folder() -> Path:
    """Return where fetched files are kept: $TINYGRAD_SEQ_DATA, or in the user's cache folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path(_pooch().os_cache("tinygrad_seq")) / "data"


def fetch(source: str | Source, folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of a file with the right SHA-256: the one in the folder, or a new download.

    source: a name of SOURCES, or a Source   folder: `data_folder()` where None
    A download stands under its name only when it is whole and right.
    Raises ValueError for an unknown name or another hash, RuntimeError where it cannot be
    downloaded, saying where it may be put by hand, OSError where the folder cannot be written to,
    ImportError without pooch.
    """
    if isinstance(source, str):
        if source not in SOURCES:
            raise ValueError(f"fetch: no source {source!r}, expected one of {sorted(SOURCES)}")
        source = SOURCES[source]
    place = (data_folder() if folder is None else Path(folder)).expanduser()
    path, pooch, found = place / source.name, _pooch(), "the file"
    if path.is_file():
        if pooch.file_hash(str(path), alg="sha256") == source.sha256.lower():
            return path
        found = "the right file in place of the one there"
    _check_writable(path)
    try:
        pooch.retrieve(source.url, f"sha256:{source.sha256}", fname=source.name, path=str(place))
    except ValueError as error:
        raise ValueError(
            f"fetch: {source.url} is not the file that was asked for: {error}"
        ) from error
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
        raise RuntimeError(
            f"fetch: {source.url} could not be downloaded ({type(error).__name__}); without a "
            f"network, put {found} at {path} (SHA-256 {source.sha256})"
        ) from error
    return path


def _check_writable(path: Path) -> None:
    """Make the folder that a file is to stand in. Raises OSError where it cannot stand there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(
            f"fetch: nothing can be written to {path.parent} ({type(error).__name__}); choose "
            f"another folder, by folder= or {FOLDER_VARIABLE}"
        ) from error
    if path.is_dir():
        raise IsADirectoryError(f"fetch: {path} is a folder, expected a file or nothing")


def _pooch() -> Any:
    try:
        return importlib.import_module("pooch")
    except ImportError as error:
        raise ImportError(
            "downloading needs pooch: pip install 'tinygrad-seq[examples]'"
        ) from error


# ---- archives ------------------------------------------------------------------------------------

_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,  # a password, or a way of compressing that the library lacks
)


def unpack(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    max_bytes: int = 2**31,
    max_files: int = 200_000,
) -> list[Path]:
    """Return the files of a zip or tar archive, unpacked into a new folder, in the archive's order.

    max_bytes, max_files: limits of all files together
    All names are vetted before anything is written, and the folder appears when it is whole; no
    file is executable.
    Raises ValueError, naming the member, for absolute names, `..`, links, devices, names that occur
    twice, more than the limits, or another kind of file; FileExistsError if the folder is there.
    """
    target, name = Path(folder), os.fspath(archive)
    there = FileExistsError(f"unpack: {target} is there already")
    if os.path.lexists(target):
        raise there
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as made:
        whole = Path(made) / "files"
        whole.mkdir()
        try:
            written = _unpack(name, whole, max_bytes, max_files)
        except _DAMAGED as error:
            raise ValueError(f"unpack: {name} is damaged: {error}") from error
        try:
            os.replace(whole, target)
        except OSError as error:
            if os.path.lexists(target):  # by another process, in the meantime
                raise there from error
            raise
    return [target / path for path in written]


def _unpack(name: str, folder: Path, max_bytes: int, max_files: int) -> list[Path]:
    written: list[Path] = []
    left = max_bytes
    if tarfile.is_tarfile(name):  # asked first: a tar that ends with a zip passes for one
        with tarfile.open(name) as tarred:
            members = tarred.getmembers()
            found = [(m.name, _kind_in_tar(m), m.size) for m in members]
            for i, path in _vetted(name, found, max_bytes, max_files):
                stream = tarred.extractfile(members[i])
                assert stream is not None  # _vetted gives files alone
                with stream:
                    left -= _copy(stream, folder / path, left, f"{name}: {path}")
                written.append(path)
            while tarred.fileobj is not None and tarred.fileobj.read(1 << 20):
                pass  # the checksum of what was read stands at the very end
        return written
    if not zipfile.is_zipfile(name):
        raise ValueError(f"unpack: {name} is neither a zip nor a tar archive")
    with zipfile.ZipFile(name) as zipped:
        infos = zipped.infolist()
        found = [(info.filename, _kind_in_zip(info), info.file_size) for info in infos]
        for i, path in _vetted(name, found, max_bytes, max_files):
            with zipped.open(infos[i]) as file:
                left -= _copy(file, folder / path, left, f"{name}: {path}")
            written.append(path)
    return written


def _kind_in_zip(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 28  # the kind of file, where the archive was made on Unix
    if mode not in (0, 0o4, 0o10):
        return "link or device"
    return "folder" if info.is_dir() else "file"


def _kind_in_tar(member: tarfile.TarInfo) -> str:
    return "folder" if member.isdir() else "file" if member.isreg() else "link or device"


def _vetted(
    archive: str, members: list[tuple[str, str, int]], max_bytes: int, max_files: int
) -> Iterator[tuple[int, Path]]:
    """Return (number, path) of the files among (name, kind, size). Raises as `unpack` does."""
    files: list[tuple[int, Path]] = []
    seen: set[str] = set()
    for i, (name, kind, _) in enumerate(members):
        parts = PureWindowsPath(name).parts  # cuts at both kinds of slashes
        where = f"unpack: {archive}: member {name!r}"
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or "\0" in name:
            raise ValueError(f"{where} is no relative path")
        if ".." in parts:
            raise ValueError(f"{where} leads out of the folder")
        if kind not in ("file", "folder"):
            raise ValueError(f"{where} is a {kind}, expected files and folders")
        if kind == "folder":
            continue
        path = Path(*parts)
        if not parts or str(path).casefold() in seen:
            raise ValueError(f"{where} has no name, or one that another has")
        seen.add(str(path).casefold())
        files.append((i, path))
    for _, path in files:
        if not seen.isdisjoint(str(folder).casefold() for folder in path.parents):
            raise ValueError(f"unpack: {archive}: member {str(path)!r} lies in one that is a file")
    total = sum(size for _, _, size in members)
    if len(members) > max_files or total > max_bytes:
        raise ValueError(
            f"unpack: {archive} has {len(members)} members of {total} bytes, "
            f"expected at most {max_files} of {max_bytes}"
        )
    return iter(files)


def _copy(source: IO[bytes], path: Path, limit: int, name: str) -> int:
    """Return the number of bytes copied to a new file. Raises ValueError beyond the limit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with open(path, "xb") as file:
        while block := source.read(min(1 << 20, limit - count + 1)):
            count += len(block)
            if count > limit:
                raise ValueError(f"unpack: {name}: longer than it says, expected {limit} at most")
            file.write(block)
    return count
