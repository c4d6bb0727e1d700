"""Records on disk to tidy tables. Nothing bad stops the rest, and nothing is merged in silence."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from seqexp.analysis.axes import NUMBERS
from seqexp.analysis.measured import read_measured
from seqexp.analysis.records import UNREADABLE, Problem, RunFiles, read_run, without_weights
from seqexp.runs import jobs, plans
from seqexp.runs.identity import NOT_RESULT, with_todays_names
from seqexp.runs.jobs import Job
from seqexp.runs.naming import Group, Label, flatten, labels, of_model, shared, told, without_usual
from seqexp.runs.schema import METRICS, RUN
from seqexp.types import SeqexpError

CURVES = ["run", "step", "examples", "tokens", "seconds", "metric", "value"]
NULL = "(null)"
"""What stands in the tables for a setting that is null; one that a run does not have is NaN."""

NOT_METRICS = {"step", "examples", "tokens", "nonfinite"}


class Unrecorded(NamedTuple):
    """A run that a sweep planned and that left no record: in which study, its name, and why."""

    study: str
    name: str
    why: str


@dataclass(frozen=True)
class Study:
    """The runs of one or more studies.

    Attributes:
        name: the names of the studies' folders.
        runs: one row a run: `run` (its id), `study`, `folder`, `name`, `model`, `task`, `seed`,
            `group`, `task_label`, `label`, `model_label` (the label without how it was trained),
            `status` (see `STATUSES`), the `score` metric with its `goal`, the step (`score_step`)
            of the weights that validation chose, their `valid` and `test` score, the number of
            `test_targets` that the latter is a mean over (NaN in records of old), `diverged_step`,
            `error` (why there is no test score), every cost, every other metric (`valid/loss`, and
            those of further held-out splits), and every setting
            (`config/optimizer.learning_rate`) as a number, boolean or text, "(null)" for null.
        curves: one row a run, step and metric: `run`, `step`, `examples`, `tokens`, `seconds` by
            the clock, in which all members of its group trained side by side, `metric`, `value`;
            NaN stands for every value that was not finite.
        problems: what was left out, where it stands and why.
        files: of each run id, its files as they were read, but for what is in `curves`.
        growth: what `seqexp cost` measured for the studies, see `read_measured`.
        unread: how many folders of runs do not even say whose seed they are.
        unrecorded: the planned runs that left no record.
    """

    name: str
    runs: pd.DataFrame
    curves: pd.DataFrame
    problems: list[Problem]
    files: Mapping[str, RunFiles]
    growth: pd.DataFrame
    unread: int = 0
    unrecorded: Sequence[Unrecorded] = ()

    def runs_dir(self, study: str) -> str:
        """Where one of the studies lies, as the config of its first run says."""
        first = next(
            run for run, of in zip(self.runs["run"], self.runs["study"], strict=True) if of == study
        )
        return str(self.files[first].run.config.get("runs_dir", "runs"))

    def baselines(self, task_label: str) -> dict[str, float]:
        """The scores on a task that need no model, by name."""
        scores: dict[str, float] = {}
        for run in self.runs["run"][self.runs["task_label"] == task_label]:
            scores = {**self.files[run].run.baselines, **scores}
        return scores


def load(*studies: Path | str) -> Study:
    """Read studies: folders that hold one folder a run.

    A run id that comes twice, and a run that is judged by another metric than the first of its
    task, are left out and named among the problems, as is whatever can not be read.

    Raises:
        SeqexpError: a folder is missing, or there is no run in any of them.
    """
    directories = [Path(study).resolve() for study in studies]
    if not directories:
        raise SeqexpError("no study given: name a folder that holds one folder a run")
    for directory in directories:
        if not directory.is_dir():
            raise SeqexpError(f"no study in {directory}: give a folder that holds one folder a run")
    where = ", ".join(str(directory) for directory in directories)
    files, folders, curves, problems, lost = _read(directories)
    unrecorded = [each for directory in directories for each in _unrecorded(directory, files)]
    if not files:
        unread = f" ({len(problems)} left out: {problems[0].what})" if problems else ""
        if unrecorded:
            first, count = unrecorded[0], len(unrecorded)
            unread += f"; of {count} planned none left a record ({first.name}: {first.why})"
        raise SeqexpError(f"no runs in {where}{unread}: give a folder that holds one folder a run")
    runs = _runs(files, folders)
    runs, foreign = _judged_alike(runs)
    files = {run: files[run] for run in runs["run"]}
    name = " + ".join(dict.fromkeys(directory.name for directory in directories))
    kept = pd.concat([curves[run] for run in files], ignore_index=True)
    growth, unread = read_measured(directories)
    problems += foreign + unread
    return Study(name, runs, kept, problems, files, growth, lost, unrecorded)


def _read(
    directories: list[Path],
) -> tuple[dict[str, RunFiles], dict[str, Path], dict[str, pd.DataFrame], list[Problem], int]:
    files: dict[str, RunFiles] = {}
    folders: dict[str, Path] = {}
    curves: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    unread = 0
    for directory in directories:
        try:
            inside = sorted(path for path in directory.iterdir() if path.is_dir())
        except OSError as error:
            raise SeqexpError(f"cannot read {directory} ({error.strerror})") from error
        for folder in inside:
            if not _may_hold_a_record(folder):
                continue  # a report, costs, or Hydra's own notes
            read, complaints = read_run(folder)
            problems += complaints
            if read is None:
                unread += 1
                continue
            run = read.run.id
            if run in files:
                first = f"{folders[run].parent.name}/{folders[run].name}"
                what = f"run {run} was read from {first} before; this one is left out"
                problems.append(Problem(f"{directory.name}/{folder.name}", what))
                continue
            curves[run], folders[run] = _curves(read), folder
            # Of many runs the lines would take several times the memory of the table.
            files[run] = read._replace(metrics=[], timing=[])
    today = {read.run.group: read.group for read in files.values() if read.status != UNREADABLE}
    # A record without its config is one of the seeds of its siblings.
    files = {
        run: read._replace(group=today.get(read.run.group, read.group))
        for run, read in files.items()
    }
    problems += without_weights({folders[run]: read for run, read in files.items()})
    return files, folders, curves, problems, unread


def _may_hold_a_record(folder: Path) -> bool:
    """Whether a folder holds a run's record, or can't be entered, so that nobody can tell."""
    if any(os.path.exists(folder / name) for name in (RUN, METRICS)):
        return True
    return folder.is_dir() and not os.access(folder, os.X_OK)


def _unrecorded(directory: Path, files: Mapping[str, RunFiles]) -> list[Unrecorded]:
    """The planned runs of a study of which there is no record, under their id or in their folder,
    in the order in which they were planned."""
    job_of = {id: job for job in jobs.read(directory) for id in job.runs}
    found = []
    for run in plans.read(directory):
        if run.id in files or _may_hold_a_record(directory / run.folder):
            continue
        why = _fate(job_of[run.id]) if run.id in job_of else "no process began a record"
        found.append(Unrecorded(directory.name, run.name, why))
    return found


def _fate(job: Job) -> str:
    """What became of the job that was to train a run without a record."""
    if job.state == "failed":
        return f"its job failed: {job.why}"
    if job.state == "ended":
        return f"its job ({job.executor}) ended"
    waits = "" if job.why is None else f"; when last asked, it waited for: {job.why}"
    return f"its job ({job.executor}) was submitted{waits}"


def _runs(files: Mapping[str, RunFiles], folders: Mapping[str, Path]) -> pd.DataFrame:
    settings = {run: settings_of(read) for run, read in files.items()}
    groups = {run: Group(read.run.task, read.run.model, read.group) for run, read in files.items()}
    members: dict[Group, list[str]] = defaultdict(list)
    for run, read in files.items():
        if read.status != UNREADABLE:  # it has no settings to be named by
            members[groups[run]].append(run)
    seen = {run: told(settings[run], read.run.to_json()) for run, read in files.items()}
    named = labels({g: shared([seen[run] for run in runs]) for g, runs in members.items()})
    label = {run: named.get(group) or _unnamed(group) for run, group in groups.items()}
    rows = [_row(files[run], folders[run], label[run], settings[run]) for run in files]
    frame = pd.DataFrame(rows)
    built = frame.groupby(["task_label", "label"])["architecture"]
    frame["architecture"] = frame["architecture"].where(
        frame["status"] != UNREADABLE, built.transform("max")
    )
    splits = {"valid", "test"}.union(*(read.run.held_out for read in files.values()))
    measured = [key for key in frame if str(key).rpartition("/")[0] in splits]
    for key in [
        "score_step",
        "valid",
        "test",
        "test_targets",
        "diverged_step",
        *NUMBERS,
        *measured,
    ]:
        frame[key] = pd.to_numeric(frame[key], errors="coerce")
    return frame.sort_values(["task_label", "label", "seed", "run"], ignore_index=True)


def _row(
    files: RunFiles, folder: Path, label: Label, settings: Mapping[str, str]
) -> dict[str, Any]:
    run = files.run
    score: dict[str, Any] = {} if run.score is None else run.score.to_json()
    row = {"run": run.id, "study": folder.parent.name, "folder": folder.name}
    row |= {"name": run.name}
    row |= {"model": run.model, "task": run.task, "seed": run.seed, "group": files.group}
    row |= {"task_label": label.task, "label": label.whole, "model_label": label.model}
    row |= {"status": files.status}
    row |= {"score": score.get("name"), "goal": score.get("goal"), "score_step": score.get("step")}
    row |= {split: score.get(split) for split in ("valid", "test")}
    row |= {"test_targets": (run.test_targets or {}).get(score.get("name", ""))}
    row |= {"diverged_step": run.diverged_step, "error": files.error}
    row |= {"architecture": architecture(settings)}
    row |= {key: files.cost.get(key) for key in NUMBERS}
    for split, metrics in {"valid": run.valid, "test": run.test, **run.held_out}.items():
        row |= {f"{split}/{metric}": value for metric, value in metrics.items()}
    return row | {f"config/{key}": value for key, value in _values(_config(files), "").items()}


def _unnamed(group: Group) -> Label:
    """What a group is called of which no record can be read whole."""
    return Label(group.task, group.model, f"#{group.hash[:6]}")


def architecture(settings: Mapping[str, str]) -> str:
    """What makes a model, apart from how it is trained: the settings that `of_model` names, but for
    those that earlier records lack, where they change nothing."""
    own = sorted(without_usual(settings).items())
    return "; ".join(f"{k}={v}" for k, v in own if of_model(k))


def settings_of(read: RunFiles) -> dict[str, str]:
    """What may tell a run's group from another, as text: what its identity is made of."""
    return flatten(_config(read))


def _config(read: RunFiles) -> dict[str, Any]:
    config = with_todays_names(read.run.config)
    kept = {key: value for key, value in config.items() if key not in NOT_RESULT}
    return kept | {"device": str(read.manifest.get("device_kind"))}


def _values(config: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """A nested config as dotted keys: numbers, booleans and texts as they are, lists as JSON.

    Null is a text of its own: pandas takes None, "null" and "None" for what is missing, leaves it
    out when it groups, and would so lose half of the runs.
    """
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _values(value, f"{prefix}{key}.")
        elif value is None:
            flat[prefix + key] = NULL
        else:
            plain = isinstance(value, str | int | float)
            flat[prefix + key] = value if plain else json.dumps(value, ensure_ascii=False)
    return flat


def _judged_alike(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """The runs less those that are judged by another metric than the first of their task."""
    problems = []
    pairs = zip(runs["score"], runs["goal"], strict=True)
    metric = pd.Series([f"{name} ({goal})" if pd.notna(name) else None for name, goal in pairs])
    first = metric.groupby(runs["task_label"]).transform("first")
    alike = metric.isna() | (metric == first)
    for i in runs.index[~alike]:
        what = f"judged by {metric[i]}, its task by {first[i]}; the run is left out"
        problems.append(Problem(f"{runs.at[i, 'study']}/{runs.at[i, 'folder']}", what))
    return runs.loc[alike].reset_index(drop=True), problems


def _curves(read: RunFiles) -> pd.DataFrame:
    """The rows of `Study.curves` for one run."""
    records = read.metrics
    elapsed = {record["step"]: record.get("seconds") for record in read.timing}
    at = {"step": np.array([record["step"] for record in records], dtype=int)}
    for key in ("examples", "tokens"):
        at[key], _ = _numbers([record.get(key) for record in records])
    at["seconds"], _ = _numbers([elapsed.get(record["step"]) for record in records])
    found = {
        key: _numbers([record.get(key, "absent") for record in records])
        for key in dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, records))))
        if key not in NOT_METRICS
    }
    rows = [np.flatnonzero(known) for _, known in found.values()]
    place = np.concatenate([np.arange(0), *rows])
    columns: dict[str, Any] = {name: column[place] for name, column in at.items()}
    columns["run"] = pd.Series([read.run.id] * len(place), dtype="str")
    names = pd.Series(list(found), dtype="str")
    columns["metric"] = names.repeat([len(row) for row in rows]).array
    columns["value"] = np.concatenate(
        [np.zeros(0), *(values[known] for values, known in found.values())]
    )
    return pd.DataFrame(columns, columns=pd.Index(CURVES))


def _numbers(values: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The values as floats, NaN for None, and which of them are either."""
    known = np.ones(len(values), dtype=bool)
    if not set(map(type, values)) <= {int, float, bool, type(None)}:
        known = np.array([isinstance(value, int | float | None) for value in values], dtype=bool)
        values = [value if told else None for value, told in zip(values, known, strict=True)]
    return np.array(values, dtype=float), known
