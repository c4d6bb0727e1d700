"""Files are verified and never overwritten; one that cannot be had says what to do."""

import os
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from seqexp.data import download
from seqexp.data.sources import SOURCES, File, Source
from seqexp.types import SeqexpError

CONTENT = b"made for this test\n"
OFFLINE = Path(os.environ.get("SEQEXP_DATA_DIR", "unset"))


class Server(ThreadingHTTPServer):
    """Answers by the path that is asked for, and remembers what was."""

    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        gone = self.path == "/missing" or (self.path == "/flaky" and len(self.server.asked) == 1)
        body = b"something else\n" if self.path == "/wrong" else CONTENT
        self.send_response(404 if gone else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:5] if self.path == "/truncated" else body)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    """An empty cache in the place of the user's, no retries and no proxy."""
    monkeypatch.setattr(download.pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(download, "RETRIES", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SEQEXP_DATA_DIR", raising=False)
    return tmp_path / "cache" / "seqexp"


def source(url: str) -> Source:
    file = File("made/file.txt", url, sha256(CONTENT).hexdigest())
    return Source("made", (file,), "none")


def served(server: Server, path: str) -> Source:
    return source(f"http://127.0.0.1:{server.server_port}{path}")


NOWHERE = source("http://127.0.0.1:9/never-asked")


def put(place: Path, content: bytes) -> Path:
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    return place


def files_under(folder: Path) -> list[Path]:
    return [place for place in folder.rglob("*") if place.is_file()]


def test_a_missing_file_is_downloaded_once_into_the_cache(server, cache, capfd):
    for _ in range(2):
        assert download.fetch(served(server, "/ok")) == {"made/file.txt": cache / "made/file.txt"}
    assert (cache / "made/file.txt").read_bytes() == CONTENT
    assert server.asked == ["/ok"]
    assert capfd.readouterr() == ("", "")


def test_the_data_folder_comes_before_the_cache(monkeypatch, server, cache, tmp_path):
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(tmp_path / "data"))
    place = tmp_path / "data/made/file.txt"
    assert download.fetch(served(server, "/ok")) == {"made/file.txt": place}
    assert place.read_bytes() == CONTENT
    assert not cache.exists()
    assert download.fetch(NOWHERE) == {"made/file.txt": place}


def test_the_cache_serves_what_the_data_folder_lacks(monkeypatch, cache, tmp_path):
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(tmp_path / "data"))
    place = put(cache / "made/file.txt", CONTENT)
    assert download.fetch(NOWHERE) == {"made/file.txt": place}
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_cannot_be_written_to_leaves_the_cache(
    monkeypatch, server, cache, tmp_path
):
    # A file where the folder should be: even root cannot write below it.
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(put(tmp_path / "data/not-a-folder", b"") / "below"))
    assert download.fetch(served(server, "/ok")) == {"made/file.txt": cache / "made/file.txt"}


@pytest.mark.parametrize("where", ["data", "cache/seqexp"])
def test_a_corrupt_file_is_reported_and_not_touched(monkeypatch, server, tmp_path, where):
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(tmp_path / "data"))
    place = put(tmp_path / where / "made/file.txt", b"torn")
    with pytest.raises(SeqexpError) as caught:
        download.fetch(served(server, "/ok"))
    message = str(caught.value)
    for part in (str(place), sha256(b"torn").hexdigest()[:12], sha256(CONTENT).hexdigest()[:12]):
        assert part in message
    assert "delete it" in message and "\n" not in message
    assert place.read_bytes() == b"torn"
    assert server.asked == []


@pytest.mark.parametrize(
    "path, reason",
    [
        ("/missing", "the server answered 404"),
        ("/wrong", "another sha256"),
        ("/truncated", "the connection failed"),
    ],
)
def test_a_failed_download_says_how_to_supply_the_file(server, cache, path, reason):
    with pytest.raises(SeqexpError) as caught:
        download.fetch(served(server, path))
    message = str(caught.value)
    url = f"http://127.0.0.1:{server.server_port}{path}"
    for part in ("made/file.txt", url, reason, str(cache / "made/file.txt"), "SEQEXP_DATA_DIR"):
        assert part in message
    assert "\n" not in message
    assert files_under(cache) == []


def test_no_network(server, cache):
    unreachable = served(server, "/ok")
    server.server_close()
    with pytest.raises(SeqexpError, match="the connection failed.*SEQEXP_DATA_DIR"):
        download.fetch(unreachable)
    assert files_under(cache) == []


def test_a_full_or_forbidden_cache_is_a_clear_error(monkeypatch, server, tmp_path):
    blocked = put(tmp_path / "made/not-a-folder", b"")
    monkeypatch.setattr(download.pooch, "os_cache", lambda project: blocked / project)
    with pytest.raises(SeqexpError, match="could not be downloaded.*SEQEXP_DATA_DIR"):
        download.fetch(served(server, "/ok"))


def test_retries_are_few(monkeypatch, server, cache):
    monkeypatch.setattr(download, "RETRIES", 1)
    assert download.fetch(served(server, "/flaky")) == {"made/file.txt": cache / "made/file.txt"}
    assert server.asked == ["/flaky", "/flaky"]


def test_sources_are_pinned():
    for source in SOURCES:
        for file in source.files:
            assert file.path.split("/")[0] == source.name
            assert len(bytes.fromhex(file.sha256)) == 32
            commit = file.url.removeprefix("https://raw.githubusercontent.com/").split("/")[2]
            assert len(bytes.fromhex(commit)) == 20


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_offline_folder_holds_what_the_hashes_say(monkeypatch, source):
    expected = {file.path: OFFLINE / file.path for file in source.files}
    if not all(place.is_file() for place in expected.values()):
        pytest.skip(f"SEQEXP_DATA_DIR names no folder with {source.name}")
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(OFFLINE))
    assert download.fetch(source) == expected
