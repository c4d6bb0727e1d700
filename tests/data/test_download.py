"""Files are verified and never overwritten; one that cannot be had says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from seqexp.data import download, placing
from seqexp.data.source import Source
from seqexp.types import SeqexpError
from tests.data_server import Answer, Server, files_under, made, put

CONTENT = b"made for this test\n"
ANSWERS = {
    "/ok": [Answer(CONTENT)],
    "/wrong": [Answer(b"something other is\n")],
    "/short": [Answer(CONTENT[:5])],
    "/long": [Answer(CONTENT + b"more")],
    "/torn": [Answer(CONTENT, sent=5)],
    "/busy": [Answer(b"", 503)],
    "/flaky": [Answer(b"", 503), Answer(CONTENT)],
    "/torn-once": [Answer(CONTENT, sent=5), Answer(CONTENT)],
}

pytestmark = pytest.mark.usefixtures("cache")


def served(server: Server, path: str) -> Source:
    server.answers.update({path: list(answers) for path, answers in ANSWERS.items()})
    return made({"file.txt": (server.url(path), CONTENT)})


NOWHERE = made({"file.txt": ("http://127.0.0.1:9/never-asked", CONTENT)})


def test_a_missing_file_is_downloaded_once_into_the_cache(server, cache, capfd):
    for _ in range(2):
        assert download.fetch(served(server, "/ok")) == {"made/file.txt": cache / "made/file.txt"}
    assert (cache / "made/file.txt").read_bytes() == CONTENT
    assert files_under(cache) == [cache / "made/file.txt"]
    assert server.asked == ["/ok"]
    assert capfd.readouterr() == ("", "downloading made (1 file, 19 bytes) from 127.0.0.1\n")


def test_a_terminal_shows_a_bar(server, capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    download.fetch(served(server, "/torn-once"))
    out, err = capfd.readouterr()
    assert out == "" and "19/19 bytes" in err and "38" not in err


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
@pytest.mark.parametrize("content", [b"torn", b"made for that test\n"], ids=["size", "bytes"])
def test_a_corrupt_file_is_reported_and_not_touched(monkeypatch, server, tmp_path, where, content):
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(tmp_path / "data"))
    place = put(tmp_path / where / "made/file.txt", content)
    with pytest.raises(SeqexpError) as caught:
        download.fetch(served(server, "/ok"))
    message = str(caught.value)
    wrong = [sha256(each).hexdigest()[:12] for each in (content, CONTENT)]
    assert ("4 bytes, expected 19" in message) == (len(content) == 4)
    for part in (str(place), *wrong, "delete it", server.url("/ok")):
        assert part in message
    assert "\n" not in message
    assert place.read_bytes() == content
    assert server.asked == []


def test_a_file_that_changes_is_found_out_whatever_its_date_says(server, cache):
    download.fetch(served(server, "/ok"))
    place = cache / "made/file.txt"
    before = place.stat()
    place.write_bytes(CONTENT.swapcase())
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(SeqexpError, match="is corrupt"):
        download.fetch(served(server, "/ok"))


@pytest.mark.parametrize(
    "path, reason, attempts",
    [
        ("/missing", "the server answered 404", 1),
        ("/busy", "the server answered 503", 2),
        ("/wrong", "another sha256", 1),
        ("/short", "the connection broke off after 5 of 19 bytes", 2),
        ("/long", "the server sent more than 19 bytes", 1),
        ("/torn", "the connection broke off", 2),
    ],
)
def test_a_failed_download_says_how_to_supply_the_file(server, cache, path, reason, attempts):
    with pytest.raises(SeqexpError) as caught:
        download.fetch(served(server, path))
    message = str(caught.value)
    place = str(cache / "made/file.txt")
    for part in ("made/file.txt", server.url(path), reason, place, "SEQEXP_DATA_DIR"):
        assert part in message
    assert "\n" not in message
    assert files_under(cache) == []
    assert server.asked == attempts * [path]


@pytest.mark.parametrize("path", ["/flaky", "/torn-once"])
def test_what_may_pass_is_attempted_again(server, cache, path):
    assert download.fetch(served(server, path)) == {"made/file.txt": cache / "made/file.txt"}
    assert len(server.asked) == 2


def test_no_network(server, cache):
    unreachable = served(server, "/ok")
    server.server_close()
    with pytest.raises(SeqexpError, match="the connection failed.*SEQEXP_DATA_DIR"):
        download.fetch(unreachable)
    assert files_under(cache) == []


def test_a_forbidden_cache_is_a_clear_error(monkeypatch, server, tmp_path):
    blocked = put(tmp_path / "made/not-a-folder", b"")
    monkeypatch.setattr("seqexp.data.places.cache_folder", lambda: blocked / "seqexp")
    with pytest.raises(SeqexpError, match="could not be downloaded.*SEQEXP_DATA_DIR"):
        download.fetch(served(server, "/ok"))


LIMITED = """
import resource, sys
from seqexp.data.download import fetch
from seqexp.types import SeqexpError
from tests.data_server import made
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    fetch(made({"large": (sys.argv[1], bytes(300_000))}))
except SeqexpError as error:
    print(error)
"""


def test_a_file_that_cannot_be_written_whole_is_not_there(server, tmp_path):
    server.answers["/large"] = [Answer(bytes(300_000))]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, server.url("/large")],
        env={**os.environ, "SEQEXP_DATA_DIR": str(tmp_path / "data")},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "made/large is missing" in line and "File too large" in line
    assert server.asked == ["/large"]
    assert files_under(tmp_path / "data") == []


def test_an_interrupted_download_leaves_nothing(server, cache, monkeypatch):
    @contextmanager
    def interrupted(what, size):
        def advance(count):
            if count > 0:
                assert [place.suffix for place in files_under(cache)] == [".part"]
                raise KeyboardInterrupt

        yield advance

    monkeypatch.setattr(download, "downloading", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.fetch(served(server, "/ok"))
    assert files_under(cache) == []


def test_what_a_killed_process_left_is_deleted_once_it_is_old(server, cache):
    old, new = (put(cache / f"made/.file.txt-{n * 8}.part", b"half") for n in "12")
    long_ago = time.time() - placing.FORGOTTEN - 60
    os.utime(old, (long_ago, long_ago))
    download.fetch(served(server, "/ok"))
    assert set(files_under(cache)) == {cache / "made/file.txt", new}
