"""A growing file read piece by piece holds what the file read at once holds."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.runs.growing import GrowingLines
from seqexp.runs.store import read, truncate_after
from seqexp.watch.curves import Curves


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.lists(st.integers(0, 10**6), max_size=12), st.lists(st.integers(0, 400), max_size=6))
def test_any_pieces_are_the_whole(tmp_path_factory, values, cuts):
    """Wherever the writer stood at each look: in a line, in a number, at its end."""
    path = tmp_path_factory.mktemp("lines") / "metrics.jsonl"
    whole = "".join(json.dumps({"step": i, "x": x}) + "\n" for i, x in enumerate(values)).encode()
    lines, found = GrowingLines(path), []
    for cut in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[: min(cut, len(whole))])
        news = lines.news()
        assert not news.anew
        found += news.records
    assert found == read(path)
    assert lines.news().records == []


def test_a_torn_line_waits_for_its_end(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 10}\n{"step": 20')
    lines = GrowingLines(path)
    assert lines.news().records == [{"step": 10}]
    # The writer that goes on cuts it off first, so that the file is shorter for a moment.
    path.write_text('{"step": 10}\n')
    assert lines.news() == ([], False)
    path.write_text('{"step": 10}\n{"step": 21}\n')
    assert lines.news() == ([{"step": 21}], False)


def test_a_file_in_the_place_of_another_is_read_from_its_start(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {s}}}\n' for s in (10, 20, 30)))
    lines = GrowingLines(path)
    lines.news()
    truncate_after(path, 20)  # as a run does that goes on from a checkpoint
    assert lines.news() == ([{"step": 10}, {"step": 20}], True)
    path.unlink()
    assert lines.news() == ([], True)
    assert lines.news() == ([], False)
    path.write_text('{"step": 5}\n')
    assert lines.news() == ([{"step": 5}], False)


def test_a_file_that_was_written_over_is_noticed(tmp_path):
    """In place, and longer than before: as copies of records may be brought up to date."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 10}\n')
    lines = GrowingLines(path)
    lines.news()
    path.write_text('{"step": 11}\n{"step": 22}\n')
    assert lines.news() == ([{"step": 11}, {"step": 22}], True)


def test_lines_that_hold_no_record_are_passed_over(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 10}\n[1]\n{"st\n\n{"step": 20}\n')
    assert GrowingLines(path).news().records == [{"step": 10}, {"step": 20}]


def curves_of(tmp_path, *records):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    curves = Curves(path)
    curves.read()
    return path, curves


def test_a_metric_may_come_late_and_values_may_be_missing(tmp_path):
    _, curves = curves_of(
        tmp_path,
        {"step": 1, "valid/mse": 0.5},
        {"step": 2, "train/mse": 0.3, "valid/mse": float("nan")},
        {"step": 3, "valid/mse": "much", "valid/f1": 1},
        {"step": 4, "train/mse": None},
    )
    assert curves.piece("mse", 0, 0)[1:] == (
        *(0, [1, 2, 3, 4]),
        *([None, 0.3, None, None], [0.5, None, None, None]),
    )
    assert curves.piece("f1", 0, 2)[1:] == (2, [3, 4], [None, None], [1, None])
    assert curves.piece("no", 0, 3).valid == [None]
    assert curves.metrics == {"mse", "f1"}
    assert curves.best("mse", "min") == (0.5, 1) and curves.best("no", "max") is None


def test_the_best_is_the_first_of_equals_in_its_direction(tmp_path):
    _, curves = curves_of(
        tmp_path, *({"step": i, "valid/x": x} for i, x in enumerate([2, 1, 3, 1, 3]))
    )
    assert curves.best("x", "min") == (1, 1)
    assert curves.best("x", "max") == (3, 2)


def test_a_step_that_comes_again_takes_back_what_follows(tmp_path):
    path, curves = curves_of(tmp_path, *({"step": s, "valid/x": s} for s in (10, 20, 30)))
    with open(path, "a") as file:
        file.write('{"step": 20, "valid/x": 7}\n')
    curves.read()
    # Whoever knows three points of the first generation is told all of the second.
    assert curves.piece("x", 0, 3) == (1, 0, [10, 20], [None, None], [10, 7])
    assert curves.piece("x", 1, 1) == (1, 1, [20], [None], [7])
