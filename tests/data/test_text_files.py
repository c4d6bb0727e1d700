"""UTF-8 text files: what is read, and the line that is named where it can't be."""

import gzip
import re
from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqexp.data.text_files import hash_file, read_lines, read_plain_text, read_text
from seqexp.types import SeqexpError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
few = settings(deadline=None, derandomize=True, max_examples=60)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("text") / "text.txt"


@few
@given(TEXT)
@example("\x85\u2028\x0b\x1c\r")
def test_text_comes_back_but_for_the_ends_of_lines(path, text):
    path.write_bytes(text.encode())
    assert read_text(path) == text.removeprefix("\ufeff").replace("\r\n", "\n")


@few
@given(st.lists(TEXT.map(lambda text: re.sub("[\r\n]", "\x85", text)), min_size=1, max_size=4))
@example(["", ""])
def test_lines_end_in_line_feeds_alone(path, lines):
    lines[0] = lines[0].removeprefix("\ufeff")
    lines[-1] += "."  # else no line, where the file ends in a line feed
    for end in (b"\n", b"\r\n"):
        for last in (b"", end):
            path.write_bytes(end.join(line.encode() for line in lines) + last)
            assert list(read_lines(path)) == list(enumerate(lines, 1))


@few
@given(
    st.lists(TEXT, max_size=3), st.sampled_from([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"])
)
def test_bytes_that_are_no_utf8_are_refused_by_line(path, before, wrong):
    path.write_bytes("\n".join(before).encode() + wrong + b"\nmore")
    line = "\n".join(before).count("\n") + 1
    with pytest.raises(SeqexpError, match=rf"text.txt, line {line}: byte 0x.. is not UTF-8"):
        read_text(path)


def test_a_byte_order_mark_is_dropped_at_the_beginning_alone(path):
    path.write_bytes(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo")
    assert list(read_lines(path)) == [(1, "one"), (2, "\ufefftwo")]


def test_an_empty_file_has_no_lines(path):
    path.write_bytes(b"")
    assert list(read_lines(path)) == []
    path.write_bytes(b"\n")
    assert list(read_lines(path)) == []
    path.write_bytes(b"\n\n")
    assert list(read_lines(path)) == [(1, ""), (2, "")]


def test_other_encodings_and_nul_bytes_are_refused(path):
    path.write_bytes("text".encode("utf-16"))
    with pytest.raises(SeqexpError, match="line 1: byte 0xff is not UTF-8"):
        read_text(path)
    path.write_bytes(b"one\ntw\0o")
    with pytest.raises(SeqexpError, match="line 2: a NUL byte"):
        read_text(path)


def test_archives_are_decompressed_and_broken_ones_refused(tmp_path):
    path = tmp_path / "text.txt.gz"
    whole = gzip.compress("crème brûlée\n".encode())
    path.write_bytes(whole)
    assert read_text(path) == "crème brûlée\n"
    corrupt = bytearray(whole)
    corrupt[-6] ^= 1  # of the checksum
    for broken in (whole[:-9], whole[:5], corrupt, b"no archive"):
        path.write_bytes(broken)
        with pytest.raises(SeqexpError, match="text.txt.gz is no whole gzip archive"):
            read_text(path)


def test_files_that_cannot_be_read_are_named(tmp_path):
    for reader in (read_text, hash_file):
        with pytest.raises(SeqexpError, match="absent can't be read: No such file"):
            reader(tmp_path / "absent")
        with pytest.raises(SeqexpError, match="can't be read"):
            reader(tmp_path)


@pytest.mark.parametrize("content", ["", "\ufeff", " \n\t"])
def test_plain_text_is_no_blank(path, content):
    path.write_bytes(content.encode())
    with pytest.raises(SeqexpError, match="text.txt holds no text"):
        read_plain_text(path)


def test_plain_text_is_the_whole_text(path):
    path.write_bytes(b"\n to be,\r\nor not ")
    assert read_plain_text(path) == "\n to be,\nor not "


def test_a_hash_is_of_the_bytes_on_disk(tmp_path):
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"a\r\n"))
    assert hash_file(path) == sha256(path.read_bytes()).hexdigest()
