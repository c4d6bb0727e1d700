"""The map of the zoo: what of a task is learned, between its baseline and its best score."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

PLACE = Path(__file__).parents[2] / "experiments" / "zoo" / "map.py"


@pytest.fixture(scope="module")
def zoo() -> Any:
    of = importlib.util.spec_from_file_location("zoo_map", PLACE)
    assert of is not None and of.loader is not None
    module = importlib.util.module_from_spec(of)
    of.loader.exec_module(module)
    return module


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
    ax = Figure().add_subplot()
    ax.set(xscale="log")
    models = list(zoo.KIND)
    zoo._name(ax, dict.fromkeys(models, 100.0) | {"tcn": 1e4}, dict.fromkeys(models, 0.0))
    heights = sorted(text.get_position()[1] for text in ax.texts if text.get_text() != "tcn")
    assert len(ax.texts) == len(models) and min(np.diff(heights)) > zoo.HIGH * 0.9


def test_a_map_is_drawn(zoo, tmp_path):
    chosen = table(zoo)
    with matplotlib.rc_context():
        zoo.picture(chosen, zoo.learned(study(zoo), chosen), tmp_path / "map.svg")
    text = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert all(f">{model}<" in text for model in zoo.KIND)
