"""`seqexp report --wandb`: it logs the tables, the plots and the findings of the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seqexp.analysis import load
from seqexp.analysis.explorer import payload
from seqexp.analysis.findings import findings
from seqexp.analysis.table import tabulate
from seqexp.commands.main import main
from seqexp.commands.report import report_on
from seqexp.runs.wandb_mirror import Mirror
from tests.analysis.synthetic_records import known_scores, write_json, write_study
from tests.runs.offline_wandb import described, history, inspect, offline_runs
from tests.sweeps.tiny import TINY

pytestmark = pytest.mark.usefixtures("unknown_to_wandb")


def _logged_as(study: Path, **logger: Any) -> None:
    for path in study.glob("*/run.json"):
        run = json.loads(path.read_text())
        run["config"]["logger"] = {"mode": "offline", "entity": None, "tags": ["x"], **logger}
        write_json(path, run)


def _read(folder: Path, media: dict[str, Any]) -> Any:
    return json.loads((folder / "files" / media["path"]).read_text())


@pytest.mark.full
def test_tables_plots_and_findings_are_those_of_the_page(tmp_path, capsys):
    study = write_study(tmp_path / "mine", known_scores())
    _logged_as(study, project="theirs")
    assert main(["report", str(study), "--wandb"]) == 0
    [folder] = offline_runs(study)
    assert f"wandb: {folder}" in capsys.readouterr().out.splitlines()
    log = inspect(folder)
    run = described(log)
    assert (run["project"], run["tags"]) == ("theirs", ["mine", "x"])
    [row] = history(log)
    media = {
        key.removesuffix(".path"): {"path": path}
        for key, path in row.items()
        if key.endswith(".path") and not key.endswith("artifact_path")
    }
    records = load(study)
    models = tabulate(records)
    for name, frame in (("models", models), ("runs", records.runs)):
        table = _read(folder, media[name])
        assert table["columns"] == list(frame)
        expected = frame.astype(object).where(frame.notna(), None)
        assert table["data"] == json.loads(json.dumps(expected.to_numpy().tolist()))
    found = findings(records, models)
    data = payload(found)
    for task in ("adding", "digits"):
        drawn = data["tasks"][task]
        cost = "parameters"
        plot = _read(folder, media[f"front/{task}/{cost}"])
        traces = plot["data"]
        front = [drawn["models"][i] for i in drawn["fronts"]["test"][drawn["goal"]][cost]]
        assert traces[0]["name"] == "Pareto front"
        assert traces[0]["x"][:-1] == [model["cost"][cost] for model in front]
        assert traces[0]["y"][:-1] == [model["metric"]["test"][0] for model in front]
        means = {trace["name"]: trace for trace in traces[1:] if trace.get("error_y")}
        for model in drawn["models"]:
            look, trace = data["looks"][model["label"]], means[model["name"]]
            assert (trace["x"], trace["y"]) == (
                [model["cost"][cost]],
                [model["metric"]["test"][0]],
            )
            assert trace["marker"]["color"] == look["colour"]
            assert trace["marker"]["symbol"].removesuffix("-open") == look["symbol"]
        learning = _read(folder, media[f"learning/{task}/flops"])["data"]
        for curve in drawn["curves"]:
            mine = [t for t in learning if t["name"] == curve["name"]]
            assert mine[-1]["x"] == curve["mean"]["flops"]
            assert mine[-1]["y"] == curve["mean"]["mean"]
            assert mine[0]["y"] == [*curve["mean"]["high"], *reversed(curve["mean"]["low"])]
            assert mine[-1]["line"]["color"] == data["looks"][curve["label"]]["colour"]
    page = (study / "report" / "index.html").read_text()
    [html] = folder.rglob("*.html")
    for text in html.read_text().partition("<p>")[2].split("<p>"):
        first = text.split("</p>")[0].split(". ")[0].rstrip(".")
        assert first.replace(" %", "\u00a0%") in page


@pytest.mark.full
def test_the_mode_is_that_of_the_runs_unless_it_is_given(tmp_path, capsys, caplog, monkeypatch):
    from seqexp.commands import report, wandb_report

    study = write_study(tmp_path / "mine", known_scores())
    monkeypatch.setattr(report, "write_report", lambda found, folder: folder)
    monkeypatch.setattr(wandb_report, "plots", lambda data: {})
    assert report_on([study], Mirror("disabled", "p")) and not offline_runs(study)
    assert main(["report", str(study)]) == 0 and not offline_runs(study)
    _logged_as(study, project="theirs", mode="disabled")
    assert main(["report", "--wandb", str(study)]) == 0
    assert len(offline_runs(study)) == 1
    assert main(["report", str(study), "--wandb=online"]) == 0
    assert [r.getMessage() for r in caplog.records if r.name.startswith("seqexp")] == [
        "wandb stays offline (no API key: run `wandb login`); send runs with `wandb sync`"
    ]
    capsys.readouterr()
    assert main(["report", str(study), "--wandb=sometimes"]) == 2
    assert main(["report", str(study), "--wnadb"]) == 2
    assert main(["report", "--wandb"]) == 2
    assert main(["report", "wandb:frontier"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4 and all(line.startswith("seqexp: error: ") for line in said)


@pytest.mark.full
def test_a_sweep_ends_with_its_comparison_in_wandb_and_never_fails_by_it(
    tmp_path, monkeypatch, caplog
):
    arguments = ["sweep", *TINY, "model=rnn,gru", f"runs_dir={tmp_path}", "study=a"]
    arguments = [word for word in arguments if not word.startswith("logger.")]
    assert main(arguments) == 0
    [folder] = offline_runs(tmp_path / "a")
    assert described(inspect(folder))["job_type"] == "study"
    assert main([*arguments, "logger.mode=disabled"]) == 0
    assert offline_runs(tmp_path / "a") == [folder]

    def broken(data: Any) -> None:
        raise ValueError("no plot")

    from seqexp.commands import wandb_report

    monkeypatch.setattr(wandb_report, "plots", broken)
    (tmp_path / "a" / "report" / "index.html").unlink()
    assert main(arguments) == 0
    assert (tmp_path / "a" / "report" / "index.html").exists()
    said = [r.getMessage() for r in caplog.records if r.name.startswith("seqexp")]
    assert said == ["the report is not in wandb (ValueError: no plot)"]
