"""`seqexp doctor`; and this machine's canaries."""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import pytest

from seqexp.commands import train
from seqexp.commands.main import main
from seqexp.training import canary


def test_this_machine_multiplies_right():
    assert canary.batched_products_are_right()


def test_a_scan_takes_time_in_proportion_to_its_length():
    assert canary.scan_growth() < 8


@pytest.fixture
def quick(monkeypatch):
    """No canary that takes seconds, and no sweep."""
    monkeypatch.setattr(canary, "scan_growth", lambda: 1.0)
    monkeypatch.setattr(canary, "batched_products_are_right", lambda: True)
    monkeypatch.setattr(train, "sweep", _a_sweep)


def _a_sweep(arguments: list[str]) -> int:
    (folder,) = (a.removeprefix("runs_dir=").strip("'") for a in arguments if "runs_dir" in a)
    report = Path(folder) / "doctor" / "report"
    report.mkdir(parents=True)
    (report / "index.html").touch()
    return 0


@pytest.mark.full
def test_the_doctor_names_a_dead_canary(quick, monkeypatch, capsys):
    monkeypatch.setattr(canary, "batched_products_are_right", lambda: False)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "WRONG" in out and "39103" in out and "jaxlib" in out
    monkeypatch.setattr(canary, "batched_products_are_right", lambda: True)
    assert main(["doctor"]) == 0
    assert "all alive" in capsys.readouterr().out


@pytest.mark.full
def test_the_doctor_trains(monkeypatch, capsys):
    monkeypatch.setattr(canary, "scan_growth", lambda: 1.0)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for what in ("folders", "compilation cache", "wandb", "training, costs, report"):
        assert f"{what}: in order" in out


def test_the_doctor_says_what_does_not_work_and_what_to_do(quick, tmp_path, monkeypatch, capsys):
    def fails(arguments: list[str]) -> int:
        raise RuntimeError("no training today")

    monkeypatch.setattr(train, "sweep", fails)
    monkeypatch.setitem(sys.modules, "wandb", None)
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "file" / "cache"))
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "file" / "cache"))
    try:
        assert main(["doctor"]) == 1
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 3
    for remedy in ("no training today", "logger.mode=disabled", "JAX_COMPILATION_CACHE_DIR"):
        assert any(remedy in line for line in wrong), remedy
