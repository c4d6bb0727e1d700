"""idx files, written here by their specification."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from seqexp.data.idx import TYPES, read_idx
from seqexp.types import SeqexpError


def written(values: np.ndarray, kind: int) -> bytes:
    head = struct.pack(">BBBB", 0, 0, kind, values.ndim) + struct.pack(
        f">{values.ndim}I", *values.shape
    )
    return head + values.astype(TYPES[kind]).tobytes()


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    values=arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=4)),
    kind=st.sampled_from(sorted(TYPES)),
    zipped=st.booleans(),
)
def test_what_is_written_is_read(tmp_path_factory, values, kind, zipped):
    values = values // 2  # also an int8
    path = tmp_path_factory.mktemp("idx") / ("file.gz" if zipped else "file")
    content = written(values, kind)
    path.write_bytes(gzip.compress(content) if zipped else content)
    found = read_idx(path)
    assert found.dtype.isnative and found.shape == values.shape
    np.testing.assert_array_equal(found, values)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(cut=st.integers(0, 15))
def test_a_file_that_is_cut_off_is_refused(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(written(np.zeros((2, 2)), 0x08)[:cut])
    with pytest.raises(SeqexpError, match="no idx file|cut off"):
        read_idx(path)


def test_surplus_bytes_are_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(written(np.zeros(3), 0x08) + b"\0")
    with pytest.raises(SeqexpError, match="12 bytes, but its head asks for 11"):
        read_idx(path)


@pytest.mark.parametrize("content", [b"", b"PNG\0\0\0\0\0", b"\0\0\x07\1\0\0\0\0"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(SeqexpError, match="no idx file"):
        read_idx(tmp_path / "file")


def test_a_torn_archive_and_a_missing_file_are_refused(tmp_path):
    (tmp_path / "file.gz").write_bytes(gzip.compress(written(np.zeros(99), 0x08))[:-9])
    with pytest.raises(SeqexpError, match="can't be unpacked"):
        read_idx(tmp_path / "file.gz")
    with pytest.raises(SeqexpError, match="is not there"):
        read_idx(tmp_path / "other")
