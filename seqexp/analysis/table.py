"""The table of a study: per task, what each model achieves and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from seqexp.analysis.axes import COMPARED, TABLED, Axis, measured
from seqexp.analysis.bootstrap import bootstrap, interquartile_mean
from seqexp.analysis.contenders import field
from seqexp.analysis.fronts import ALL, fronts
from seqexp.analysis.load import Study
from seqexp.analysis.machines import apart, not_compared
from seqexp.analysis.notation import count, digits, interval, shortened, spoken
from seqexp.analysis.pareto import front
from seqexp.analysis.records import STATUSES, TRAINED
from seqexp.analysis.statistics import estimate, sampling_half
from seqexp.analysis.wording import not_in_mean

SHORTEST = 20
MANY = 12
ON_FRONT = (
    "on the Pareto front of the test score against this cost; times within noise decide nothing"
)
HEADINGS = ["model", "seeds", "test", "params ", "carry B ", "train FLOPs/token ", "ms/step "]


def tabulate(study: Study) -> pd.DataFrame:
    """One row a task and model, in each task the best test score first.

    Scores are means over the finished seeds (`test`, `valid`) with the half-widths of their 95 %
    intervals (`test_half`, `valid_half`, NaN for one seed), and `n` is their number;
    `test_sampling_half` is that of an accuracy over the `test_targets`, see `sampling_half`;
    `test_iqm` is the interquartile mean with its interval from `test_iqm_low` to `test_iqm_high`.
    Runs are counted by how they ended, see `STATUSES`; `valid` is over the unscored ones too. Costs
    are medians over the finished runs, or over all where these do not know them.

    Of the settings of a model that differ only in how they are trained, one is `chosen`: the best
    on validation, which stands for the model in comparisons under its `name`, see `chosen_runs`
    (of others it is the label). Whether it is on the Pareto front of the test score against a cost
    is in `front/<cost>`, and in what share of the resamples of all seeds it is, in
    `front_probability/<cost>`, see `fronts`. `error/<cost>` is the relative standard error of a
    cost that is measured. `timed` is False for a task whose times are not compared, see `apart`.
    """
    table = pd.DataFrame([_row(runs) for _, runs in study.runs.groupby(["task_label", "label"])])
    table["chosen"] = _chosen(table)
    table["timed"] = ~table["task"].isin([*apart(study)])
    for axis in COMPARED:
        table[f"front/{axis.key}"] = False
    for axis in COMPARED:
        table[f"front_probability/{axis.key}"] = np.nan
    for axis in measured(COMPARED):
        table[f"error/{axis.key}"] = np.nan
    rivals = field(study, table)
    names = {(task, one.label): one.name for task, found in rivals.items() for one in found}
    keys = zip(table["task"], table["label"], strict=True)
    table.insert(2, "name", [names.get(key, key[1]) for key in keys])
    for task, rows in table.loc[table["chosen"] & (table["n"] > 0)].groupby("task"):
        errors = {one.label: one.errors for one in rivals[str(task)]}
        for k, axis in enumerate(COMPARED):
            if axis.spread and not rows["timed"].all():
                continue
            cost, test = rows[axis.key].to_numpy(), rows["test"].to_numpy()
            error = np.array([errors[label][k] for label in rows["label"]])
            on_front = front(cost, test, rows["goal"].iloc[0], error)
            table.loc[rows.index, f"front/{axis.key}"] = on_front
            if axis.spread:
                table.loc[rows.index, f"error/{axis.key}"] = error
        for axis, points in fronts(rivals[str(task)]).points.groupby("axis"):
            if axis != ALL:
                known = points.set_index("label")["probability"].reindex(rows["label"])
                table.loc[rows.index, f"front_probability/{axis}"] = known.to_numpy()
    order = table.assign(loss=losses(table, "test")).sort_values(["task", "loss", "label"]).index
    return table.loc[order].reset_index(drop=True)


def losses(rows: pd.DataFrame, split: str) -> np.ndarray:
    """The mean scores of rows on a split, negated where more is better."""
    return rows[split].to_numpy(float) * np.where(rows["goal"] == "max", -1, 1)


def families(table: pd.DataFrame) -> pd.Series:
    """Of each row the number of its model on its task: the same for all of its training settings.

    Settings of which no run lived to be measured belong to the model that is built like theirs.
    """
    alike = ["task", "model", "architecture"]
    size = table["parameters"].fillna(table.groupby(alike)["parameters"].transform("first"))
    return table.assign(size=size).groupby([*alike, "size"], dropna=False).ngroup()


def by_preference(rows: pd.DataFrame) -> pd.Index:
    """The rows in the order in which validation prefers them; equals by their label.

    Settings with a score come first, then those that lost a smaller share of their seeds: a mean
    over survivors is no better for its losses.
    """
    order = rows.assign(
        none=rows["valid"].isna(),
        lost=lost_share(rows).fillna(1.0),
        loss=losses(rows, "valid"),
    )
    return order.sort_values(["none", "lost", "loss", "label"]).index


def lost_share(rows: pd.DataFrame) -> pd.Series:
    """The share of diverged and failed runs among those of a row that ended; NaN for none."""
    gone = rows["diverged"] + rows["failed"]
    ended = gone + rows[[*TRAINED]].sum(axis=1)
    return pd.Series(gone / ended.replace(0, np.nan), index=rows.index)


def recorded(axes: Iterable[Axis], rows: pd.DataFrame) -> list[Axis]:
    """The costs that are known of any of the rows."""
    return [axis for axis in axes if len(rows.dropna(subset=[axis.key]))]


def compared(rows: pd.DataFrame) -> list[Axis]:
    """The costs that the rows of a task are compared on: those known of any, but for times of
    machines that differ."""
    timed = False not in set(rows["timed"])
    return [axis for axis in recorded(COMPARED, rows) if timed or not axis.spread]


def _row(runs: pd.DataFrame) -> dict[str, Any]:
    finished, trained = (runs.loc[runs["status"].isin(ends)] for ends in (["finished"], [*TRAINED]))
    # Validation chooses, whatever the test split says: an unscored seed is among those that count.
    test, valid = estimate(finished["test"]), estimate(trained["valid"])
    iqm = bootstrap([finished["test"]], interquartile_mean)
    judged = [*runs.dropna(subset=["score"])[["score", "goal"]].to_numpy(), (None, None)]
    ends = list(runs["status"])
    row = {"task": runs["task_label"].iloc[0]}
    row |= {key: runs[key].iloc[0] for key in ("label", "model", "group", "architecture")}
    row |= dict(zip(("score", "goal"), judged[0], strict=True))
    row |= {"n": test.n, "test": test.mean, "test_half": test.half}
    row |= {"test_iqm": iqm.value, "test_iqm_low": iqm.low, "test_iqm_high": iqm.high}
    row |= {"valid": valid.mean, "valid_half": valid.half}
    told = runs["test_targets"].dropna().to_numpy(float)
    targets = float(np.median(told)) if len(told) else np.nan
    shared = str(row["score"]).endswith("accuracy")
    half = sampling_half(test.mean, targets) if shared else np.nan
    row |= {"test_targets": targets, "test_sampling_half": half}
    row |= {status: ends.count(status) for status in STATUSES}
    costs = runs[[axis.key for axis in TABLED]]
    known = costs.loc[finished.index].fillna(costs.median())
    return row | (known if len(known) else costs).median().to_dict()


def _chosen(table: pd.DataFrame) -> pd.Series:
    """True for the best on validation among the training settings of one model on a task."""
    family = families(table).loc[by_preference(table)]
    return ~family.duplicated().reindex(table.index)


def to_text(
    table: pd.DataFrame,
    width: int | None = None,
    baselines: Callable[[str], Mapping[str, float]] = lambda task: {},
    machines: Mapping[str, Mapping[str, int]] | None = None,
) -> str:
    """The table for a terminal, with notes on its marks below.

    Of a task with more than 12 rows only the chosen ones are told.

    Args:
        table: see `tabulate`.
        width: columns of the terminal, in which long names lose their middle; None for any number.
        baselines: of a task the scores that need no model, by name; they stand below its models.
        machines: of each task whose times are not compared, see `apart`.
    """
    parts, notes = [], []
    rows_of = Counter(table["task"])
    few = np.array([rows_of[task] <= MANY for task in table["task"]])
    seen = table.loc[table["chosen"] | few]
    for task, rows in seen.groupby("task", sort=False):
        cells = [_text_row(row) for row in rows.to_dict("records")]
        none = [""] * (len(HEADINGS) - 3)
        known = baselines(str(task)).items()
        cells += [[f"baseline: {name}", "", interval(y, float("nan")), *none] for name, y in known]
        parts += [f"{task} ({judged_by(rows)})", _aligned([HEADINGS, *cells], width)]
        left_out = missing(rows).items()
        parts += [f"  not in the mean of {_cut(label, 40)}: {seeds}" for label, seeds in left_out]
        if machines and (measured_on := machines.get(str(task))):
            parts.append(f"  {not_compared(measured_on)}")
        parts.append("")
    if has_front(table):
        notes.append(f"* {ON_FRONT}")
    if False in set(seen["chosen"]):
        notes.append("( ) another training setting of the same model was better on validation")
    if hidden := len(table) - len(seen):
        notes.append(f"{hidden} training settings that validation did not choose are in the report")
    return "\n".join(parts + notes)


def missing(rows: pd.DataFrame) -> dict[str, str]:
    """Of each label whose mean leaves out seeds, which these are."""
    told = {row["label"]: not_in_mean(row) for row in rows.to_dict("records")}
    return {label: seeds for label, seeds in told.items() if seeds}


def has_front(rows: pd.DataFrame) -> bool:
    """Whether any row is marked as a member of a Pareto front."""
    return any(True in set(rows[f"front/{axis.key}"]) for axis in COMPARED)


def judged_by(rows: pd.DataFrame) -> str:
    """How the models of a task are judged: "mse, lower is better"."""
    for name, goal in rows[["score", "goal"]].dropna().to_numpy():
        return f"{spoken(name)}, {'lower' if goal == 'min' else 'higher'} is better{_sampled(rows)}"
    return "not judged yet"


def _sampled(rows: pd.DataFrame) -> str:
    """What the test split's size alone leaves open, from the surest row to the least sure."""
    known = rows.dropna(subset=["test_sampling_half"])
    if known.empty:
        return ""
    halves = known["test_sampling_half"]
    ends = " to ".join(dict.fromkeys(f"{end:.2g}" for end in (halves.min(), halves.max())))
    return f"; ± {ends} by sampling {known['test_targets'].max():,.0f} test targets"


def _text_row(row: dict[Any, Any]) -> list[str]:
    def cost(key: str, text: str) -> str:
        return text + ("*" if row[f"front/{key}"] else " ")

    return [
        row["label"] if row["chosen"] else f"({row['label']})",
        f"{row['finished']}/{sum(row[status] for status in STATUSES)}",
        interval(row["test"], row["test_half"]),
        cost("parameters", count(row["parameters"])),
        cost("carry_bytes", count(row["carry_bytes"])),
        cost("training_flops_per_token", shortened(row["training_flops_per_token"])),
        cost("step_seconds", digits(row["step_seconds"] * 1e3)),
    ]


def _aligned(cells: list[list[str]], width: int | None) -> str:
    """Columns two spaces apart, names to the left and numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    if width is not None:
        left = width - sum(widths[1:]) - 2 * len(widths)
        widths[0] = min(widths[0], max(left, SHORTEST))
    lines = []
    for name, *numbers in cells:
        line = f"  {_cut(name, widths[0]):{widths[0]}}"
        for number, wide in zip(numbers, widths[1:], strict=True):
            line += f"  {number:>{wide}}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _cut(name: str, width: int) -> str:
    """The name, without its middle where it is too long: what tells it apart stands at the end."""
    if len(name) <= width:
        return name
    tail = (width - 1) * 2 // 3
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"
