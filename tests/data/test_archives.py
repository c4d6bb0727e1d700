"""Archives: each member is verified, and nothing else of them is ever written."""

from __future__ import annotations

import io
import tarfile
import tempfile
from errno import ENOSPC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data import archives, download
from seqexp.data.source import Archive
from seqexp.data.transfer import Unavailable
from seqexp.types import SeqexpError
from tests.data_server import Answer, files_under, made, put, tarball

CONTENTS = {f"sounds/{n}.wav": n.to_bytes() * (200 + n) for n in range(30)}
MEMBERS = {f"top-1a2b/{name}": content for name, content in CONTENTS.items()}
WHOLE = tarball({**MEMBERS, "top-1a2b/README.md": b"not asked for"})


@pytest.fixture
def source(server, cache):
    """Thirty files that are in an archive, and at addresses of their own."""
    server.answers["/all.tar.gz"] = [Answer(WHOLE)]
    for name, content in CONTENTS.items():
        server.answers[f"/{name}"] = [Answer(content)]
    files = {name: (server.url(f"/{name}"), content) for name, content in CONTENTS.items()}
    return made(files, Archive(server.url("/all.tar.gz"), "made"))


def test_members_lie_as_single_files_and_nothing_else_does(source, server, cache):
    expected = {file.path: cache / file.path for file in source.files}
    for _ in range(2):
        assert download.fetch(source) == expected
    assert server.asked == ["/all.tar.gz"]
    assert {str(p.relative_to(cache / "made")): p.read_bytes() for p in files_under(cache)} == (
        CONTENTS
    )


def test_a_few_missing_files_are_downloaded_by_themselves(source, server, cache):
    download.fetch(source)
    server.asked.clear()
    for name in list(CONTENTS)[:2]:
        (cache / "made" / name).unlink()
    download.fetch(source)
    assert server.asked == ["/sounds/0.wav", "/sounds/1.wav"]


def _written(path) -> tuple[int, int]:
    """Which file it is, and when it was written: reading it changes neither."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns


def test_what_lies_in_the_data_folder_stays_and_the_rest_joins_it(
    source, server, cache, tmp_path, monkeypatch
):
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(tmp_path / "data"))
    first = put(tmp_path / "data/made/sounds/0.wav", CONTENTS["sounds/0.wav"])
    before = _written(first)
    assert set(download.fetch(source).values()) == set(files_under(tmp_path / "data"))
    assert _written(first) == before
    assert not cache.exists()


def _outside(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def _link(name: str, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info


FEWER = dict(list(MEMBERS.items())[1:])
BAD = {
    "a page": (b"<html>sign in</html>", "it is damaged, or no gzipped tar file"),
    "nothing": (b"", "it is damaged, or no gzipped tar file"),
    "a path outside": (tarball(MEMBERS, _outside("top/../../evil")), "a member outside"),
    "an absolute path": (tarball(MEMBERS, _outside("/tmp/evil")), "a member outside"),
    "a missing member": (tarball(FEWER), "it lacks 1 of 30 files, sounds/0.wav for one"),
    "a link for a member": (
        tarball(FEWER, _link("top-1a2b/sounds/0.wav", "/etc/passwd")),
        "it lacks 1 of 30 files",
    ),
    "another content": (
        tarball({**MEMBERS, "top-1a2b/sounds/3.wav": b"\x04" * 203}),
        "its sounds/3.wav has another sha256",
    ),
    "another size": (
        tarball({**MEMBERS, "top-1a2b/sounds/3.wav": b"\x03" * 10**6}),
        "its sounds/3.wav has 1,000,000 bytes, not 203",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_archive_is_one_clear_line_and_what_is_placed_is_right(kind, source, server, cache):
    body, said = BAD[kind]
    server.answers["/all.tar.gz"] = [Answer(body)]
    with pytest.raises(SeqexpError) as caught:
        download.fetch(source)
    message = str(caught.value)
    for part in (said, server.url("/all.tar.gz"), "SEQEXP_DATA_DIR", "made/sounds/0.wav"):
        assert part in message
    assert "\n" not in message
    for place in files_under(cache.parent.parent):
        assert place.read_bytes() == CONTENTS[str(place.relative_to(cache / "made"))]


def test_an_archive_that_breaks_off_is_fetched_again(source, server, cache):
    torn = Answer(WHOLE, sent=len(WHOLE) // 2)
    unnoticed = Answer(WHOLE[: len(WHOLE) // 2], length=False)
    for first in (torn, unnoticed):
        server.asked.clear()
        server.answers["/all.tar.gz"] = [first, Answer(WHOLE)]
        assert len(download.fetch(source)) == 30
        assert server.asked == 2 * ["/all.tar.gz"]
        for place in files_under(cache):
            place.unlink()


def test_a_full_disk_leaves_whole_files_only(source, cache, monkeypatch):
    placed, so_far = archives.placed, []

    def full_after_three(place: Path):
        so_far.append(place)
        if len(so_far) > 3:
            raise OSError(ENOSPC, "No space left on device")
        return placed(place)

    monkeypatch.setattr(archives, "placed", full_after_three)
    with pytest.raises(SeqexpError, match="No space left on device; unpack it by hand"):
        download.fetch(source)
    assert sorted(files_under(cache)) == sorted(so_far[:3])


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, len(WHOLE) - 1), st.booleans())
def test_wherever_an_archive_is_cut_or_damaged_no_wrong_file_is_placed(at, cut):
    damaged = WHOLE[:at] if cut else WHOLE[:at] + bytes([WHOLE[at] ^ 255]) + WHOLE[at + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        source = made({name: ("", content) for name, content in CONTENTS.items()})
        wanted = {
            file.path.removeprefix("made/"): archives.Wanted(file, Path(folder) / file.path)
            for file in source.files
        }
        try:
            archives.unpack(io.BytesIO(damaged), wanted)
        except Unavailable:
            pass
        else:
            assert len(files_under(Path(folder))) == 30
        for place in files_under(Path(folder)):
            content = CONTENTS[str(place.relative_to(Path(folder) / "made"))]
            assert place.read_bytes() == content
