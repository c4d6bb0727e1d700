"""What the page draws itself: a study as plain data, for explorer.js and its plots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from seqexp.analysis.axes import COMPARED, GROWING, measured
from seqexp.analysis.curves import TIMES, band, thinned
from seqexp.analysis.findings import Findings
from seqexp.analysis.growth import VARIED, written
from seqexp.analysis.load import Study, settings_of
from seqexp.analysis.looks import INK, LINES, Look
from seqexp.analysis.notation import spoken
from seqexp.analysis.pareto import front
from seqexp.analysis.rates import over_rates
from seqexp.analysis.statistics import estimate
from seqexp.analysis.table import compared
from seqexp.runs.naming import SHORT

SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond"}
SYMBOLS |= {"v": "triangle-down", "p": "pentagon", "h": "hexagon"}
DASHES = ("solid", "dash", "dot", "dashdot")
BAND = [*(time.key for time in TIMES), "mean", "low", "high"]
TRIALS = ["trials", "flops", "seconds", "expected_best"]
SETTINGS = ("model.", "optimizer.", "trainer.")


def payload(found: Findings) -> dict[str, Any]:
    """Everything that the plots of the page show, of the chosen models of every task.

    Scores are those of the test split with the weights that validation chose; curves and learning
    rates are judged on validation. Costs have the units of their axes. None stands for what is not
    known.
    """
    goals = {"loss": "min"} | dict(found.table[["score", "goal"]].dropna().to_numpy())
    tasks = [str(task) for task in found.table["task"].unique()]
    axes = {axis.key: axis for axis in (*COMPARED, *GROWING)}
    return {
        "axes": {key: {"name": axis.name, "label": axis.label} for key, axis in axes.items()},
        "times": {time.key: time.label for time in TIMES},
        "looks": {label: _look(look) for label, look in found.looks.items()},
        "tasks": {task: _task(found.of(task), task, goals) for task in tasks},
        "varied": VARIED,
        "growth": _growth(found),
    }


def _look(look: Look) -> dict[str, Any]:
    """Names of plotly; no colour stands for the page's ink."""
    colour = None if look.colour == INK else look.colour
    dash = DASHES[LINES.index(look.line)]
    return {"colour": colour, "symbol": SYMBOLS[look.marker], "dash": dash}


def _task(found: Findings, task: str, goals: Mapping[str, str]) -> dict[str, Any]:
    rows = found.table
    judged = [(spoken(name), goal) for name, goal in rows[["score", "goal"]].dropna().to_numpy()]
    score, goal = judged[0] if judged else ("", "min")
    runs = found.study.runs.loc[found.study.runs["task_label"] == task]
    told = dict(zip(runs["run"], _told(found.study, runs), strict=True))
    return {
        "score": score,
        "goal": goal,
        "baselines": found.study.baselines(task),
        **_comparison(runs, rows.loc[rows["chosen"] & (rows["n"] > 0)], told, goals),
        "curves": _curves(found.curves, told),
        "rates": _rates(found.rates, told),
        "trials": _trials(found.trials),
    }


def _told(study: Study, runs: pd.DataFrame) -> list[str]:
    """Of each run its name, what else varies within the task, and its folder, a line each."""
    settings = [settings_of(study.files[run]) for run in runs["run"]]
    keys = dict.fromkeys(key for own in settings for key in own)
    keys = [key for key in keys if key.startswith(SETTINGS) and "._" not in key]
    varying = [key for key in keys if len({own[key] for own in settings if key in own}) > 1]
    lines = []
    for run, own in zip(runs.to_dict("records"), settings, strict=True):
        known = [(key.rpartition(".")[2], own[key]) for key in varying if key in own]
        said = set(run["label"].split())
        more = [f"{k} {value}" for k, value in known if f"{SHORT.get(k, k)}={value}" not in said]
        where = f"{run['study']}/{run['folder']}"
        texts = [f"{run['label']}, seed {run['seed']}", ", ".join(more), where]
        lines.append("\n".join(text for text in texts if text))
    return lines


def _comparison(
    runs: pd.DataFrame, rows: pd.DataFrame, told: Mapping[str, str], goals: Mapping[str, str]
) -> dict[str, Any]:
    """The models with each test metric and each cost, over their finished seeds, and the fronts."""
    axes = compared(rows)
    finished = runs.loc[runs["status"] == "finished"]
    score = rows["score"].iloc[0] if len(rows) else None
    keys = [str(key) for key in finished if str(key).startswith("test/")]
    keys = [key for key in keys if finished[key].notna().any() and key != f"test/{score}"]
    names = {"test": score} | {key: key.removeprefix("test/") for key in keys}
    metrics = {
        key: {"label": f"test {spoken(str(name))}", "goal": goals.get(str(name))}
        for key, name in names.items()
    }
    models = []
    for row in rows.to_dict("records"):
        mine = finished.loc[finished["label"] == row["label"]]
        means = {key: estimate(mine[key]) for key in metrics}
        chance = {axis.key: _number(row[f"front_probability/{axis.key}"]) for axis in axes}
        models.append(
            {
                "label": row["label"],
                "name": row["name"],
                "n": row["n"],
                "cost": {axis.key: _number(row[axis.key] * axis.scale) for axis in axes},
                "chance": chance,
                "error": {axis.key: row[f"error/{axis.key}"] for axis in measured(axes)},
                "metric": {k: _numbers([e.mean, e.low, e.high]) for k, e in means.items()},
                "runs": {
                    "told": [told[run] for run in mine["run"]],
                    "cost": {axis.key: _numbers(mine[axis.key] * axis.scale) for axis in axes},
                    "metric": {key: _numbers(mine[key]) for key in metrics},
                },
            }
        )
    fronts = {
        key: {
            goal: {axis.key: _front(models, key, axis.key, goal) for axis in axes}
            for goal in ("min", "max")
        }
        for key in metrics
    }
    return {"metrics": metrics, "models": models, "fronts": fronts}


def _front(models: list[dict[str, Any]], metric: str, axis: str, goal: Any) -> list[int]:
    """The places of the models on the front, the cheapest first."""
    costs = [_nan(model["cost"][axis]) for model in models]
    scores = [_nan(model["metric"][metric][0]) for model in models]
    on_front = front(costs, scores, goal, [model["error"].get(axis, 0.0) for model in models])
    return sorted((i for i in range(len(models)) if on_front[i]), key=lambda i: costs[i])


def _curves(curves: pd.DataFrame, told: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of each model the mean over its seeds, with its band, and the curve of each seed."""
    found = []
    for label, mine in curves.groupby("label"):
        alive = mine.loc[mine["status"] != "diverged"]
        seeds = [
            {"told": told[str(run)], "lost": curve["status"].iloc[0] == "diverged"}
            | _columns(thinned(curve), [*(time.key for time in TIMES), "valid"])
            for run, curve in mine.groupby("run")
        ]
        name = mine["contender"].iloc[0]
        mean = _columns(thinned(band(alive)), BAND)
        found.append({"label": label, "name": name, "mean": mean, "seeds": seeds})
    return found


def _rates(runs: pd.DataFrame, told: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of each model the mean over its seeds for each learning rate, every run, and those lost."""
    found = []
    for name, mine in runs.groupby("model_label"):
        finished, lost = mine.dropna(subset=["valid"]), mine.loc[mine["valid"].isna()]
        entry: dict[str, Any] = {"name": name, "label": mine["label"].iloc[0]}
        entry["mean"] = _columns(over_rates(mine), ["learning_rate", "mean", "n"])
        entry["runs"] = {"told": [told[run] for run in finished["run"]]}
        entry["runs"] |= _columns(finished, ["learning_rate", "valid"])
        ends = zip(lost["run"], lost["status"], strict=True)
        entry["lost"] = {"told": [f"{told[run]}\n{status}" for run, status in ends]}
        entry["lost"] |= _columns(lost, ["learning_rate"])
        found.append(entry)
    return found


def _trials(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each model the expected best of its runs, with their number and what they take."""
    return [
        {"label": label, "name": mine["name"].iloc[0]} | _columns(mine, TRIALS)
        for label, mine in trials.groupby("label", sort=False)
    ]


def _growth(found: Findings) -> dict[str, Any]:
    """Of each task, varied size and cost the measurements of each model, with the fitted law."""
    drawn: dict[str, Any] = {}
    fits = found.growth.set_index(["task", "varied", "label", "cost"])
    for _, mine in found.study.growth.groupby(["task", "varied", "label"]):
        task, varied, label = mine[["task", "varied", "label"]].iloc[0]
        for axis in GROWING:
            key = (task, varied, label, axis.key)
            if key not in fits.index:
                continue
            fit, known = fits.loc[key], mine.dropna(subset=[axis.key]).sort_values(str(varied))
            ends = [fit["smallest"], fit["largest"]]
            law = [axis.scale * fit["scale"] * end ** fit["exponent"] for end in ends]
            places = drawn.setdefault(task, {}).setdefault(varied, {}).setdefault(axis.key, [])
            places.append(
                {
                    "label": label,
                    "sizes": _numbers(known[varied]),
                    "costs": _numbers(known[axis.key] * axis.scale),
                    "law": {"sizes": _numbers(ends), "costs": _numbers(law)},
                    "exponent": written(fit["exponent"], fit["half"]),
                    "n": int(fit["n"]),
                }
            )
    return drawn


def _columns(frame: pd.DataFrame, keys: Iterable[str]) -> dict[str, list[Any]]:
    return {key: _numbers(frame[key]) for key in keys}


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float) -> float | None:
    """Seven digits, more than a plot can show, so that the page stays small."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
