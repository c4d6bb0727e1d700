"""`seqexp doctor` and `seqexp data`; and this machine's canaries."""

from __future__ import annotations

import pytest

from seqexp.commands.main import main
from seqexp.data.download import DATA_DIR
from seqexp.data.sources import SOURCES
from seqexp.training import canary


def test_this_machine_multiplies_right():
    assert canary.batched_products_are_right()


def test_a_scan_takes_time_in_proportion_to_its_length():
    assert canary.scan_growth() < 8


def test_the_doctor_names_a_dead_canary(monkeypatch, capsys):
    monkeypatch.setattr(canary, "batched_products_are_right", lambda: False)
    monkeypatch.setattr(canary, "scan_growth", lambda: 1.0)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "WRONG" in out and "39103" in out and "jaxlib" in out
    monkeypatch.setattr(canary, "batched_products_are_right", lambda: True)
    assert main(["doctor"]) == 0
    assert "all alive" in capsys.readouterr().out


def test_data_says_what_is_missing_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(DATA_DIR, str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    for source in SOURCES:
        for file in source.files:
            (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.path).write_bytes(b"wrong")
    assert main(["data"]) == 1
    assert capsys.readouterr().err.count("seqexp: error:") == len(SOURCES)


@pytest.mark.parametrize("name", ["jsb", "--all"])
def test_data_of_an_unknown_name(name, capsys):
    assert main(["data", name]) == 2
    assert "no data set" in capsys.readouterr().err
