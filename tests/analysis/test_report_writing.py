"""A report is written whole or not at all, and says in one line why not."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
from synthetic_records import known_scores, write_run, write_study

from seqexp.analysis import load, report
from seqexp.analysis.figures import Figure
from seqexp.analysis.findings import findings
from seqexp.analysis.report import write_report
from seqexp.analysis.table import tabulate
from seqexp.commands.main import main
from seqexp.types import SeqexpError


@pytest.fixture(autouse=True)
def with_one_figure(monkeypatch):
    """Drawings would take most of the time."""
    module = sys.modules[write_report.__module__]  # its name is also that of the function
    for kind in ("learning", "rate", "trial"):
        monkeypatch.setattr(module, f"{kind}_figures", lambda *_: [])
    one = Figure("costs", "Costs", "<svg></svg>", b"%PDF", 1, 1)
    monkeypatch.setattr(module, "cost_figures", lambda *_: [one])


class FullDisk:
    """The k-th file does not fit any more: half of it is there."""

    def __init__(self, monkeypatch, k: int) -> None:
        self.k, self.written = k, 0
        for name in ("write_text", "write_bytes"):
            monkeypatch.setattr(Path, name, self._write(getattr(Path, name)))

    def _write(self, original):
        def write(path, data, *more, **options):
            self.written += 1
            if self.written < self.k:
                return original(path, data, *more, **options)
            original(path, data[: len(data) // 2], *more, **options)
            raise OSError(errno.ENOSPC, "No space left on device")

        return write


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_on_a_full_disk_the_earlier_report_stays(tmp_path):
    study = tmp_path / "study"
    write_run(study, "gru", "adding", 0)
    report(study)
    before = contents(study / "report")
    folders = sorted(path.name for path in study.iterdir())
    write_run(study, "gru", "adding", 9)
    study_now = load(study)
    found = findings(study_now, tabulate(study_now))
    for k in range(1, len(before) + 1):
        with pytest.MonkeyPatch.context() as patch:
            FullDisk(patch, k)
            with pytest.raises(SeqexpError) as raised:
                write_report(found, study / "report")
        assert str(raised.value) == (
            f"cannot write to {study.resolve() / 'report'} (No space left on device); seqexp "
            "report STUDY --to FOLDER writes the report elsewhere"
        )
        assert contents(study / "report") == before
    assert sorted(path.name for path in study.iterdir()) == sorted([*folders, "gru-adding-9"])
    write_report(found, study / "report")
    assert contents(study / "report") != before


def test_a_report_is_written_elsewhere(tmp_path, capsys):
    study = write_study(tmp_path / "study", known_scores())
    (study / "report").write_text("somebody's")  # a folder can not be made here
    assert main(["report", str(study)]) == 2
    said = capsys.readouterr()
    assert "gru" in said.out  # the table is there all the same
    [line] = said.err.splitlines()
    assert "--to FOLDER" in line and "report (it is a file)" in line
    for to in ("elsewhere", "elsewhere", "a/new/one"):
        assert main(["report", str(study), "--to", str(tmp_path / to)]) == 0
        page = tmp_path / to / "index.html"
        assert f"report: {page}" in capsys.readouterr().out and page.exists()
    assert (study / "report").read_text() == "somebody's"


def test_a_folder_with_other_files_is_left_alone(tmp_path, capsys):
    study = write_study(tmp_path / "study", known_scores())
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "figure.svg").write_text("mine")
    assert main(["report", str(study), "--to", str(tmp_path / "thesis")]) == 2
    assert "holds other files than a report; name a new folder" in capsys.readouterr().err
    assert contents(tmp_path / "thesis") == {"figure.svg": b"mine"}


def test_what_may_not_be_read_is_named(tmp_path, monkeypatch):
    study = write_study(tmp_path / "study", known_scores())
    read = Path.read_bytes

    def denied(path):
        if path.parent.name == "gru-adding-1" and path.name in ("run.json", "metrics.jsonl"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    found = load(study)
    assert found.unread == 1 and len(found.runs) == 17
    assert found.problems == [
        ("study/gru-adding-1/run.json", "can not be read (Permission denied); the run is left out")
    ]
    monkeypatch.setattr(Path, "iterdir", denied_folder)
    with pytest.raises(SeqexpError, match=r"cannot read .*study \(Permission denied\)"):
        load(study)


def denied_folder(path):
    raise PermissionError(errno.EACCES, "Permission denied")
