"""Labels of recordings: by folder, by name and by table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seqexp.data.audio_folder import labelled_by_folder, labelled_by_name, labelled_by_table
from seqexp.types import SeqexpError


@pytest.fixture
def folder(tmp_path):
    for name in ("two/b.wav", "one/deep/a.FLAC", "one/c.wav", "one/notes.txt", "one/.hidden.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "d.wav").touch()
    return tmp_path


def test_folders_say_the_labels(folder):
    found = [(path.name, label) for path, label in labelled_by_folder(folder)]
    assert found == [("c.wav", "one"), ("a.FLAC", "one"), ("b.wav", "two")]


def test_a_recording_beside_the_folders_is_refused(folder):
    (folder / "stray.wav").touch()
    with pytest.raises(SeqexpError, match="stray.wav is in no folder that says its label"):
        labelled_by_folder(folder)


def test_names_say_the_labels(tmp_path):
    for name in ("3_theo_7.wav", "0_george_10.wav"):
        (tmp_path / name).touch()
    found = labelled_by_name(tmp_path, r"(\d)_.*")
    assert [label for _, label in found] == ["0", "3"]
    with pytest.raises(SeqexpError, match="the name of .*0_george_10.wav has no label"):
        labelled_by_name(tmp_path, r"(\d)_[a-z]+_\d")


@pytest.mark.parametrize(
    "pattern, said", [("(", "no regular expr"), (r"\d", "and has 0"), ("(.)(.)", "has 2")]
)
def test_patterns_need_one_group(folder, pattern, said):
    with pytest.raises(SeqexpError, match=said):
        labelled_by_name(folder, pattern)


def test_folders_without_recordings_are_refused(tmp_path):
    for place, said in ((tmp_path, "holds no .wav or .flac"), (tmp_path / "x", "is not there")):
        with pytest.raises(SeqexpError, match=said):
            labelled_by_folder(place)


def table(folder: Path, content: bytes) -> Path:
    path = folder / "labels.csv"
    path.write_bytes(content)
    return path


def test_a_table_says_the_labels_in_its_order(folder):
    content = b'\xef\xbb\xbfspeaker,path,label\r\nx,two/b.wav,"yes, sir"\r\n\r\ny,one/c.wav,no\r\n'
    found = labelled_by_table(table(folder, content))
    assert [(path.name, label) for path, label in found] == [("b.wav", "yes, sir"), ("c.wav", "no")]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is empty"),
        (b"path,label\n", "lists no files"),
        (b"file,label\na,b\n", "has no column 'path': choose among file, label"),
        (b"path,label\none/c.wav,x,y\n", "line 2: 3 fields"),
        (b"path,label\none/c.wav,x\n\nnowhere.wav,x\n", "line 4: there is no file"),
        (b"path,label\none/c.wav, \n", "line 2: no label"),
        (b"path,label\none/c.wav,x\none/c.wav,y\n", "line 3: .* was listed before"),
        (b"path,label\none/c.wav,\xff\n", "line 2: byte 0xff is not UTF-8"),
        (b'path,label\none/c.wav,"x\n', "line 2: unexpected end"),
        (b"path,path\na,b\n", "line 1: each column needs a name"),
    ],
)
def test_mistakes_in_a_table_are_named_with_their_line(folder, content, said):
    with pytest.raises(SeqexpError, match=said) as raised:
        labelled_by_table(table(folder, content))
    assert "labels.csv" in str(raised.value)


def test_the_spoken_digits():
    folder = Path(os.environ.get("SEQEXP_DATA_DIR", "unset")) / "fsdd" / "recordings"
    if not folder.is_dir():
        pytest.skip("SEQEXP_DATA_DIR names no folder with fsdd/recordings")
    from seqexp.data.audio_files import read_audio

    found = labelled_by_name(folder, r"(\d)_[a-z]+_\d+")
    assert len(found) == 3000
    assert {label for _, label in found} == set("0123456789")
    samples, rate = read_audio(found[0].path)
    assert rate == 8000 and 1148 <= len(samples) <= 18_262
