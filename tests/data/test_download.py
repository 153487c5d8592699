"""Downloads from a server of our own; archives that want to write elsewhere."""

import concurrent.futures
import functools
import hashlib
import http.server
import io
import os
import stat
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from tinygrad_seq.data import download
from tinygrad_seq.data.download import Source, fetch, unpack

TEXT = b"some public text\n"
HASH = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def server(tmp_path):
    """The address of a folder with text.txt, and how often it was asked."""
    pytest.importorskip("pooch")
    shared = tmp_path / "server"
    shared.mkdir()
    (shared / "text.txt").write_bytes(TEXT)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *parts):
            asked.append(self.path)

        def do_GET(self):
            way = self.path.partition("?")[2]
            if not way:
                return super().do_GET()
            self.send_response(200)
            if way != "half-unsaid":
                self.send_header("Content-Length", str(len(TEXT)))
            self.end_headers()
            self.wfile.write(TEXT[:5])
            if way == "slow":
                time.sleep(0.2)
                self.wfile.write(TEXT[5:])
            return None

    handler = functools.partial(Handler, directory=shared)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/", asked
        running.shutdown()
        thread.join()


def test_fetched_once_and_again_if_damaged(server, tmp_path):
    url, asked = server
    source = Source(url + "text.txt", HASH, "none")
    path = fetch(source, tmp_path / "cache")
    assert path == tmp_path / "cache" / "text.txt"
    assert path.read_bytes() == TEXT
    assert fetch(source, tmp_path / "cache") == path
    assert len(asked) == 1
    path.write_bytes(TEXT[:-1])
    assert fetch(source, tmp_path / "cache").read_bytes() == TEXT
    assert len(asked) == 2


def test_another_hash_leaves_nothing(server, tmp_path):
    source = Source(server[0] + "text.txt", "0" * 64, "none")
    with pytest.raises(ValueError, match=r"text\.txt is not the file that was asked for"):
        fetch(source, tmp_path / "cache")
    assert not any((tmp_path / "cache").iterdir())


def test_offline_and_missing(server, tmp_path):
    for url in ("http://127.0.0.1:1/text.txt", server[0] + "none.txt"):
        with pytest.raises(RuntimeError, match=r"not be downloaded \(.*put the file at .*cache"):
            fetch(Source(url, HASH, "none"), tmp_path / "cache")
    (tmp_path / "cache" / "text.txt").write_bytes(TEXT)  # by hand, as the message says
    assert fetch(Source("http://127.0.0.1:1/text.txt", HASH, "none"), tmp_path / "cache")


def test_another_file_there_and_no_network(tmp_path):
    pytest.importorskip("pooch")
    (tmp_path / "text.txt").write_bytes(b"another")
    with pytest.raises(
        RuntimeError, match=r"put the right file in place of the one there at .*t\."
    ):
        fetch(Source("http://127.0.0.1:1/text.txt", HASH, "none"), tmp_path)
    assert (tmp_path / "text.txt").read_bytes() == b"another"


def test_half_a_file_leaves_nothing(server, tmp_path):
    for way, error in (("half", RuntimeError), ("half-unsaid", ValueError)):
        with pytest.raises(error, match=r"could not be downloaded|does not match"):
            fetch(Source(f"{server[0]}text.txt?{way}", HASH, "none"), tmp_path / "cache")
        assert not any((tmp_path / "cache").iterdir())


def test_several_at_once(server, tmp_path):
    source = Source(server[0] + "text.txt?slow", HASH, "none")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: fetch(source, tmp_path / "cache").read_bytes(), range(3)))
    assert found == [TEXT] * 3
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["text.txt"]


@pytest.mark.parametrize("end", ["", "a/", "..", "a/..", "b\\..\\c", "?text.txt"])
def test_addresses_without_a_files_name(end, tmp_path):
    pytest.importorskip("pooch")
    with pytest.raises(ValueError, match="does not end with the name of a file"):
        fetch(Source("http://127.0.0.1:1/" + end, HASH, "none"), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    assert Source("https://host/a/b.txt?raw=../c#d", HASH, "none").name == "b.txt"


def test_the_path_is_as_the_folder_was_given(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    source = Source(server[0] + "text.txt", HASH.upper(), "none")
    for folder, path in (("cache", "cache"), ("~/cache", tmp_path / "home" / "cache")):
        assert [fetch(source, folder) for _ in range(2)] == [Path(path, "text.txt")] * 2
    assert len(server[1]) == 2


def test_folders_that_cannot_be_written_to(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    source = Source(server[0] + "text.txt", HASH, "none")
    for folder in ("file", "file/below"):
        with pytest.raises(OSError, match=r"nothing can be written to .*file.*TINYGRAD_SEQ_DATA"):
            fetch(source, tmp_path / folder)
    (tmp_path / "cache" / "text.txt").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"text\.txt is a folder, expected a file"):
        fetch(source, tmp_path / "cache")
    (tmp_path / "right").mkdir()
    (tmp_path / "right" / "text.txt").write_bytes(TEXT)
    monkeypatch.setattr(tempfile, "TemporaryFile", None)  # what is right is only read
    assert fetch(source, tmp_path / "right").read_bytes() == TEXT
    assert not server[1]


@pytest.mark.parametrize("source", download.SOURCES.values(), ids=download.SOURCES)
def test_hashes_are_those_of_the_files_at_hand(source):
    folder = os.environ.get("TINYGRAD_SEQ_TEST_DATA")
    paths = sorted(Path(folder).rglob(source.name)) if folder else []
    if not paths:
        pytest.skip(f"TINYGRAD_SEQ_TEST_DATA is {folder}, expected a folder that has {source.name}")
    assert hashlib.sha256(paths[0].read_bytes()).hexdigest() == source.sha256


def test_names_and_folder(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"no source 'mnist', expected one of \['questions-words'"):
        fetch("mnist")
    for source in download.SOURCES.values():
        assert source.url.startswith("https://")
        assert len(source.sha256) == len(bytes.fromhex(source.sha256)) * 2 == 64
        assert source.licence
    monkeypatch.setenv("TINYGRAD_SEQ_DATA", str(tmp_path))
    assert download.data_folder() == tmp_path
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(ImportError, match="needs pooch: pip install"):
        fetch("simlex999")


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)


def make_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))


MAKERS = {"a.zip": make_zip, "a.tar.gz": make_tar}


@pytest.mark.parametrize("name", MAKERS)
def test_unpacked_whole(name, tmp_path):
    members = [("set/train/b.txt", b"b" * 3_000_000), ("set/a.sh", b"#!/bin/sh"), ("c", b"")]
    MAKERS[name](tmp_path / name, members)
    files = unpack(tmp_path / name, tmp_path / "new" / "data")
    assert [
        (str(f.relative_to(tmp_path / "new" / "data")), f.read_bytes()) for f in files
    ] == members
    assert not any(f.stat().st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH) for f in files)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["data"]
    with pytest.raises(FileExistsError, match="is there already"):
        unpack(tmp_path / name, tmp_path / "new" / "data")


BAD = {
    "../out.txt": "leads out of the folder",
    "a/../../out.txt": "leads out of the folder",
    "a\\..\\..\\out.txt": "leads out of the folder",
    "/out.txt": "is no relative path",
    "C:/out.txt": "is no relative path",
    "\\\\host\\share\\out.txt": "is no relative path|leads out",
    "FIRST.txt": "one that another has",
    "First.txt/a": "lies in one that is a file",
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", MAKERS)
def test_names_that_lead_elsewhere(name, bad, tmp_path):
    MAKERS[name](tmp_path / name, [("first.txt", b"1"), (bad, b"2")])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=f"unpack: .*member .*({BAD[bad]})"):
        unpack(tmp_path / name, tmp_path / "data")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices(kind, tmp_path):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    make_tar(tmp_path / "a.tar.gz", [("a", b"1"), (info, b"")])
    with pytest.raises(ValueError, match="'link' is a link or device"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "data")
    linked = zipfile.ZipInfo("link")
    linked.external_attr = (stat.S_IFLNK | 0o777) << 16
    make_zip(tmp_path / "a.zip", [(linked, "/etc/passwd")])
    with pytest.raises(ValueError, match="'link' is a link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "data")
    below = zipfile.ZipInfo("folder/")
    below.external_attr = (stat.S_IFLNK | 0o777) << 16
    make_zip(tmp_path / "a.zip", [(below, "/etc")])
    with pytest.raises(ValueError, match="'folder/' is a link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_one_of_several_unpacks(tmp_path, monkeypatch):
    """A folder that was made, or a link that leads nowhere, is as good as one that is there."""
    make_zip(tmp_path / "a.zip", [("a", b"1")])
    unpacking = download._unpack

    def overtaken(*arguments):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "first").write_bytes(b"")
        return unpacking(*arguments)

    monkeypatch.setattr(download, "_unpack", overtaken)
    with pytest.raises(FileExistsError, match="data is there already"):
        unpack(tmp_path / "a.zip", tmp_path / "data")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "data", "first"]
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError, match="link is there already"):
        unpack(tmp_path / "a.zip", tmp_path / "link")


@pytest.mark.parametrize("name", MAKERS)
def test_limits(name, tmp_path):
    MAKERS[name](tmp_path / name, [(f"{i}", b"0" * 1000) for i in range(5)])
    for limits in ({"max_bytes": 4999}, {"max_files": 4}):
        with pytest.raises(ValueError, match="has 5 members of 5000 bytes, expected at most"):
            unpack(tmp_path / name, tmp_path / "data", **limits)
    assert len(unpack(tmp_path / name, tmp_path / "data", max_bytes=5000, max_files=5)) == 5


@pytest.mark.parametrize("name", MAKERS)
def test_damaged_archives(name, tmp_path):
    content = bytes(i * 7 % 251 for i in range(50_000))
    MAKERS[name](tmp_path / name, [("a", content)])
    whole = (tmp_path / name).read_bytes()
    middle = len(whole) // 2
    flipped = bytes(b ^ 255 for b in whole[middle : middle + 20])
    wrong = whole[:middle] + flipped + whole[middle + 20 :]
    for damaged in (wrong, whole[:middle], b"", b"text"):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ValueError, match=r"is damaged|neither a zip nor a tar"):
            unpack(tmp_path / name, tmp_path / "data")
        assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_zip_that_lies_about_its_sizes(tmp_path):
    make_zip(tmp_path / "a.zip", [("a", b"0" * 100_000)])
    data = bytearray((tmp_path / "a.zip").read_bytes())
    size = (100_000).to_bytes(4, "little")
    while size in data:
        at = data.index(size)
        data[at : at + 4] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ValueError, match=r"is damaged|longer than it says"):
        unpack(tmp_path / "a.zip", tmp_path / "data", max_bytes=1000)
    assert not (tmp_path / "data").exists()
