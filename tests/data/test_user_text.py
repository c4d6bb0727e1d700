"""Which reader a path asks for, and hashes that do not depend on where data lies."""

import gzip
from hashlib import sha256

import pytest

from seqexp.data.text_examples import Columns
from seqexp.data.user_text import read_examples, text_hashes
from seqexp.types import SeqexpError

NAMED = Columns("text", "label")
CONTENTS = {
    "a.tsv": "text\tlabel\nx\ty\n",
    "a.CSV": "text,label\nx,y\n",
    "a.jsonl": '{"text": "x", "label": "y"}',
    "a.ndjson": '{"text": "x", "label": "y"}',
}


@pytest.mark.parametrize("name", CONTENTS)
def test_the_end_of_the_name_is_the_format(tmp_path, name):
    path = tmp_path / name
    path.write_text(CONTENTS[name])
    ((text, label, _),) = read_examples(path, NAMED)
    assert (text, label) == ("x", "y")
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert [example[:2] for example in read_examples(packed, NAMED)] == [("x", "y")]
    other = path.rename(tmp_path / "table")
    format = path.suffix[1:].lower().replace("ndjson", "jsonl")
    assert len(read_examples(other, NAMED, format=format)) == 1


def test_a_folder_is_one_of_classes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_text(name)
    assert [example[:2] for example in read_examples(tmp_path)] == [("a", "a"), ("b", "b")]
    with pytest.raises(SeqexpError, match="which has no columns"):
        read_examples(tmp_path, NAMED)


def test_formats_that_cannot_be_told_are_refused(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("a\tb\n")
    with pytest.raises(SeqexpError, match="neither a folder nor ends in .tsv, .csv"):
        read_examples(path, NAMED)
    with pytest.raises(SeqexpError, match="needs columns"):
        read_examples(path, format="tsv")
    with pytest.raises(
        SeqexpError, match="no format 'xml' of text: choose folder, tsv, csv, jsonl"
    ):
        read_examples(path, NAMED, format="xml")  # type: ignore[arg-type]


def test_hashes_of_files_by_split(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"x\n")
    assert text_hashes({"train": path, "valid": None}) == {"train": sha256(b"x\n").hexdigest()}
    with pytest.raises(SeqexpError, match="absent can't be read"):
        text_hashes({"test": tmp_path / "absent"})


def test_the_hash_of_a_folder_is_of_what_is_read(tmp_path):
    def made(folder: str, first: str) -> str:
        for name in ("a", "b"):
            (tmp_path / folder / name).mkdir(parents=True)
            (tmp_path / folder / name / "1.txt").write_text("x")
        (tmp_path / folder / first).write_text("x")
        (found,) = text_hashes({"train": tmp_path / folder}).values()
        return found

    plain = made("one", "a/1.txt")
    assert made("two", "README") == plain
    assert len({plain, made("three", "a/2.txt"), made("four", "b/2.txt")}) == 3
    (tmp_path / "two" / "a" / "1.txt").write_text("y")
    assert text_hashes({"train": tmp_path / "two"}) != {"train": plain}
