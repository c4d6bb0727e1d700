"""Law 10: a training that is inspected is bitwise the one that is not, interrupted or not."""

from __future__ import annotations

import pytest

from seqexp.inspection.inspector import Inspector
from seqexp.runs.inspections import read_arrays, read_inspections
from seqexp.runs.record import RunRecord
from tests.inspection.kept_arrays import check
from tests.sweeps.tiny import TINY, deterministic, runs, seqexp

GROUP = ["sweep", *TINY, "seed=0,1", "study=a"]

pytestmark = pytest.mark.usefixtures("free")


def test_inspection_changes_nothing_and_goes_on_where_it_was(tmp_path, monkeypatch, capfd):
    group = [*GROUP, "model=gru"]
    assert seqexp(*group, f"runs_dir={tmp_path / 'off'}") == 0
    write, written = RunRecord.log_inspection, []

    def killed(record, line, *others, **options):
        write(record, line, *others, **options)
        written.append(line["step"])
        if len(written) == 3:  # Of the first member's second evaluation, not of the other's.
            raise KeyboardInterrupt

    inspected = [*group, "inspect=full", "inspect.every=1", "inspect.examples=4"]
    inspected.append(f"runs_dir={tmp_path / 'full'}")
    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "log_inspection", killed)
        with pytest.raises(KeyboardInterrupt):
            seqexp(*inspected)
    assert written == [3, 3, 6]
    assert seqexp(*inspected) == 0
    off, on = tmp_path / "off" / "a", tmp_path / "full" / "a"
    found, expected = deterministic(on), deterministic(off)
    results = [name for name in expected if not name.endswith("run.json")]  # "inspect" is in these
    assert len(results) == 4 and [found[name] == expected[name] for name in results] == [True] * 4
    for run, result in runs(off).items():
        assert runs(on)[run]["score"] == result["score"]
        for name in ("checkpoint.msgpack", "checkpoint.previous.msgpack"):
            assert (on / run / name).read_bytes() == (off / run / name).read_bytes()
        lines = read_inspections(on / run)
        assert [line["step"] for line in lines] == [3, 6, 9]
        assert (on / run / "inspection.jsonl").read_text().count("\n") == 3
        for line in lines:
            arrays = read_arrays(on / run, line["step"])
            assert line["level"] == "full" and "hidden/layer_1" in arrays
        line.pop("nonfinite", None)
        check({k: v if v is not None else float("nan") for k, v in line.items()}, arrays)
        assert not (off / run / "inspection").exists()
    assert "inspections (full) took" in capfd.readouterr().err


def test_an_inspection_that_fails_is_said_once_and_stops_no_training(tmp_path, monkeypatch, capfd):
    def broken(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(Inspector, "__call__", broken)
    one = ["run", *TINY, "model=rnn", "study=a", f"runs_dir={tmp_path}"]
    assert seqexp(*one, "inspect=light", "inspect.every=1") == 0
    assert capfd.readouterr().err.count("not inspected any more: MemoryError: no room") == 1
    (run,) = runs(tmp_path / "a").values()
    assert run["status"] == "finished"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["inspect=some"], "there are full, light, off"),
        (["inspect=false"], "write inspect=off"),
        (["inspect=light", "inspect.level=false"], "must be one of off, light, full, not false"),
        (["inspect=light", "inspect.every=0"], "inspect.every must be a whole number"),
        (["inspect.every=2"], "no key inspect.every"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(tmp_path, capfd, asked, said):
    assert seqexp("run", *TINY, "model=rnn", f"runs_dir={tmp_path}", *asked) == 2
    line = capfd.readouterr().err
    assert said in line and line.count("\n") == 1


def test_off_and_null_are_the_same_run(tmp_path):
    one = ["run", *TINY, "model=rnn", "study=a", f"runs_dir={tmp_path}"]
    assert seqexp(*one, "inspect=null") == 0
    assert seqexp(*one, "inspect=off") == 0
    assert len(runs(tmp_path / "a")) == 1
