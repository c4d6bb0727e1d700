"""The zoo: what of a task is learned, between its baseline and its best score, and its costs."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

PLACE = Path(__file__).parents[2] / "experiments" / "zoo" / "map.py"


@pytest.fixture
def module(monkeypatch) -> Callable[[str], Any]:
    """Imports a script of the study."""
    monkeypatch.syspath_prepend(str(PLACE.parent))
    return importlib.import_module


@pytest.fixture
def zoo(module) -> Any:
    return module("map")


def table(zoo: Any) -> pd.DataFrame:
    """All models have 0.75 of accuracy and a loss of 0.5."""
    rows = [
        (model, task, 0.75 if best else 0.5, "max" if best else "min", 1e3 + n, 1e5, 1e-4)
        for n, model in enumerate(zoo.KIND)
        for task, best in zoo.PERFECT.items()
    ]
    return pd.DataFrame(rows, columns=["model", "task", "test", "goal", *zoo.COSTS])


def study(zoo: Any) -> Any:
    of = {task: {"chance": 0.25, "better": 0.5} if best else {"mean": 2.0, "better": 1.0}
          for task, best in zoo.PERFECT.items()}  # fmt: skip
    return SimpleNamespace(name="zoo", baselines=of.__getitem__)


def test_every_model_of_the_sweep_is_of_one_kind(zoo):
    text = (PLACE.parents[2] / "conf" / "experiment" / "zoo.yaml").read_text()
    names = text.split("model: >-")[1].split("optimizer.")[0].replace(",", " ").split()
    assert sorted(names) == sorted(zoo.KIND)
    assert sum(len(models.split()) for models in zoo.KINDS.values()) == len(zoo.KIND)


def test_learned_is_the_way_from_the_best_baseline_to_a_perfect_score(zoo):
    chosen = table(zoo)
    chosen.loc[(chosen["model"] == "gru") & (chosen["task"] == zoo.RECALL), "test"] = np.nan
    chosen.loc[(chosen["model"] == "rnn") & (chosen["task"] == zoo.RECALL), "test"] = 0.3
    way = zoo.learned(study(zoo), chosen)
    assert set(way.columns) == set(zoo.PERFECT) and list(way.index) == list(zoo.KIND)
    assert way.loc["lstm"].tolist() == [0.5] * len(zoo.PERFECT)
    assert way.loc["gru", zoo.RECALL] == 0  # it diverged
    assert way.loc["rnn", zoo.RECALL] == 0  # below the baseline


def test_a_study_that_is_not_whole_is_refused_by_name(zoo):
    chosen = table(zoo)
    with pytest.raises(SystemExit, match="not in zoo: s5 on adding_short$"):
        zoo.learned(
            study(zoo), chosen[(chosen["model"] != "s5") | (chosen["task"] != "adding_short")]
        )


def test_names_of_points_in_one_place_do_not_cover_each_other(zoo):
    models = list(zoo.KIND)
    x, y = dict.fromkeys(models, 0.5) | {"tcn": 0.9}, dict.fromkeys(models, 0.0)
    placed = zoo.boxes(x, y)
    assert sorted(placed) == sorted(models)
    assert placed["tcn"].height == 0 and placed["tcn"].left > 0.9
    for one in models:
        assert not any(placed[one].meets(placed[other]) for other in models if other != one)
        far = placed[one].left - x[one], x[one] - placed[one].right
        assert 0 < max(far) < 0.05, "beside its point"


def test_a_map_is_drawn(zoo, tmp_path):
    chosen = table(zoo)
    with matplotlib.rc_context():
        zoo.picture(chosen, zoo.learned(study(zoo), chosen), tmp_path / "map.svg")
    text = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert all(f">{model}<" in text for model in zoo.KIND)


def measured(zoo: Any, folder: Path) -> Path:
    """Costs of all models at two lengths: the step takes 2 ms at 64, and grows with the length."""
    for n, model in enumerate(zoo.KIND):
        place = folder / model
        place.mkdir()
        rows = [
            (model, varied, length, 2e-3 * length / 64, 1e-3, 5e-6, 64_000 * length, 100 + n)
            for varied, length in (("", 16), ("length", 64), ("length", 8192))
        ]
        names = "model varied length step_seconds prefill_seconds decode_seconds_per_token"
        columns = [*names.split(), "program_bytes", "carry_bytes"]
        pd.DataFrame(rows, columns=columns).to_csv(place / "cost.csv")
        _measured_with(place, batch_size=1)
    return folder


def _measured_with(place: Path, batch_size: int) -> None:
    configs = [{"config": {"trainer": {"batch_size": batch_size}}}]
    (place / "cost.json").write_text(json.dumps({"configs": configs}))


def test_costs_of_a_sequence_are_told_of_a_token(zoo, module, tmp_path, capsys):
    costs = module("costs")
    rows = costs.measured(measured(zoo, tmp_path))
    assert sorted(set(rows["length"])) == [64, 8192]
    costs.table(rows)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "| lstm |" in line)
    # 2 ms of 64 steps, 1 ms of 64 and of 8,192; 5 us; 64 kB a token; of the third model.
    assert line == "| lstm | 31.2 | 31.2 | 15.6 | 0.122 | 5.00 | 5.00 | 64.0 | 64.0 | 102 | 102 |"
    with matplotlib.rc_context():
        costs.picture(rows, tmp_path / "costs.svg")
    text = (tmp_path / "costs.svg").read_text(encoding="utf-8")
    assert all(f">{model}<" in text for model in zoo.KIND)


def test_costs_that_are_not_whole_are_refused_by_name(zoo, module, tmp_path):
    costs = module("costs")
    with pytest.raises(SystemExit, match="no cost.csv"):
        costs.measured(tmp_path)
    measured(zoo, tmp_path)
    _measured_with(tmp_path / "gru", batch_size=32)
    with pytest.raises(SystemExit, match="batch_size of 32, not 1"):
        costs.measured(tmp_path)
    _measured_with(tmp_path / "gru", batch_size=1)
    table = pd.read_csv(tmp_path / "gru" / "cost.csv")
    table.iloc[:-1].to_csv(tmp_path / "gru" / "cost.csv")
    with pytest.raises(SystemExit, match="not all lengths of gru$"):
        costs.measured(tmp_path)
    table.to_csv(tmp_path / "gru" / "cost.csv")
    (tmp_path / "s5" / "cost.csv").unlink()
    with pytest.raises(SystemExit, match="s5$"):
        costs.measured(tmp_path)
