"""`seqexp cost`: what it measures, prints and writes, and every mistake in one line."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from seqexp.analysis.growth import exponents
from seqexp.analysis.measured import read_measured
from seqexp.costs import METHODS, CostLedger
from seqexp.sweeps import random_costs
from tests.sweeps.tiny import seqexp
from tests.test_configs import point

SMALL = ["model.features=3", "trainer.batch_size=4", "trainer.eval_every=2"]


@pytest.fixture
def quick(monkeypatch):
    """No process to measure the memory of."""
    monkeypatch.setattr(random_costs, "peak_resident_at", lambda point, length: 5_000_000)


def test_costs_are_measured_printed_and_written(quick, tmp_path, capsys):
    command = ["cost", "model=rnn", "task=copy_memory", "task.blanks=2", "task.digits=1", *SMALL]
    assert seqexp(*command, "--lengths", "4,8", f"runs_dir={tmp_path}") == 0
    captured = capsys.readouterr()
    folder = tmp_path / "default" / "cost" / "rnn-copy_memory"
    assert f"costs: {folder}" in captured.out
    assert "copy_memory: exponent e of cost ~ length^e" in captured.out
    assert "peak_resident_bytes" in captured.out and "5.00 M" in captured.out
    # 4 steps is the task's own length, and is measured once.
    assert captured.err.splitlines() == [f"rnn on copy_memory: T={t} H=3" for t in (4, 8)]

    rows = pd.read_csv(folder / "cost.csv", keep_default_na=False).to_dict("records")
    assert [(row["varied"], row["length"]) for row in rows] == [
        ("", 4),
        *[("length", t) for t in (4, 8)],
    ]
    flops = [float(row["model_training_flops_per_step"]) for row in rows]
    # x W + h U + b and tanh of 3 units over tokens embedded in 3; 10 outputs.
    assert flops[:2] == [3 * 4 * 4 * (2 * 6 * 3 + 3 * 3 + 2 * 3 * 10 + 10)] * 2
    assert flops[2] == 2 * flops[1], "a recurrent model's FLOPs are linear in the length"

    record = json.loads((folder / "cost.json").read_text())
    [built] = record["configs"]
    assert (built["task"], built["label"]) == ("copy_memory", "rnn")
    assert built["config"]["model"]["features"] == 3
    ledgers = [CostLedger.from_json(each["cost"]) for each in record["measured"]]
    assert [ledger.context_length for ledger in ledgers] == [4, 4, 8]
    assert ledgers[0].methods == METHODS and ledgers[0].peak_resident_bytes == 5_000_000
    for ledger in ledgers:
        assert ledger.step_seconds and ledger.prefill_seconds and ledger.first_step_seconds
        assert ledger.decode_seconds_per_token and ledger.decode_tokens_per_second
        assert ledger.carry_bytes == 4 * 3
    assert record["manifest"]["packages"]["jax"]
    assert (folder / "copy-memory-growth.svg").exists()
    assert (folder / "copy-memory-growth.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.full
def test_the_peak_resident_set_is_that_of_a_process_with_jax_in_it():
    peak = random_costs.peak_resident_at(point("model=rnn", *SMALL), 8)
    assert peak is not None and 100e6 < peak < 4e9


def test_known_growth_is_found(tmp_path, monkeypatch, capsys):
    """Lengths at the config's own width, widths at the task's own length."""
    seen = []

    def measured(point, length):
        width = point.config["model"]["features"]
        seen.append((length, width))
        return CostLedger(step_seconds=1e-6 * length * width**2)

    monkeypatch.setattr(random_costs, "cost_at", measured)
    monkeypatch.setattr(random_costs, "peak_resident_at", lambda point, length: None)
    sizes = ["--lengths", "32,64,128", "--widths=128,64,256"]
    assert seqexp("cost", "model=rnn", *sizes, "study=mine", f"runs_dir={tmp_path}") == 0
    assert seen == [(100, 64), *[(t, 64) for t in (32, 64, 128)], *[(100, h) for h in (128, 256)]]
    folder = tmp_path / "mine" / "cost" / "rnn-adding"
    fits = json.loads((folder / "cost.json").read_text())["growth"]
    assert [(fit["varied"], fit["cost"]) for fit in fits] == [
        ("length", "step_seconds"),
        ("width", "step_seconds"),
    ]
    assert [fit["exponent"] for fit in fits] == pytest.approx([1, 2])
    out = capsys.readouterr().out
    assert "1.00 ± 0.00" in out and "2.00 ± 0.00" in out
    table, problems = read_measured([tmp_path / "mine"])  # what a report reads of it
    assert problems == [] and exponents(table).to_dict("records") == fits


def test_models_on_several_tasks_are_told_apart(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        random_costs, "cost_at", lambda point, length: CostLedger(prefill_seconds=1)
    )
    monkeypatch.setattr(random_costs, "peak_resident_at", lambda point, length: None)
    command = ["cost", "model=rnn", "task=adding,digits", "--lengths=8,16", f"runs_dir={tmp_path}"]
    assert seqexp(*command) == 0
    folder = tmp_path / "default" / "cost" / "rnn-adding-digits"
    assert {path.name for path in folder.glob("*.svg")} == {
        "adding-growth.svg",
        "digits-growth.svg",
    }
    rows = pd.read_csv(folder / "cost.csv").to_dict("records")
    assert [(row["task"], row["label"]) for row in rows] == [
        (task, "rnn") for task in ("adding", "digits") for _ in range(3)
    ]
    out = capsys.readouterr().out
    assert "rnn on adding" in out and "digits: exponent" in out


def test_models_side_by_side_without_growth(tmp_path, monkeypatch, capsys):
    """No figure; an older one goes. Nothing is measured here."""
    seen = []

    def measured(point, length):
        seen.append((point.model, point.config["model"]["depth"], length))
        return CostLedger(parameters=len(seen), training_flops_per_step=1500 * len(seen))

    monkeypatch.setattr(random_costs, "cost_at", measured)
    monkeypatch.setattr(random_costs, "peak_resident_at", lambda point, length: None)
    old = tmp_path / "default" / "cost" / "mine" / "adding-growth.svg"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    command = ["cost", "model=rnn,gru", "model.depth=1,2", "--name", "mine", f"runs_dir={tmp_path}"]
    assert seqexp(*command) == 0
    assert seen == [(model, depth, 100) for model in ("rnn", "gru") for depth in (1, 2)]
    out = capsys.readouterr().out
    for said in ("rnn depth=1", "gru depth=2", "1,500", "6,000"):
        assert said in out
    assert not old.exists()
    assert len(pd.read_csv(old.parent / "cost.csv")) == 4


def test_widths_are_matched_before(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        random_costs,
        "cost_at",
        lambda point, length: CostLedger(parameters=point.config["model"]["features"]),
    )
    monkeypatch.setattr(random_costs, "peak_resident_at", lambda point, length: None)
    command = ["cost", "model=rnn,gru", "match=params", "match.budget=3000", "match.tolerance=0.2"]
    assert seqexp(*command, f"runs_dir={tmp_path}") == 0
    table = pd.read_csv(tmp_path / "default" / "cost" / "rnn-gru-adding" / "cost.csv")
    rnn, gru = table.to_dict("records")
    assert rnn["width"] > 1.5 * gru["width"]
    assert (rnn["parameters"], gru["parameters"]) == (rnn["width"], gru["width"])


MISTAKES = {
    "lengths that are no numbers": (["--lengths", "64,many"], "--lengths must be"),
    "one length": (["--lengths", "64"], "two or more"),
    "a length of 0": (["--lengths", "0,64"], "at least 1"),
    "no lengths": (["--lengths"], "--lengths"),
    "widths that are no numbers": (["--widths=3,4.5"], "--widths must be"),
    "an unknown option": (["--depths", "1,2"], "--depths"),
    "an abbreviation": (["--length", "1,2"], "--length"),
    "a name that is a path": (["--name", "../elsewhere"], "--name"),
    "a misspelt model": (["model=lstmm"], "lstmm"),
    "an unknown key": (["model.hidden=3"], "hidden"),
    "a half override": (["model"], "model"),
    "an unknown cell option": (["+model.cell.forget=1"], "forget"),
    "hidden size 0": (["model.features=0"], "model.features"),
    "a bidirectional model of the future": (
        ["task=copy_memory", "model.bidirectional=true"],
        "causal",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line(mistake, tmp_path, capsys):
    arguments, said = MISTAKES[mistake]
    assert seqexp("cost", *arguments, f"runs_dir={tmp_path / 'runs'}") == 2
    captured = capsys.readouterr()
    (error,) = [line for line in captured.err.splitlines() if "error:" in line]
    assert said in error
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(random_costs, "cost_at", lambda point, length: CostLedger())
    monkeypatch.setattr(random_costs, "peak_resident_at", lambda point, length: None)
    (tmp_path / "file").write_text("")
    assert seqexp("cost", f"runs_dir={tmp_path / 'file'}") == 2
    assert "runs_dir" in capsys.readouterr().err


def test_help(capsys):
    assert seqexp("cost", "--help") == 0
    assert "--lengths T,T,..." in capsys.readouterr().out
