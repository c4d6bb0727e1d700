"""A folder of one subfolder a class."""

import pytest

from seqexp.data.class_folders import class_files, read_class_folder
from seqexp.types import SeqexpError


@pytest.fixture
def folder(tmp_path):
    for name, content in {
        "good/2.txt": "fine\r\nindeed\r\n\n",
        "good/10.TXT": "\ufeff great",
        "bad/1.txt": "no",
        "bad/notes.md": "not a text",
        ".cache/1.txt": "hidden",
        "bad/.hidden.txt": "hidden",
        "README.txt": "beside the classes",
    }.items():
        place = tmp_path / "texts" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode())
    return tmp_path / "texts"


def test_the_label_is_the_folder(folder):
    assert read_class_folder(folder) == (
        ("no", "bad", str(folder / "bad" / "1.txt")),
        (" great", "good", str(folder / "good" / "10.TXT")),
        ("fine\nindeed", "good", str(folder / "good" / "2.txt")),
    )
    assert [place.name for place in class_files(folder)] == ["1.txt", "10.TXT", "2.txt"]


def test_what_does_not_fit_is_refused(folder):
    (folder / "bad" / "deep.txt").mkdir()
    with pytest.raises(SeqexpError, match="deep.txt is a folder inside of a class"):
        read_class_folder(folder)
    (folder / "bad" / "deep.txt").rmdir()
    (folder / "ugly").mkdir()
    with pytest.raises(SeqexpError, match="ugly is a class without a .txt file"):
        read_class_folder(folder)
    (folder / "ugly" / "1.txt").write_bytes(b"\n\n")
    with pytest.raises(SeqexpError, match="1.txt: the text is empty"):
        read_class_folder(folder)
    (folder / "ugly" / "1.txt").write_bytes(b"one\n\xff")
    with pytest.raises(SeqexpError, match="1.txt, line 2: byte 0xff is not UTF-8"):
        read_class_folder(folder)


def test_folders_without_classes_are_refused(folder):
    with pytest.raises(SeqexpError, match="a folder for each class, at least 2, but has 0"):
        read_class_folder(folder / "good")
    with pytest.raises(SeqexpError, match="absent can't be read"):
        read_class_folder(folder / "absent")
    with pytest.raises(SeqexpError, match="can't be read"):
        read_class_folder(folder / "README.txt")
