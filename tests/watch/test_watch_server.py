"""What is served, to whom, and what is not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from growing_study import PNG, add, ask, at, get, served, write_run

from seqexp.analysis.looks import COLOURS
from seqexp.errors import SeqexpError
from seqexp.watch import open_server, server
from seqexp.watch import study as watched
from seqexp.watch.server import PARTS


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server of a study with a secret beside it, which answers what is there at each look."""
    study = tmp_path_factory.mktemp("runs") / "study"
    folder = write_run(study, "a")
    (study.parent / "secret.png").write_bytes(b"secret")
    (folder / "secret.png").write_bytes(b"secret")
    for place in ("pictures", "files", "inspection/figures", "wandb"):
        (folder / place).mkdir(parents=True)
        (folder / place / "roll 1.png").write_bytes(PNG)
    (folder / "files" / "page.html").write_text("<script>alert(1)</script>")
    (folder / "pictures" / "out.png").symlink_to(study.parent / "secret.png")
    (folder / "pictures" / "in.png").symlink_to(folder / "pictures" / "roll 1.png")
    (folder / "pictures" / "deep.png").mkdir()
    os.mkfifo(folder / "pictures" / "pipe.png")
    with pytest.MonkeyPatch.context() as patch, served(study) as server:
        patch.setattr(watched, "LOOK", 0.0)
        yield server


def test_a_study_grows_between_two_questions(site):
    folder = site.study.folder / "a"
    first = ask(site, "/study?token=&since=0")
    assert [row["run"] for row in first["runs"]] == ["a"]
    add(folder, at(10, 0.5, float("nan")))
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 20, "train/')
    again = ask(site, f"/study?token={first['token']}&since={first['version']}")
    assert [row["step"] for row in again["runs"]] == [10]
    piece = ask(site, "/curves?metric=mse&run=a:0:0&run=no:0:0")
    empty = {"generation": 0, "first": 0, "steps": [10], "train": [0.5], "valid": [None]}
    assert piece == {"a": empty}
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('mse": 0.25}\n')
    assert ask(site, "/curves?metric=mse&run=a:0:1")["a"]["train"] == [0.25]
    assert ask(site, "/run?run=a")["warnings"] == []


@pytest.mark.parametrize("place", ["pictures", "files", "inspection/figures"])
def test_files_of_a_run_are_served(site, place):
    answer, body = get(site, f"/file/a/{place}/roll%201.png?v=1")
    assert answer.status == 200 and body == PNG and answer.headers["Content-Type"] == "image/png"


def test_what_is_no_picture_is_kept_and_never_opened(site):
    answer, _ = get(site, "/file/a/files/page.html")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_link_within_the_study_is_followed(site):
    answer, body = get(site, "/file/a/pictures/in.png")
    assert answer.status == 200 and body == PNG


BACK = quote("../", safe="")


@pytest.mark.parametrize(
    "path",
    [
        "/file/a/secret.png",
        "/file/a/pictures/../secret.png",
        "/file/a/pictures/../../../secret.png",
        f"/file/a/pictures/{BACK}secret.png",
        f"/file/a/{BACK}secret.png",
        f"/file/{BACK}secret.png",
        "/file/../secret.png",
        "/file/./a/pictures/roll%201.png",
        "/file/a/pictures/%2e%2e/secret.png",
        "/file/a/pictures%2froll%201.png",
        "/file/a/pictures//etc/passwd",
        "/file//etc/passwd",
        "/file/a//etc/passwd",
        "/file/a/pictures/..%5c..%5csecret.png",
        "/file/a/pictures/roll%201.png%00",
        "/file/a/pictures/",
        "/file/a/pictures/..",
        "/file/a/pictures/out.png",
        "/file/a/pictures/pipe.png",
        "/file/a/pictures/deep.png",
        "/file/a/wandb/roll%201.png",
        "/file/a/run.json",
        "/file/a",
        "/file/",
        "/../../etc/passwd",
        "/secret.png",
        "/watch.js/..",
        "/run?run=..",
        "/run?run=%2e%2e%2fother",
    ],
)
def test_nothing_else_is_served(site, path):
    answer, body = get(site, path)
    assert answer.status == 404 and b"secret" not in body and b"root:" not in body


@pytest.mark.parametrize(
    "path",
    ["/study", "/study?token=&since=x", "/curves?run=a:0:0", "/curves?metric=x&run=a", "/run"],
)
def test_a_mistaken_question_is_refused(site, path):
    assert get(site, path)[0].status == 400


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:1234", 200),  # through a tunnel
        ("LocalHost", 200),
        ("evil.example", 403),
        ("evil.example:8484", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost@evil.example", 403),
        ("0.0.0.0", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_only_this_machine_is_answered(site, host, status):
    for path in ("/", "/study?token=&since=0", "/file/a/pictures/roll%201.png"):
        assert get(site, path, Host=host)[0].status == status


def test_nothing_is_taken(site):
    assert get(site, "/study?token=&since=0", method="POST")[0].status == 501
    answer, body = get(site, "/", method="HEAD")
    assert answer.status == 200 and body == b""


def test_the_page_asks_for_nothing_from_elsewhere(site):
    assert site.server_address[0] == "127.0.0.1"
    for path in PARTS:
        answer, body = get(site, path)
        assert (
            answer.status == 200
            and "default-src 'none'" in answer.headers["Content-Security-Policy"]
        )
        found = re.findall(rb"https?://[\w./]+", body)
        assert set(found) <= {b"http://www.w3.org/2000/svg"}  # a name, which nobody opens
    page = get(site, "/")[1].decode()
    assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) <= {*PARTS, "data:,"}


def test_colours_are_the_reports():
    script = Path(PARTS["/watch.js"][0]).read_text()
    [listed] = re.findall(r"const COLOURS = (\[.*?\]);", script)
    assert json.loads(listed) == [*COLOURS[:-1], "currentColor"]


def test_a_port_that_is_taken(tmp_path, monkeypatch):
    with open_server(tmp_path, 0) as first:
        port = first.server_address[1]
        with pytest.raises(SeqexpError, match=rf"can't listen on port {port} \(Address already in"):
            open_server(tmp_path, port)
        # Where none is asked for, another one will do.
        monkeypatch.setattr(server, "PORT", port)
        with open_server(tmp_path, None) as second:
            assert second.server_address[1] not in (0, port)
    with pytest.raises(SeqexpError, match="no port 70000"):
        open_server(tmp_path, 70_000)
