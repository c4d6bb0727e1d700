"""A server of this machine to download from, an empty cache, and made-up data sets."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from seqexp.data import transfer
from seqexp.data.source import Archive, File, Source


@dataclass(frozen=True)
class Answer:
    """What a server sends: all of `body`, or so many bytes of it before it hangs up.

    Attributes:
        length: whether it says beforehand how long it is.
    """

    body: bytes
    status: int = 200
    sent: int | None = None
    length: bool = True


class Server(ThreadingHTTPServer):
    """Answers by the path that is asked for, and remembers what was.

    Attributes:
        answers: by path, one after the other; the last stays.
        asked: paths.
    """

    answers: dict[str, list[Answer]]
    asked: list[str]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        answers = self.server.answers.get(self.path, [Answer(b"", 404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(answer.status)
        if answer.length:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: answer.sent])

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """Has nothing until a test puts it into `answers`."""
    with Server(("127.0.0.1", 0), _Handler) as server:
        server.answers, server.asked = {}, []
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(monkeypatch, tmp_path) -> Path:
    """An empty cache in the place of the user's; no folder of theirs, no waiting and no proxy."""

    folder = tmp_path / "cache" / "seqexp"
    monkeypatch.setattr("seqexp.data.places.cache_folder", lambda: folder)
    monkeypatch.setattr(transfer, "WAITS", (0.0,))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SEQEXP_DATA_DIR", raising=False)
    return folder


def made(files: Mapping[str, tuple[str, bytes]], archive: Archive | None = None) -> Source:
    """A data set of the name "made".

    Args:
        files: by path below its folder, the address and the content.
    """
    listed = [
        File(f"made/{path}", url, sha256(content).hexdigest(), len(content))
        for path, (url, content) in files.items()
    ]
    return Source("made", "made for a test", tuple(listed), "none", "nobody", archive)


def tarball(members: Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A gzipped tar file of members by name, behind others that have no content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for other in others:
            archive.addfile(other)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def put(place: Path, content: bytes) -> Path:
    """Write a file where its folder is not there yet."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def files_under(folder: Path) -> list[Path]:
    """All files of a folder, hidden ones and those of folders in it, too."""
    return [place for place in folder.rglob("*") if place.is_file()]
