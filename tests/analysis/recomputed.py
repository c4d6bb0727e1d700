"""A second opinion on a report: its numbers once more from the records, slowly, without seqexp.

It reads run.json, metrics.jsonl, timing.jsonl and cost.json, and follows the definitions that the
report states, each written out anew. What the report finds by resampling is found here by other
and more resamples, and told as the range within which the report must be.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

RESAMPLES = 20_000
THEIRS = 2_000
"""How many resamples the report says that it takes."""

SIGMAS = 5
"""Within so many binomial standard errors the report's resamples must agree with these."""

NO_RESULT = ("study", "runs_dir", "data_dir", "logger", "hydra", "launcher", "progress")
NO_RESULT += ("labels", "rerun", "match")
"""Entries of a config that do not change what a run computes."""

COSTS = {
    "parameters": "parameters",
    "carry_bytes": "carry size",
    "training_flops_per_token": "training FLOPs",
    "inference_flops_per_token": "inference FLOPs",
    "step_seconds": "training step time",
    "decode_seconds_per_token": "decoding time",
}
"""Costs that have a front, and their names in a sentence."""

TABLED = (*COSTS, "prefill_seconds", "compile_seconds", "program_bytes")
TABLED += ("training_sequential_depth",)
GROWING = ("step_seconds", "prefill_seconds", "decode_seconds_per_token", "program_bytes")
GROWING += ("training_flops_per_step",)
"""Costs of which `seqexp cost` tells how they grow."""

MEASURES = ("step", "examples", "tokens", "flops", "seconds")
NAN, INF = math.nan, math.inf


class Between(NamedTuple):
    """Where a number must be that another resampling found."""

    low: float
    high: float


Expected = float | Between


def share(hits: np.ndarray) -> Between:
    """Where the share of `THEIRS` resamples must be, from that of the `[R]` own ones."""
    p, n = float(np.mean(hits)), len(hits)
    careful = (np.sum(hits) + 2) / (n + 4)  # not sure that what never happened never does
    error = SIGMAS * math.sqrt(careful * (1 - careful) * (1 / THEIRS + 1 / n)) + 1 / THEIRS
    return Between(max(0.0, p - error), min(1.0, p + error))


def quantile(samples: np.ndarray, p: float) -> Between:
    """Where the quantile of `THEIRS` resamples must be: among own ones of so many errors."""
    error = SIGMAS * math.sqrt(p * (1 - p) / THEIRS)
    low = np.quantile(samples, max(0.0, p - error), method="lower")
    high = np.quantile(samples, min(1.0, p + error), method="higher")
    return Between(float(low), float(high))


def ends(samples: np.ndarray) -> tuple[Between, Between]:
    """Of a 95 % interval of percentiles."""
    return quantile(samples, 0.025), quantile(samples, 0.975)


def once(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of `Truth` that is computed once for the same arguments."""

    @wraps(method)
    def kept(self: Truth, *arguments: Any) -> Any:
        key = (method.__name__, *map(str, arguments))
        if key not in self._kept:
            self._kept[key] = method(self, *arguments)
        return self._kept[key]

    return kept


@dataclass
class Run:
    """One run, with the validation score that its metrics.jsonl says is its best."""

    folder: Path
    said: dict[str, Any]
    cost: dict[str, Any]
    records: list[dict[str, Any]]
    elapsed: dict[int, float]
    task: str = ""
    label: str = ""
    model_label: str = ""
    contender: str = ""

    def __post_init__(self) -> None:
        self.id: str = self.said["id"]
        self.model: str = self.said["model"]
        self.seed: int = self.said["seed"]
        self.status: str = self.said["status"]
        score = self.said.get("score") or {}
        self.score: str | None = score.get("name")
        self.goal: str = score.get("goal") or "min"
        self.sign = -1 if self.goal == "max" else 1
        self.finished = self.status == "finished"
        self.test: float = score["test"] if self.finished else NAN
        self.valid, self.best_step = NAN, None
        if self.finished and self.evaluations:
            best = min(self.evaluations, key=lambda at: (self.sign * at["valid"], at["step"]))
            self.valid, self.best_step = best["valid"], best["step"]

    @cached_property
    def evaluations(self) -> list[dict[str, float]]:
        """Validation scores in the order of the steps, with what training took until then."""
        found = []
        for record in self.records:
            value = record.get(f"valid/{self.score}")
            if isinstance(value, int | float) and math.isfinite(value):
                found.append({**self.spent_at(record), "valid": value})
        return sorted(found, key=lambda at: at["step"])

    def spent_at(self, record: Mapping[str, Any]) -> dict[str, float]:
        tokens, each = record.get("tokens"), self.cost.get("training_flops_per_token")
        return {
            "step": record["step"],
            "examples": _float(record.get("examples")),
            "tokens": _float(tokens),
            "flops": NAN if tokens is None or each is None else tokens * each,
            "seconds": _float(self.elapsed.get(record["step"])),
        }

    @cached_property
    def settings(self) -> dict[str, str]:
        """The config that determines the result, flat: {"optimizer.learning_rate": "0.01"}."""
        config = self.said.get("config", {})
        return flat({key: value for key, value in config.items() if key not in NO_RESULT})

    @property
    def architecture(self) -> str:
        """What it is built of, however it is trained."""
        built = {key: v for key, v in self.settings.items() if key.startswith("model.")}
        return "; ".join(f"{key}={value}" for key, value in sorted(built.items()))

    @cached_property
    def named_by(self) -> dict[str, str]:
        """The settings, with a budget in the place of the width that met it."""
        match = self.said.get("match")
        if not match:
            return self.settings
        told = {key: value for key, value in self.settings.items() if key != "model.features"}
        return told | {f"model.{match['by']}": str(match["budget"])}

    @property
    def rate(self) -> float:
        return _float(self.settings.get("optimizer.learning_rate"))

    @property
    def where(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    def contradictions(self) -> list[str]:
        """Where run.json says something else of validation than metrics.jsonl."""
        if not self.finished:
            return []
        score, wrong = self.said["score"], []
        if (score["valid"], score["step"]) != (self.valid, self.best_step):
            wrong.append(f"{self.where}: the best on validation is {self.valid}@{self.best_step}")
        kept = next((r for r in self.records if r["step"] == score["step"]), {})
        for name, value in self.said["valid"].items():
            if kept.get(f"valid/{name}") != value:
                wrong.append(f"{self.where}: valid {name} of step {score['step']} is not {value}")
        if self.said["test"][score["name"]] != score["test"]:
            wrong.append(f"{self.where}: two test scores")
        return wrong


@dataclass
class Setting:
    """Runs that differ in nothing but their seed: a row of the table."""

    runs: list[Run]
    chosen: bool = False
    cost: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = self.runs[0]
        self.task, self.label, self.model = first.task, first.label, first.model
        self.sign, self.goal, self.rate = first.sign, first.goal, first.rate
        self.finished = [run for run in self.runs if run.finished]
        self.n = len(self.finished)
        self.cost = {key: median(run.cost.get(key) for run in self.runs) for key in TABLED}
        self.tests, self.valids = self.scores("test"), self.scores("valid")

    def scores(self, split: str) -> list[float]:
        return [getattr(run, split) for run in self.finished]

    def count(self, status: str) -> int:
        return sum(run.status == status for run in self.runs)

    @property
    def lost(self) -> int:
        return self.count("diverged") + self.count("failed")

    @property
    def valid_loss(self) -> float:
        return self.sign * mean(self.valids) if self.n else INF

    @property
    def losses(self) -> list[float]:
        return [self.sign * test for test in self.tests]

    @property
    def loss(self) -> float:
        return mean(self.losses)

    @property
    def name(self) -> str:
        """What it is called where it competes; others are called by their label."""
        return self.runs[0].contender if self.chosen else self.label

    @property
    def seed_cost(self) -> dict[str, float]:
        """Medians over the finished seeds."""
        return {key: median(values) for key, values in self.cost_by_seed().items()}

    def cost_by_seed(self) -> dict[str, list[float]]:
        return {
            key: [_float(run.cost.get(key), self.cost[key]) for run in self.finished]
            for key in COSTS
        }


class Truth:
    """All that a report on a study may say in numbers."""

    def __init__(self, *studies: Path) -> None:
        self.runs = [run for study in studies for run in read(study)]
        self.growth = {key: fit for study in studies for key, fit in growths(study).items()}
        _name(self.runs)
        groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in sorted(self.runs, key=lambda run: run.seed):
            groups[run.task, run.label].append(run)
        self.settings = [Setting(runs) for runs in groups.values()]
        for family in self.families().values():
            order = sorted(family, key=lambda s: (s.n == 0, s.lost, s.valid_loss, s.label))
            order[0].chosen = True
        _name_contenders([s for s in self.settings if s.chosen])
        self.tasks = sorted({setting.task for setting in self.settings})
        self._kept: dict[Any, Any] = {}

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
    def on_front(self, task: str, key: str) -> set[str]:
        """Labels on the Pareto front of the mean test score against a cost."""
        points = {s.label: (s.cost[key], s.loss) for s in self.field(task)}
        return pareto(points)

    @cached_property
    def resampled(self) -> dict[str, dict[str, Any]]:
        """Of each task its resampled `losses` `[R, N]` and `costs` `[R, N, K]`, by `labels`."""
        found = {}
        for task in self.tasks:
            rng = np.random.default_rng(20261124)
            rivals = sorted(self.field(task), key=lambda s: s.label)
            losses = np.array([resample_mean(s.losses, rng) for s in rivals])
            costs = []
            for setting in rivals:
                by_seed = np.array(list(setting.cost_by_seed().values()))  # [K, n]
                drawn = rng.integers(0, setting.n, (RESAMPLES, setting.n))
                medians = np.median(by_seed[:, drawn], axis=-1)
                constant = np.ptp(by_seed, axis=1) == 0
                medians[constant] = by_seed[constant, :1]
                costs.append(medians)
            found[task] = {
                "labels": [s.label for s in rivals],
                "losses": losses.T if len(rivals) else np.empty((RESAMPLES, 0)),
                "costs": np.transpose(np.array(costs), (2, 0, 1)) if costs else None,
            }
        return found

    @once
    def front_shares(self, task: str, keys: Sequence[str]) -> dict[str, Expected]:
        """How often each is on the front against some costs at once; NaN where it is not known."""
        drawn = self.resampled[task]
        labels, losses = drawn["labels"], drawn["losses"]
        columns = [list(COSTS).index(key) for key in keys]
        found: dict[str, Expected] = {}
        for j, label in enumerate(labels):
            beaten, unsure = np.zeros(RESAMPLES, bool), bool(np.isnan(losses[:, j]).any())
            own = drawn["costs"][:, j, columns]
            if np.isnan(own).any():
                found[label] = 0.0
                continue
            for i in range(len(labels)):
                theirs = drawn["costs"][:, i, columns]
                if i == j or np.isnan(theirs).any():
                    continue
                no_dearer = (theirs <= own).all(axis=1)
                if np.isnan(losses[:, i]).any():
                    unsure = unsure or bool(no_dearer.any())
                    continue
                beaten |= dominates(theirs, losses[:, i], own, losses[:, j])
            found[label] = NAN if unsure else share(~beaten)
        return found

    @once
    def dominance(self, task: str, key: str) -> dict[tuple[str, str], Expected]:
        """How often one chosen model dominates another against a cost."""
        drawn = self.resampled[task]
        labels, losses = drawn["labels"], drawn["losses"]
        column = [list(COSTS).index(key)]
        found: dict[tuple[str, str], Expected] = {}
        for i, j in itertools.permutations(range(len(labels)), 2):
            a, b = drawn["costs"][:, i, column], drawn["costs"][:, j, column]
            known = not np.isnan(losses[:, [i, j]]).any()
            priced = not (np.isnan(a).any() or np.isnan(b).any())
            wins = dominates(a, losses[:, i], b, losses[:, j]) & priced
            found[labels[i], labels[j]] = share(wins) if known else NAN
        return found

    def common(self, task: str) -> list[str]:
        """Costs that are known of all chosen models."""
        rivals = self.field(task)
        return [key for key in COSTS if all(math.isfinite(s.seed_cost[key]) for s in rivals)]

    @once
    def volumes(self, task: str) -> dict[tuple[str, str], dict[str, Expected]]:
        """Of each cost ("all" for all at once) and kind of model what it covers, and its share.

        Costs count in decades up to twice the largest, scores from the baseline or else the worst
        model on; the volume is that of a union of boxes.
        """
        rivals, drawn = self.field(task), self.resampled[task]
        if not rivals:
            return {}
        order = [drawn["labels"].index(s.label) for s in rivals]
        losses = np.vstack([[s.loss for s in rivals], drawn["losses"][:, order]])
        baseline = self.baseline_loss(task)
        worst = max(s.loss for s in rivals) if baseline is None else baseline
        axes = {key: [key] for key in self.common(task)}
        if len(axes) > 1 and len(rivals) <= 12:
            axes["all"] = [*axes]
        found: dict[tuple[str, str], dict[str, Expected]] = {}
        models = list(dict.fromkeys(s.model for s in rivals))
        for axis, keys in axes.items():
            cost = np.array([[s.seed_cost[key] for key in keys] for s in rivals])
            if not (cost > 0).all():
                continue
            room = np.log10(2 * cost.max(axis=0)) - np.log10(cost)
            gain = worst - losses
            own = {m: [i for i, s in enumerate(rivals) if s.model == m] for m in models}
            covers = {m: union(room[mine], gain[:, mine]) for m, mine in own.items()}
            whole = union(room, gain)
            known = whole[0] > 0 and not np.isnan(losses).any()
            most = np.max([*covers.values()], axis=0)
            ties = sum(np.isclose(volume, most, rtol=1e-12) for volume in covers.values())
            for model, volume in covers.items():
                row: dict[str, Expected] = {"hypervolume": float(volume[0])}
                row["share"] = float(volume[0] / whole[0]) if whole[0] else NAN
                row |= dict.fromkeys(("share_low", "share_high", "most"), NAN)
                if known:
                    with np.errstate(invalid="ignore"):
                        shares = volume[1:] / whole[1:]
                    row["share_low"], row["share_high"] = ends(shares)
                    wins = np.isclose(volume, most, rtol=1e-12) / ties * (whole > 0)
                    row["most"] = share(wins[1:])
                found[axis, model] = row
        return found

    @once
    def trials(self, task: str) -> dict[str, list[dict[str, float]]]:
        """What the best of n runs of a model can be expected to score on validation.

        A run that was lost counts as the worst of them, or as the baseline where that is worse.
        """
        found = {}
        for family in self.families(task).values():
            runs = [run for s in family for run in s.runs if run.status != "running"]
            losses = [run.sign * run.valid for run in runs if run.finished]
            if not losses or len({run.label for run in runs}) < 2:
                continue
            baseline = self.baseline_loss(task)
            worst = max(losses) if baseline is None else max(*losses, baseline)
            losses = sorted(losses + [worst] * (len(runs) - len(losses)))
            total, last = len(losses), [_last(run) for run in runs]
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

    def priced(self, task: str) -> list[str]:
        """Costs that are known of any chosen model."""
        rivals = self.field(task)
        return [key for key in COSTS if any(math.isfinite(s.cost[key]) for s in rivals)]

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
            last = [_last(run) for run in runs]
            row["seconds"] = sum(x for x, _ in last if math.isfinite(x))
            row["flops"] = sum(x for _, x in last if math.isfinite(x))
            row |= self._window(row["rates"], task)
            found[chosen.label] = row
        return found

    @staticmethod
    def _rates(family: Sequence[Setting]) -> dict[float, Setting]:
        """Of each rate the setting that validation prefers, by ascending rate."""
        found: dict[float, Setting] = {}
        for s in sorted(family, key=lambda s: (s.n == 0, s.lost, s.valid_loss, s.label)):
            if s.rate > 0:
                found.setdefault(s.rate, s)
        return dict(sorted(found.items()))

    def _window(self, rates: Mapping[float, Setting], task: str) -> dict[str, Any]:
        """The rates around the best that lose no more seeds and a tenth of its lead at most."""
        gone = {}
        for rate, s in rates.items():
            ended = s.lost + s.n
            gone[rate] = s.lost / ended if ended else 1.0
        known = [rate for rate, s in rates.items() if s.n]
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
        runs = [run for run in self.chosen_runs(task) if run.finished]
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
                elif run.status in ("finished", "diverged"):
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
        runs = [r for r in runs if r.status in ("finished", "running") and r.evaluations]
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


def read(study: Path) -> list[Run]:
    """The runs of a study's folder."""
    runs = []
    for path in sorted(study.glob("*/run.json")):
        folder = path.parent
        cost = folder / "cost.json"
        elapsed = {line["step"]: line["seconds"] for line in _lines(folder / "timing.jsonl")}
        runs.append(
            Run(
                folder,
                json.loads(path.read_text()),
                json.loads(cost.read_text()) if cost.exists() else {},
                _lines(folder / "metrics.jsonl"),
                elapsed,
            )
        )
    return runs


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def _last(run: Run) -> tuple[float, float]:
    """Seconds and FLOPs up to the last record; NaN where not recorded."""
    spent = [run.spent_at(record) for record in run.records]
    seconds = [at["seconds"] for at in spent if math.isfinite(at["seconds"])]
    flops = [at["flops"] for at in spent if math.isfinite(at["flops"])]
    return max(seconds, default=NAN), max(flops, default=NAN)


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return found


def _name(runs: Sequence[Run]) -> None:
    """Task, model and setting are called by what varies: "adding", "gru units=8", "... lr=0.1"."""
    for mine in _by(runs, lambda run: run.said["task"]).values():
        varied = [key for key in _varied(mine) if key.startswith("task.")]
        for run in mine:
            run.task = _told(run.said["task"], run.named_by, varied)
    for mine in _by(runs, lambda run: (run.task, run.model)).values():
        varied = [key for key in _varied(mine) if not key.startswith("task.") and key != "seed"]
        built = [key for key in varied if key.startswith("model.")]
        trained = [key for key in varied if not key.startswith("model.")]
        for run in mine:
            run.model_label = _told(run.model, run.named_by, built)
            run.label = _told(run.model_label, run.named_by, trained)
    for mine in _by(runs, lambda run: (run.task, run.label)).values():
        assert len({run.said["group"] for run in mine}) == 1
        assert len({run.seed for run in mine}) == len(mine)


def _name_contenders(chosen: Sequence[Setting]) -> None:
    """A chosen model is called by what varies in how the chosen ones are built."""
    for mine in _by(chosen, lambda s: (s.task, s.model)).values():
        keys = [key for key in _varied([s.runs[0] for s in mine]) if key.startswith("model.")]
        for run in (run for setting in mine for run in setting.runs):
            run.contender = _told(run.model, run.named_by, keys)


def _by(things: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return found


def _varied(runs: Sequence[Run]) -> list[str]:
    settings = [run.named_by for run in runs]
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if len({one.get(key) for one in settings}) > 1]


def _told(name: str, settings: Mapping[str, str], keys: Sequence[str]) -> str:
    short = {"learning_rate": "lr"}
    last = [key.rsplit(".", 1)[-1] for key in keys]
    told = zip(keys, last, strict=True)
    return " ".join([name, *(f"{short.get(x, x)}={settings[k]}" for k, x in told if k in settings)])


def _float(value: Any, otherwise: float = NAN) -> float:
    return otherwise if value is None else float(value)


def median(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(statistics.median(known)) if known else NAN


def mean(values: Sequence[float]) -> float:
    """Exact where all are equal."""
    if not len(values):
        return NAN
    return float(values[0]) if len(set(values)) == 1 else math.fsum(values) / len(values)


def spread(values: Sequence[float]) -> float:
    """The sample's variance."""
    return 0.0 if len(set(values)) == 1 else statistics.variance(values)


def student(values: Sequence[float]) -> tuple[float, float]:
    """A mean and the half-width of its 95 % interval."""
    n = len(values)
    if n < 2:
        return mean(values), NAN
    return mean(values), float(stats.t.ppf(0.975, n - 1)) * math.sqrt(spread(values) / n)


def stratified(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The mean of the groups' means, with Satterthwaite's degrees of freedom."""
    if not groups or not all(len(group) for group in groups):
        return NAN, NAN
    middle = mean([mean(group) for group in groups])
    if min(map(len, groups)) < 2:
        return middle, NAN
    parts = [spread(group) / len(group) / len(groups) ** 2 for group in groups]
    if sum(parts) == 0:
        return middle, 0.0
    each = zip(parts, groups, strict=True)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(group) - 1) for part, group in each)
    return middle, float(stats.t.ppf(0.975, freedom)) * math.sqrt(sum(parts))


def interquartile_mean(values: Sequence[float]) -> float:
    cut = len(values) // 4
    return mean(sorted(values)[cut : len(values) - cut])


def resample(values: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """`[R, n]` resamples of at least two values, spread about their mean by sqrt(n / (n - 1))."""
    x, n = np.array(values, dtype=float), len(values)
    if len(set(values)) == 1:
        return np.full((RESAMPLES, n), x[0])
    drawn = x[rng.integers(0, n, (RESAMPLES, n))]
    return x.mean() + math.sqrt(n / (n - 1)) * (drawn - x.mean())


def resample_mean(values: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """NaN for one value, of which the spread is not known."""
    if len(values) < 2:
        return np.full(RESAMPLES, NAN)
    if len(set(values)) == 1:
        return np.full(RESAMPLES, float(values[0]))
    return resample(values, rng).mean(axis=1)


def iqm_interval(groups: Sequence[Sequence[float]]) -> tuple[Expected, Expected, Expected]:
    """The interquartile mean of all groups, and percentiles widened as Student's are."""
    pooled = [value for group in groups for value in group]
    if not pooled or not all(len(group) for group in groups):
        return NAN, NAN, NAN
    value, (_, half) = interquartile_mean(pooled), stratified(groups)
    if math.isnan(half) or half == 0:
        return value, value + half, value + half
    rng = np.random.default_rng(5)
    drawn = [resample(group, rng) for group in groups]
    low, high = ends(np.mean([x.mean(axis=1) for x in drawn], axis=0))
    widths = high.high - low.low, high.low - low.high
    together = np.sort(np.concatenate(drawn, axis=1), axis=1)
    cut = together.shape[1] // 4
    middle = together[:, cut : together.shape[1] - cut].mean(axis=1)

    def widened(end: Between) -> Between:
        corners = [value + 2 * half / width * (q - value) for width in widths for q in end]
        return Between(min(corners), max(corners))

    low, high = ends(middle)
    return value, widened(low), widened(high)


def union(room: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """`[R]` volumes of a union of boxes from one corner, by inclusion and exclusion.

    Args:
        room: `[N, K]`, the sides of the boxes that are constant.
        gain: `[R, N]`, their last side.
    """
    total = np.zeros(len(gain))
    for size in range(1, len(room) + 1):
        for some in itertools.combinations(range(len(room)), size):
            sides = np.maximum(0, room[list(some)].min(axis=0)).prod()
            total += (-1) ** (size + 1) * sides * np.maximum(0, gain[:, some].min(axis=1))
    return total


def growths(study: Path) -> dict[tuple[str, str, str], dict[str, dict[str, Any]]]:
    """The exponent of each cost by task, model and what was varied, as `seqexp cost` measured."""
    points: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(study.glob("cost/*/cost.json")):
        for one in json.loads(path.read_text())["measured"]:
            points[one["task"], one["label"], one["varied"]].append(one)
    found: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for key, measured in points.items():
        fits = {}
        for cost in GROWING:
            told = [(one[key[2]], one["cost"].get(cost)) for one in measured]
            told = [(size, value) for size, value in told if value]
            if len({size for size, _ in told}) > 1:
                fits[cost] = power_law(told) | {"points": sorted(told)}
        found[key] = fits
    return found


def power_law(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    """A line through logarithms, of the upper half of their range if it holds four sizes."""
    sizes = sorted({size for size, _ in points})
    upper = [size for size in sizes if size**2 >= sizes[0] * sizes[-1]]
    kept = [(s, c) for s, c in points if s >= upper[0]] if len(upper) >= 4 else list(points)
    x, y = ([math.log(one[i]) for one in kept] for i in (0, 1))
    line = statistics.linear_regression(x, y)
    errors = [b - line.intercept - line.slope * a for a, b in zip(x, y, strict=True)]
    n, half = len(x), NAN
    if n > 2:
        error = math.sqrt(sum(e * e for e in errors) / (n - 2) / (n * statistics.pvariance(x)))
        half = float(stats.t.ppf(0.975, n - 2)) * error
    fit = {"exponent": line.slope, "half": half, "n": n, "scale": math.exp(line.intercept)}
    return fit | {"smallest": min(s for s, _ in kept), "largest": max(s for s, _ in kept)}


def pareto(points: Mapping[str, tuple[float, ...]]) -> set[str]:
    """The names of the points that no other dominates; less is better in everything."""
    known = {name: p for name, p in points.items() if all(map(math.isfinite, p))}

    def beats(p: tuple[float, ...], q: tuple[float, ...]) -> bool:
        return all(x <= y for x, y in zip(p, q, strict=True)) and p != q

    return {name for name, q in known.items() if not any(beats(p, q) for p in known.values())}


def dominates(cost: np.ndarray, loss: np.ndarray, dearer: np.ndarray, worse: np.ndarray) -> Any:
    """`[R]`, of `[R, K]` costs and `[R]` losses."""
    no_worse = (cost <= dearer).all(axis=1) & (loss <= worse)
    return no_worse & ((cost < dearer).any(axis=1) | (loss < worse))


def sign_flips(differences: Sequence[float]) -> float:
    """Of all ways to flip the signs of differences, how many give a sum as far from 0."""
    if not differences:
        return NAN
    observed = abs(math.fsum(differences))
    slack = 1e-12 * math.fsum(map(abs, differences))
    count = sum(
        abs(math.fsum(s * d for s, d in zip(signs, differences, strict=True))) >= observed - slack
        for signs in itertools.product((-1, 1), repeat=len(differences))
    )
    return count / 2 ** len(differences)


def holm(p_values: Sequence[float]) -> list[float]:
    """Of each p-value the least level at which Holm's procedure, step by step, rejects it."""
    known = sorted(p for p in p_values if not math.isnan(p))
    m = len(p_values)

    def corrected(p: float) -> float:
        steps = [(m - i) * q for i, q in enumerate(known) if q <= p]
        ties = known.count(p)
        return min(1.0, max(steps[: len(steps) - ties + 1]))

    return [p if math.isnan(p) else corrected(p) for p in p_values]


def _compared(a: Setting, b: Setting) -> dict[str, Any]:
    mine, theirs = ({run.seed: run.sign * run.test for run in s.finished} for s in (a, b))
    seeds = sorted(mine.keys() & theirs.keys())
    ahead = [theirs[seed] - mine[seed] for seed in seeds]
    advantage, half = student(ahead)
    row: dict[str, Any] = {"a": a, "b": b, "n": len(seeds), "advantage": advantage, "half": half}
    row["effect"] = _hedges([mine[seed] for seed in seeds], [theirs[seed] for seed in seeds])
    row["p"] = sign_flips(ahead)
    row["p_floor"] = 2 / 2 ** len(seeds) if seeds else NAN
    return row | _improvement(*([*s.losses, *[INF] * s.count("diverged")] for s in (a, b)))


def _hedges(better: Sequence[float], worse: Sequence[float]) -> float:
    n = len(better)
    if n < 2:
        return NAN
    gain = mean([y - x for x, y in zip(better, worse, strict=True)])
    deviation = math.sqrt((spread(better) + spread(worse)) / 2)
    if deviation == 0:
        return 0.0 if gain == 0 else math.copysign(INF, gain)
    return (1 - 3 / (4 * (2 * n - 2) - 1)) * gain / deviation


def _improvement(a: Sequence[float], b: Sequence[float]) -> dict[str, Expected]:
    """The probability that a run of a is better than one of b, ties half, with its interval."""
    wins = [[1.0 if x < y else 0.5 if x == y else 0.0 for y in b] for x in a]
    value = mean([win for line in wins for win in line])
    low: Expected
    high: Expected
    n = min(len(a), len(b))
    if n < 2:
        low, high = NAN, NAN
    elif value in (0, 1):
        exact = stats.binomtest(n if value else 0, n).proportion_ci(0.95, method="exact")
        low, high = float(exact.low), float(exact.high)
    else:
        rng = np.random.default_rng(99)
        rows = rng.integers(0, len(a), (RESAMPLES, len(a) - 1))
        columns = rng.integers(0, len(b), (RESAMPLES, len(b) - 1))
        drawn = np.array(wins)[rows[:, :, None], columns[:, None, :]]
        low, high = ends(drawn.mean(axis=(1, 2)))
    return {"chance": value, "chance_low": low, "chance_high": high}
