"""Series in CSV files: columns, times, missing values, and where a mistake is."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.series_files import read_series
from seqexp.types import SeqexpError


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes, *arguments, **options):
        path = tmp_path / "a.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_series(path, *arguments, **options)

    return read


CONTENT = "date,x,note,y\n2016-07-01 00:00:00,1,a,2\n2016-07-01 01:00:00,,b,NaN\n"


def test_columns_are_chosen_by_name_in_the_order_asked_for(read):
    found = read(CONTENT, ["y", "x"], time="date")
    assert found.names == ("y", "x")
    np.testing.assert_array_equal(found.values, [[2, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(found.mask, [[True, True], [False, False]])
    hours = np.array(["2016-07-01T00", "2016-07-01T01"], "datetime64[us]")
    np.testing.assert_array_equal(found.times, hours)


def test_all_columns_but_the_times(read):
    found = read("x;t;y\n1;0.5;na\n-2e-1;0.75; 3 \n", time="t", delimiter=";")
    assert found.names == ("x", "y")
    np.testing.assert_array_equal(found.values, [[1, np.nan], [-0.2, 3]])
    np.testing.assert_array_equal(found.times, [0.5, 0.75])
    assert read("x\n1\n").times is None


def test_times_of_several_zones_are_compared_as_one(read):
    found = read("t,x\n2020-01-01T12:00+02:00,1\n2020-01-01T11:00Z,2\n", time="t")
    assert [str(each) for each in found.times] == [
        "2020-01-01T10:00:00.000000",
        "2020-01-01T11:00:00.000000",
    ]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    data=st.data(),
    D=st.integers(1, 3),
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_whatever_is_written_is_read(data, D, newline, quoting, tmp_path_factory):
    number = st.floats(allow_infinity=False, width=64)
    rows = data.draw(st.lists(st.lists(number, min_size=D, max_size=D), min_size=1, max_size=5))
    names = data.draw(
        st.lists(st.text('ab ",;\u00e9', min_size=1).map(str.strip), min_size=D, max_size=D)
        .filter(all)
        .filter(lambda names: len(set(names)) == D)
    )
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator=newline, quoting=quoting).writerows([names, *rows])
    found = read_series(path)
    assert found.names == tuple(names) and found.times is None
    np.testing.assert_array_equal(found.values, rows)


@pytest.mark.parametrize(
    "content, options, said",
    [
        ("", {}, "is empty: its first line must name"),
        ("x,y\n", {}, "has no rows"),
        ("x,y\n1,2\n3,4o\n", {}, "line 3, column 'y': '4o' is no finite number"),
        ("x,y\n1,inf\n", {}, "line 2, column 'y': 'inf'"),
        ("x,y\n1_0,1\n", {}, "line 2, column 'x': '1_0'"),
        ('x,y\n"1,5",1\n', {}, "column 'x': '1,5'"),
        ("x,y\n1\n", {}, "line 2: 1 fields where the first line names 2"),
        ("x,x\n1,2\n", {}, "line 1: each column needs a name of its own"),
        ("x,\n1,2\n", {}, "line 1: each column needs a name"),
        ("x\n1\n\n3\n", {}, "line 3 is blank: write NaN"),
        (b"x\n1\n\xff\n", {}, "line 3: byte 0xff is not UTF-8"),
        ("x,y\n1,2\n", {"columns": ["z"]}, "no column 'z': choose among x, y"),
        ("x,y\n1,2\n", {"columns": []}, "name one or more columns"),
        ("x,y\n1,2\n", {"columns": ["x", "x"]}, "each once"),
        ("x,y\n1,2\n", {"columns": ["x"], "time": "x"}, "is the column of times"),
        ("x\n1\n", {"time": "x"}, "name one or more columns"),
        ("x,y\n1,2\n", {"time": "t"}, "no column 't'"),
        ("t,y\n1,2\n1,3\n", {"time": "t"}, "line 3, column 't': times must ascend"),
        ("t,y\n1,2\n,3\n", {"time": "t"}, "line 3, column 't': '' is no number"),
        ("t,y\n01/02/2016,2\n", {"time": "t"}, "'01/02/2016' is no time in ISO 8601"),
        ("x,y\n1,2\n", {"delimiter": ""}, "the delimiter must be one character"),
    ],
)
def test_mistakes_are_named_with_their_place(read, content, options, said):
    with pytest.raises(SeqexpError, match=said) as raised:
        read(content, **options)
    assert "\n" not in str(raised.value)


def test_the_electricity_transformer():
    path = Path(os.environ.get("SEQEXP_DATA_DIR", "unset")) / "ett" / "ETTh1.csv"
    if not path.is_file():
        pytest.skip("SEQEXP_DATA_DIR names no folder with ett/ETTh1.csv")
    found = read_series(path, time="date")
    assert found.names == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert found.values.shape == (17_420, 7) and found.mask.all() and found.times is not None
    assert set(np.diff(found.times)) == {np.timedelta64(1, "h")}
