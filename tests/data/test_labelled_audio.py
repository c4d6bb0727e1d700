"""Recordings as examples: by folder, by name and by table, told apart by their bytes."""

from __future__ import annotations

from hashlib import sha256

import pytest

from seqexp.data.labelled_audio import labelled_audio
from seqexp.types import SeqexpError


@pytest.fixture
def folder(tmp_path):
    for name, content in {"dog/1-a.wav": b"one", "cat/2-b.wav": b"two"}.items():
        path = tmp_path / "sounds" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    return tmp_path / "sounds"


def found(*arguments, **named) -> list[tuple[object, object]]:
    return [(text, label) for text, label, _ in labelled_audio(*arguments, **named)]


def test_all_three_tell_the_same(folder):
    by_bytes = {label: sha256(content).hexdigest() for label, content in HELD.items()}
    assert found(folder) == [(by_bytes["cat"], "cat"), (by_bytes["dog"], "dog")]
    assert [label for _, label in found(folder, r"\d-(\w)")] == ["b", "a"]
    table = folder.parent / "labels.CSV"
    table.write_text("what,file\ncat,sounds/cat/2-b.wav\ndog,sounds/dog/1-a.wav\n")
    by_table = found(table, path_column="file", label_column="what")
    assert by_table == found(folder)


HELD = {"dog": b"one", "cat": b"two"}


def test_paths_that_are_neither_are_refused(folder, tmp_path):
    table = tmp_path / "labels.txt"
    table.touch()
    with pytest.raises(SeqexpError, match=r"neither a folder nor a \.csv table"):
        labelled_audio(table)
    with pytest.raises(SeqexpError, match="is not there, or is no folder"):
        labelled_audio(tmp_path / "nowhere")
    table = table.rename(tmp_path / "labels.csv")
    with pytest.raises(SeqexpError, match="leave the pattern out"):
        labelled_audio(table, r"(\d)")
