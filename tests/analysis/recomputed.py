"""A second opinion on a report: its numbers once more from the records, slowly, without seqexp.

It reads run.json, metrics.jsonl, timing.jsonl and cost.json, and follows the definitions that the
report states.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from recomputed_fronts import Fronts, once
from scipy import stats
from slow_measurements import growths
from slow_records import (
    Run,
    Setting,
    name_contenders,
    name_runs,
    read,
    spent_in_all,
)
from slow_statistics import (
    INF,
    NAN,
    ends,
    hedges,
    holm,
    improvement,
    iqm_interval,
    mean,
    resample_mean,
    share,
    sign_flips,
    stratified,
    student,
)

MEASURES = ("step", "examples", "tokens", "flops", "seconds")


class Truth:
    """All that a report on a study may say in numbers."""

    def __init__(self, *studies: Path) -> None:
        self.runs = [run for study in studies for run in read(study)]
        self.growth = {key: fit for study in studies for key, fit in growths(study).items()}
        name_runs(self.runs)
        groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in sorted(self.runs, key=lambda run: run.seed):
            groups[run.task, run.label].append(run)
        self.settings = [Setting(runs) for runs in groups.values()]
        for family in self.families().values():
            order = sorted(family, key=_by_validation)
            order[0].chosen = True
        name_contenders([s for s in self.settings if s.chosen])
        self.tasks = sorted({setting.task for setting in self.settings})
        self._kept: dict[Any, Any] = {}
        self.fronts = Fronts(self)

    def families(self, task: str | None = None) -> dict[tuple[str, str, str], list[Setting]]:
        """Settings of one architecture on one task, which compete on validation."""
        found: dict[tuple[str, str, str], list[Setting]] = defaultdict(list)
        for setting in self.settings:
            if task in (None, setting.task):
                built = setting.runs[0].architecture
                found[setting.task, setting.model, built].append(setting)
        return found

    @once
    def of(self, task: str) -> list[Setting]:
        """The rows of one task, the best test score first."""
        rows = [setting for setting in self.settings if setting.task == task]
        return sorted(rows, key=lambda s: (s.loss if s.n else INF, s.label))

    def field(self, task: str) -> list[Setting]:
        """The chosen ones that have finished a run, the best test score first."""
        return [s for s in self.of(task) if s.chosen and s.n]

    def called(self, task: str, label: str) -> str:
        """The name of a setting, where it competes."""
        return next(s.name for s in self.of(task) if s.label == label)

    def chosen_runs(self, task: str) -> list[Run]:
        return [run for s in self.of(task) if s.chosen for run in s.runs]

    def baselines(self, task: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for run in self.runs:
            if run.task == task:
                found |= run.said.get("baselines", {})
        return found

    def baseline_loss(self, task: str) -> float | None:
        sign = -1 if "max" in {s.goal for s in self.of(task)} else 1
        return min((sign * value for value in self.baselines(task).values()), default=None)

    @once
    def trials(self, task: str) -> dict[str, list[dict[str, float]]]:
        """What the best of n runs of a model can be expected to score on validation.

        A run that was lost counts as the worst of them, or as the baseline where that is worse.
        """
        found = {}
        for family in self.families(task).values():
            runs = [run for s in family for run in s.runs]
            runs = [run for run in runs if run.status not in ("running", "unreadable")]
            losses = [run.sign * run.valid for run in runs if run.trained]
            if not losses or len({run.label for run in runs}) < 2:
                continue
            baseline = self.baseline_loss(task)
            worst = max(losses) if baseline is None else max(*losses, baseline)
            losses = sorted(losses + [worst] * (len(runs) - len(losses)))
            total, last = len(losses), [spent_in_all(run) for run in runs]
            spent = {
                "seconds": mean([x for x, _ in last if math.isfinite(x)]),
                "flops": mean([x for _, x in last if math.isfinite(x)]),
            }
            rows = []
            for n in range(1, total + 1):
                # The best of n is the i-th where none is before it, and not all are behind it.
                chance = [((total - i) / total) ** n for i in range(total + 1)]
                each = [x * (chance[i] - chance[i + 1]) for i, x in enumerate(losses)]
                row = {key: n * value for key, value in spent.items()}
                rows.append({"trials": n, **row, "expected_best": runs[0].sign * math.fsum(each)})
            found[next(s for s in family if s.chosen).label] = rows
        return found

    @once
    def comparisons(self, task: str) -> list[dict[str, Any]]:
        """Every two chosen models of a task, the better mean first, by their contenders' names."""
        rivals = sorted(self.field(task), key=lambda s: (s.loss, s.name))
        pairs = list(itertools.combinations(rivals, 2))
        rows = [_compared(a, b) for a, b in pairs]
        corrected = holm([row["p"] for row in rows])
        for row, p in zip(rows, corrected, strict=True):
            row |= {"p_holm": p, "comparisons": len(rows)}
        return rows

    @once
    def ranks(self) -> dict[str, dict[str, Any]]:
        """The contenders over all tasks."""
        entries: dict[str, dict[str, Setting]] = defaultdict(dict)
        everyone = defaultdict(list)
        for setting in (s for s in self.settings if s.chosen):
            everyone[setting.name].append(setting)
            if setting.n:
                entries[setting.name][setting.task] = setting
        complete = [name for name in entries if len(entries[name]) == len(self.tasks)]
        drawn, found = [], {}
        rng = np.random.default_rng(411)
        places = {name: [] for name in complete}
        for task in self.tasks:
            losses = [entries[name][task].loss for name in complete]
            for name, loss in zip(complete, losses, strict=True):
                below, equal = sum(x < loss for x in losses), losses.count(loss)
                places[name].append(below + (equal + 1) / 2)
            drawn.append([resample_mean(entries[name][task].losses, rng) for name in complete])
        means = np.array(drawn)  # [G, N, R]
        known = bool(complete) and not np.isnan(means).any()
        mean_ranks = stats.rankdata(means, axis=1).mean(axis=0) if known else None
        for name, mine in everyone.items():
            row: dict[str, Any] = {"tasks": sum(s.n > 0 for s in mine)}
            row["n"] = sum(s.n for s in mine)
            row |= dict.fromkeys(("rank", "rank_low", "rank_high", "best_probability"), NAN)
            row |= dict.fromkeys(("score", "score_half", "iqm", "iqm_low", "iqm_high"), NAN)
            if name in complete:
                row["rank"] = mean(places[name])
                if mean_ranks is not None:
                    own = mean_ranks[complete.index(name)]
                    least = mean_ranks.min(axis=0)
                    ties = (mean_ranks == least).sum(axis=0)
                    row["rank_low"], row["rank_high"] = ends(own)
                    row["best_probability"] = share((own == least) / ties)
                groups = [self._scaled(entries[name][task]) for task in self.tasks]
                groups = [group for group in groups if group is not None]
                if groups:
                    row["score"], row["score_half"] = stratified(groups)
                    row["iqm"], row["iqm_low"], row["iqm_high"] = iqm_interval(groups)
            found[name] = row
        return found

    def _scaled(self, setting: Setting) -> list[float] | None:
        """Scores of 0 for the baseline (or the worst model) and 1 for the best model."""
        means = [s.loss for s in self.field(setting.task)]
        best, worst = min(means), max(means)
        baseline = self.baseline_loss(setting.task)
        worst = baseline if baseline is not None and baseline > best else worst
        if worst <= best:
            return None
        return [(worst - loss) / (worst - best) for loss in setting.losses]

    @once
    def tuning(self, task: str) -> dict[str, dict[str, Any]]:
        """Of each chosen label what its learning rates did, and what all of its runs cost."""
        found = {}
        for family in self.families(task).values():
            chosen = next(s for s in family if s.chosen)
            runs = [run for s in family for run in s.runs]
            row: dict[str, Any] = {"settings": family, "rates": self._rates(family)}
            row["runs"] = len(runs)
            row["lost"] = sum(run.status in ("diverged", "failed") for run in runs)
            last = [spent_in_all(run) for run in runs]
            row["seconds"] = sum(x for x, _ in last if math.isfinite(x))
            row["flops"] = sum(x for _, x in last if math.isfinite(x))
            row |= self._window(row["rates"], task)
            found[chosen.label] = row
        return found

    @staticmethod
    def _rates(family: Sequence[Setting]) -> dict[float, Setting]:
        """Of each rate the setting that validation prefers, by ascending rate."""
        found: dict[float, Setting] = {}
        for s in sorted(family, key=_by_validation):
            if s.rate > 0:
                found.setdefault(s.rate, s)
        return dict(sorted(found.items()))

    def _window(self, rates: Mapping[float, Setting], task: str) -> dict[str, Any]:
        """The rates around the best that lose no more seeds and a tenth of its lead at most."""
        gone = {rate: s.lost_share for rate, s in rates.items()}
        known = [rate for rate, s in rates.items() if s.trained]
        if not known:
            return {"best": NAN, "low": NAN, "high": NAN, "decades": NAN, "bounded": False}
        fewest = min(gone[rate] for rate in known)
        best = min((r for r in known if gone[r] == fewest), key=lambda r: rates[r].valid_loss)
        least, baseline = rates[best].valid_loss, self.baseline_loss(task)
        worst = max(rates[rate].valid_loss for rate in known)
        worst = baseline if baseline is not None and baseline > least else worst
        tried = list(rates)
        works = [
            rate in known
            and gone[rate] <= fewest
            and rates[rate].valid_loss <= least + (worst - least) / 10
            for rate in tried
        ]
        low = high = tried.index(best)
        while low > 0 and works[low - 1]:
            low -= 1
        while high + 1 < len(tried) and works[high + 1]:
            high += 1
        decades = math.log10(tried[high] / tried[low])
        bounded = low > 0 and high + 1 < len(tried)
        window = {"best": best, "low": tried[low], "high": tried[high]}
        return window | {"decades": decades, "bounded": bounded}

    def target(self, task: str) -> float:
        """The best validation score that all finished runs of the chosen models reached."""
        runs = [run for run in self.chosen_runs(task) if run.trained]
        return max((run.sign * run.valid, run.valid) for run in runs)[1] if runs else NAN

    @once
    def effort(self, task: str) -> dict[str, dict[str, Any]]:
        """What the median seed of each chosen model took until it first reached the target."""
        target, found = self.target(task), {}
        for setting in (s for s in self.of(task) if s.chosen):
            took = []
            for run in setting.runs:
                hits = [e for e in run.evaluations if run.sign * e["valid"] <= run.sign * target]
                if hits:
                    took.append(hits[0])
                elif run.trained or run.status == "diverged":
                    took.append(dict.fromkeys(MEASURES, INF))
            row: dict[str, Any] = {"n": len(took)}
            row["reached"] = sum(math.isfinite(one["step"]) for one in took)
            for key in MEASURES:
                order = sorted(one[key] for one in took if not math.isnan(one[key]))
                row[key] = order[len(order) // 2] if order else NAN
            found[setting.label] = row
        return found

    def band(self, label: str, task: str) -> dict[int, dict[str, float]]:
        """Mean and range over the seeds of a chosen model, at the steps that all have reached."""
        runs = [r for r in self.chosen_runs(task) if r.label == label]
        runs = [r for r in runs if (r.trained or r.status == "running") and r.evaluations]
        at = [{e["step"]: e for e in run.evaluations} for run in runs]
        found = {}
        for step in sorted(set.intersection(*map(set, at))) if at else []:
            here = [curve[step] for curve in at]
            row = {"step": step}
            for key in ("examples", "flops", "seconds"):
                told = [e[key] for e in here if not math.isnan(e[key])]
                row[key] = mean(told) if told else NAN
            values = [e["valid"] for e in here]
            found[step] = row | {"mean": mean(values), "low": min(values), "high": max(values)}
        return found


def _by_validation(s: Setting) -> tuple[bool, float, float, str]:
    return not s.trained, s.lost_share, s.valid_loss, s.label


def _compared(a: Setting, b: Setting) -> dict[str, Any]:
    mine, theirs = ({run.seed: run.sign * run.test for run in s.finished} for s in (a, b))
    seeds = sorted(mine.keys() & theirs.keys())
    ahead = [theirs[seed] - mine[seed] for seed in seeds]
    advantage, half = student(ahead)
    row: dict[str, Any] = {"a": a, "b": b, "n": len(seeds), "advantage": advantage, "half": half}
    row["effect"] = hedges([mine[seed] for seed in seeds], [theirs[seed] for seed in seeds])
    row["p"] = sign_flips(ahead)
    row["p_floor"] = 2 / 2 ** len(seeds) if seeds else NAN
    return row | improvement(*([*s.losses, *[INF] * s.count("diverged")] for s in (a, b)))
