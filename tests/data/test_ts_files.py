"""The `.ts` files of the archives: what is read, and where a mistake is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.ts_files import read_ts
from seqexp.types import SeqexpError


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes):
        path = tmp_path / "a.ts"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_ts(path)

    return read


def test_the_example_of_the_docstring(read):
    found = read(
        "# about\n@problemName Walks\n@timeStamps false\n@univariate false\n@dimensions 2\n"
        "@classLabel true walk run\n@data\n0.5,?,1.5:3,3,4:walk\n"
    )
    assert found.labels == ("walk",) and found.classes == ("walk", "run")
    np.testing.assert_array_equal(found.series[0], [[0.5, 3], [np.nan, 3], [1.5, 4]])


def test_bytes_that_vary_between_archives(read):
    """A byte order mark, CRLF, tags in capitals, comments in Latin-1 and blank lines anywhere."""
    found = read(
        b"\xef\xbb\xbf# caf\xe9\r\n\r\n@UNIVARIATE TRUE\r\n@classlabel True 1 2\r\n%x\r\n@DATA\r\n"
        b"1, 2 ,NaN:2\r\n\r\n#c\r\n-1e3:1"
    )
    assert found.labels == ("2", "1")
    np.testing.assert_array_equal(found.series[0], [[1], [2], [np.nan]])
    np.testing.assert_array_equal(found.series[1], [[-1000]])


def test_no_labels_and_labels_that_are_numbers(read):
    assert read("@classLabel false\n@data\n1,2\n")[1:] == ((), ())
    assert read("@targetlabel true\n@data\n1,2:0.5\n")[1:] == (("0.5",), ())


@settings(deadline=None, derandomize=True, max_examples=60)
@given(data=st.data(), D=st.integers(1, 3), newline=st.sampled_from(["\n", "\r\n"]))
def test_whatever_is_written_is_read(data, D, newline, tmp_path_factory):
    number = st.floats(allow_infinity=False, width=64)
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    series = [
        np.array(data.draw(st.lists(number, min_size=t * D, max_size=t * D))).reshape(t, D)
        for t in lengths
    ]
    labels = data.draw(
        st.lists(st.sampled_from("ab"), min_size=len(lengths), max_size=len(lengths))
    )
    cases = [
        ":".join(",".join("?" if np.isnan(v) else repr(float(v)) for v in row) for row in each.T)
        for each in series
    ]
    lines = [f"@dimensions {D}", "@equalLength false", "@classLabel true a b", "@data"]
    lines += [f"{case}:{label}" for case, label in zip(cases, labels, strict=True)]
    path = tmp_path_factory.mktemp("ts") / "a.ts"
    path.write_bytes((newline.join(lines) + newline).encode())
    found = read_ts(path)
    assert found.labels == tuple(labels) and found.classes == ("a", "b")
    for one, other in zip(found.series, series, strict=True):
        np.testing.assert_array_equal(one, other)


HEADER = "@univariate true\n@classLabel true a b\n"


@pytest.mark.parametrize(
    "content, said",
    [
        ("", "holds no series"),
        (HEADER, "holds no series"),
        (HEADER + "@data\n", "holds no series"),
        (HEADER + "1,2:a\n", "line 3: a tag is expected"),
        (HEADER + "@data\n1,2:c\n", "line 4: 'c' is none of the classes, a, b"),
        (HEADER + "@data\n1,2:a\n1,x:b\n", "line 5: dimension 1, step 2 is 'x'"),
        (HEADER + "@data\n1,inf:a\n", "step 2 is 'inf'"),
        (HEADER + "@data\n1,1_0:a\n", "step 2 is '1_0'"),
        (HEADER + "@data\n1,,2:a\n", "step 2 is ''"),
        (HEADER + "@data\n:a\n", "line 4: dimension 1, step 1 is ''"),
        (HEADER + "@data\n1,2\n", "line 4: '1,2' is none of the classes"),
        (HEADER + "@data\n1:2:a\n", "line 4: 2 dimensions, where there should be 1"),
        (HEADER + "@missing false\n@data\n1,?:a\n", "line 5: dimension 1, step 2 is missing"),
        (HEADER + "@equalLength true\n@data\n1:a\n1,2:a\n", "line 6: 2 steps, .* should have 1"),
        (HEADER + "@seriesLength 3\n@data\n1,2:a\n", "line 5: 2 steps, .* should have 3"),
        (HEADER + "@dimensions 2\n@data\n1:2:a\n", "line 4: @univariate and @dimensions contra"),
        (HEADER + "@targetLabel true\n@data\n1:a\n", "line 4: there is both"),
        ("@data\n1,2:3\n", "lengths, \\[2, 1\\]"),
        ("@data\n1:2\n1\n", "line 3: 1 dimensions, where there should be 2"),
        ("@timeStamps true\n@data\n(0,1)\n", "line 2: @timeStamps true is not read"),
        ("@classLabel true\n@data\n1:a\n", "line 2: @classLabel true must name"),
        ("@targetLabel true\n@data\n1:a\n", "line 3: the label is 'a', no number"),
        ("@colour red\n@data\n1\n", "line 1: @colour is no tag"),
        ("@missing maybe\n@data\n1\n", "line 1: @missing is true or false, not 'maybe'"),
        ("@missing\n@data\n1\n", "line 1: @missing says nothing"),
        ("@dimensions 0\n@data\n1\n", "line 1: @dimensions needs a number"),
        (b"@data\n1\n\xff\n", "line 3: it is not UTF-8"),
        ("@data\n1\n@data\n2\n", "line 3: .*'@data'"),
    ],
)
def test_mistakes_are_named_with_their_line(read, content, said):
    with pytest.raises(SeqexpError, match=said) as raised:
        read(content)
    assert "a.ts" in str(raised.value) and "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SeqexpError, match=r"b\.ts is not there"):
        read_ts(tmp_path / "b.ts")


@pytest.mark.parametrize(
    "name, cases, lengths, D, classes",
    [
        ("JapaneseVowels_TRAIN", 270, (7, 26), 12, 9),
        ("JapaneseVowels_TEST", 370, (7, 29), 12, 9),
        ("ItalyPowerDemand_TRAIN", 67, (24, 24), 1, 2),
        ("ItalyPowerDemand_TEST", 1029, (24, 24), 1, 2),
    ],
)
def test_the_files_of_the_archives(name, cases, lengths, D, classes):
    path = Path(os.environ.get("SEQEXP_DATA_DIR", "unset")) / "tsc" / f"{name}.ts"
    if not path.is_file():
        pytest.skip(f"SEQEXP_DATA_DIR names no folder with tsc/{name}.ts")
    found = read_ts(path)
    steps = [len(each) for each in found.series]
    assert len(steps) == len(found.labels) == cases and len(set(found.labels)) == classes
    assert (min(steps), max(steps)) == lengths and {each.shape[1] for each in found.series} == {D}
    assert all(np.isfinite(each).all() for each in found.series)
