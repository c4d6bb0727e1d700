"""`seqexp inspect`: runs that are finished and others, a study's, and what can't be inspected."""

from __future__ import annotations

import pytest

from seqexp.runs.inspection_writing import write_inspection
from seqexp.runs.inspections import read_arrays, read_inspections
from seqexp.runs.locks import Locks
from seqexp.runs.record import RunRecord
from tests.sweeps.tiny import TINY, runs, seqexp

SMALL = ["examples=4", "level=light"]

pytestmark = pytest.mark.usefixtures("free")


def test_finished_runs_are_inspected_at_their_best_step_and_others_at_their_last(
    tmp_path, monkeypatch, capfd
):
    one = ["run", *TINY, "model=rnn", "study=a", f"runs_dir={tmp_path}"]

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            seqexp(*one)
    ((id, run),) = runs(tmp_path / "a").items()
    folder = tmp_path / "a" / id
    assert run["status"] == "running"
    assert seqexp("inspect", str(folder), *SMALL) == 0
    (line,) = read_inspections(folder)
    assert line["step"] == 9 and line["level"] == "light"
    assert line["update_norm/layer_1"] > 0, "the checkpoint has the state of the optimizer"

    assert seqexp(*one, "optimizer.learning_rate=0.5") == 0
    capfd.readouterr()
    assert seqexp("inspect", str(tmp_path / "a"), *SMALL) == 0
    assert capfd.readouterr().out.count(".npz: light, ") == 2
    (finished,) = [path for path in (tmp_path / "a").glob("[0-9a-f]*") if path.name != id]
    (line,) = read_inspections(finished)
    assert line["step"] == runs(tmp_path / "a")[finished.name]["score"]["step"]
    assert "update_norm" in line["not_defined"]
    assert read_arrays(finished, line["step"])["outputs"].shape == (4, 10)

    before = (folder / "inspection.jsonl").read_bytes()
    with Locks(tmp_path / "a") as locks:
        assert locks.take(id) is None
        assert seqexp("inspect", str(folder), *SMALL) == 2
        said = capfd.readouterr().err
        assert f"{folder} is being trained or inspected by process" in said
        assert (folder / "inspection.jsonl").read_bytes() == before
    write_inspection(folder, {"step": 9, "level": "full"}, {})
    assert seqexp("inspect", str(folder), *SMALL) == 2
    assert "has a full inspection of step 9" in capfd.readouterr().err
    assert read_inspections(folder) == [{"step": 9, "level": "full"}]
    (folder / "inspection.jsonl").write_text("torn\n{}\n")
    assert seqexp("inspect", str(folder), *SMALL) == 0, "what is damaged is written anew"
    capfd.readouterr()

    (folder / "checkpoint.msgpack").unlink()
    (folder / "checkpoint.previous.msgpack").unlink(missing_ok=True)
    assert seqexp("inspect", str(tmp_path / "a"), *SMALL) == 1
    said = capfd.readouterr()
    assert said.out.count(".npz") == 1
    assert f"{folder}: not inspected: {folder} has no weights yet" in said.err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["nowhere"], "no run in nowhere: give the folder of a run"),
        (["level=light"], "no run given"),
        (["nowhere", "level=heavy"], "must be one of off, light, full, not 'heavy'"),
        (["nowhere", "level=off"], "choose light or full"),
        (["nowhere", "examples=few"], "inspect.examples must be a whole number"),
        (["nowhere", "every=2"], "no option every=: there are level, examples"),
        (["nowhere", "--video"], "no option --video"),
    ],
)
def test_mistakes_are_one_line(asked, said, capfd):
    assert seqexp("inspect", *asked) == 2
    line = capfd.readouterr().err
    assert said in line and line.count("\n") == 1
