"""`seqexp data`: list, fetch, verify, path."""

from __future__ import annotations

import pytest

from seqexp.commands import data
from seqexp.commands.main import main
from seqexp.data.source import Archive, Source
from seqexp.data.sources import SOURCES
from tests.data_server import Answer, made, put

CONTENTS = {f"{n:02}.txt": bytes([n]) * (n + 1) for n in range(30)}


@pytest.fixture
def source(server, cache, monkeypatch) -> Source:
    """The only data set there is, of thirty files that a server has one by one."""
    for name, content in CONTENTS.items():
        server.answers[f"/{name}"] = [Answer(content)]
    files = {name: (server.url(f"/{name}"), content) for name, content in CONTENTS.items()}
    source = made(files)
    monkeypatch.setattr(data, "BY_NAME", {"made": source})
    return source


def test_data_alone_prints_help(capsys):
    assert main(["data"]) == 2
    usage = capsys.readouterr().out
    assert usage.startswith("usage: seqexp data ACTION")
    for action in data.ACTIONS:
        assert f"\n  {action}" in usage
    assert main(["data", "--help"]) == 0
    assert capsys.readouterr().out == usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fetch", "fsd"], "no data set 'fsd'; did you mean fsdd?"),
        (["verify", "--all"], "no data set '--all'; there are jsb_chorales"),
        (["list", "Multi30k"], "did you mean multi30k?"),
        (["fetsh"], "no action 'fetsh'; did you mean fetch?"),
        (["jsb_chorales"], "write seqexp data fetch jsb_chorales"),
        (["path"], "path takes one name"),
        (["path", "sst2", "ett"], "path takes one name"),
    ],
)
def test_a_mistake_is_one_line_with_what_to_write(arguments, said, capsys):
    assert main(["data", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.usefixtures("cache")
def test_list_tells_of_all(capsys):
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    for source in SOURCES:
        assert f"\n{source.name} " in f"\n{out}" and source.title in out and source.licence in out
    assert out.count("not here") == len(SOURCES)
    assert "3,000 files, 21.1 MB" in out
    assert "task=jsb_chorales" in out and "task=shakespeare_words,tiny_shakespeare" in out


@pytest.mark.usefixtures("cache")
def test_list_of_a_name_tells_whom_to_cite_and_every_address(capsys):
    assert main(["data", "list", "jsb_chorales", "fsdd"]) == 0
    out = capsys.readouterr().out
    for source in SOURCES:
        named = source.name in ("jsb_chorales", "fsdd")
        assert (source.citation in out) == named
        assert ((source.archive or source.files[0]).url in out) == named


def test_fetch_verify_path_list(source, server, cache, capsys):
    assert main(["data", "path", "made"]) == 1
    err = capsys.readouterr().err
    assert "30 of 30 files of made are not here" in err and str(cache / "made") in err

    assert main(["data", "fetch"]) == 0
    assert str(cache / "made") in capsys.readouterr().out
    assert len(server.asked) == 30

    assert main(["data", "verify", "made"]) == 0
    assert "sha256 verified" in capsys.readouterr().out
    assert main(["data", "path", "made"]) == 0
    assert capsys.readouterr().out == f"{cache / 'made'}\n"
    assert main(["data", "list", "made"]) == 0
    assert str(cache / "made") in capsys.readouterr().out


def test_verify_names_what_is_corrupt_or_missing_and_touches_nothing(source, cache, capsys):
    assert main(["data", "verify"]) == 1
    assert "made: not here; seqexp data fetch made" in capsys.readouterr().out

    assert main(["data", "fetch"]) == 0
    put(cache / "made/07.txt", b"torn")
    (cache / "made/08.txt").unlink()
    capsys.readouterr()
    assert main(["data", "verify"]) == 1
    corrupt, missing = capsys.readouterr().out.splitlines()
    assert f"{cache / 'made/07.txt'} is corrupt" in corrupt
    assert f"{cache / 'made/08.txt'} is missing" in missing
    assert main(["data", "list"]) == 0
    assert f"29 of 30 files in {cache / 'made'}" in capsys.readouterr().out
    assert main(["data", "fetch"]) == 1
    assert "delete it to have it downloaded again" in capsys.readouterr().err
    assert (cache / "made/07.txt").read_bytes() == b"torn"


def test_verify_names_a_few_of_many(source, cache, capsys):
    put(cache / "made/00.txt", CONTENTS["00.txt"])
    assert main(["data", "verify"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == data.SHOWN + 1 and lines[-1] == f"made: and {29 - data.SHOWN} more"


def test_a_data_set_in_two_folders_has_two_paths(source, cache, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(tmp_path / "data"))
    put(cache / "made/00.txt", CONTENTS["00.txt"])
    assert main(["data", "fetch"]) == 0
    capsys.readouterr()
    assert main(["data", "path", "made"]) == 0
    assert capsys.readouterr().out == f"{cache / 'made'}\n{tmp_path / 'data/made'}\n"


@pytest.mark.usefixtures("cache")
def test_fetch_goes_on_after_a_failure(server, monkeypatch, capsys):
    server.answers["/b"] = [Answer(b"b")]
    bad = made({"a": (server.url("/a"), b"a")}, Archive(server.url("/none"), "made"))
    good = made({"b": (server.url("/b"), b"b")})
    monkeypatch.setattr(data, "BY_NAME", {"bad": bad, "good": good})
    assert main(["data", "fetch"]) == 1
    out, err = capsys.readouterr()
    assert err.count("seqexp: error: ") == 1 and "sha256 verified" in out
