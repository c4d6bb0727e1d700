"""`rerun=always` has an end, however often it is interrupted."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from seqexp.runs.manifest import manifest
from seqexp.runs.record import RunRecord
from seqexp.sweeps import execute, rerun
from tests.sweeps.tiny import TINY
from tests.test_configs import point

module = importlib.import_module("seqexp.sweeps.execute")


class Trained(list[str]):
    """Stands for `run_group`: notes the models that it was asked to train, and is killed at one."""

    killed_at = ""

    def __call__(self, group, members, mirror, *_) -> dict[str, str]:
        for member in members:
            if member.info.model == self.killed_at:
                raise KeyboardInterrupt
            self.append(member.info.model)
            runs_dir = member.directory.parent.parent
            now = manifest("cpu", member.data_hashes)
            record = RunRecord.create(runs_dir, member.info, now, mirror)
            record.finish(9, {"accuracy": 0.5}, {"accuracy": 0.5})
        return {}


@pytest.fixture
def trained(monkeypatch) -> Trained:
    stub = Trained()
    monkeypatch.setattr(module, "run_group", stub)
    return stub


def swept(folder: Path, *models: str) -> list[str]:
    asked = [*TINY, f"runs_dir={folder}", "study=a", "rerun=always"]
    return [outcome.status for outcome in execute([point(*asked, f"model={m}") for m in models])]


def test_a_rerun_goes_on_where_it_was_killed_and_the_next_begins_anew(tmp_path, trained, capsys):
    assert swept(tmp_path, "rnn", "gru") == ["finished", "finished"]
    for _ in range(2):
        trained.killed_at = "gru"
        with pytest.raises(KeyboardInterrupt):
            swept(tmp_path, "rnn", "gru")
    assert trained == ["rnn", "gru", "rnn"], "once more, not once a start"
    trained.killed_at = ""
    capsys.readouterr()
    assert swept(tmp_path, "rnn", "gru") == ["skipped", "finished"]
    said = " ".join(capsys.readouterr().err.split())
    assert "rerun=always goes on" in said and "trained again before" in said
    assert trained == ["rnn", "gru", "rnn", "gru"]
    assert swept(tmp_path, "rnn", "gru") == ["finished", "finished"]
    assert not list((tmp_path / "a").glob(".rerun-*"))


def test_another_command_and_other_code_begin_anew(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(rerun.Rerun, "ended", lambda self: None)  # as if killed just before
    assert swept(tmp_path, "rnn") == ["finished"]
    assert swept(tmp_path, "rnn") == ["skipped"]
    assert swept(tmp_path, "rnn", "gru") == ["finished", "finished"]
    monkeypatch.setattr(rerun, "source_hash", lambda: "0123456789abcdef")
    assert swept(tmp_path, "rnn") == ["finished"]


def test_a_damaged_note_is_as_none(tmp_path, trained):
    trained.killed_at = "gru"
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, "rnn", "gru")
    (note,) = (tmp_path / "a").glob(".rerun-*")
    note.write_text("garbage\n")
    trained.killed_at = ""
    assert swept(tmp_path, "rnn", "gru") == ["finished", "finished"]
