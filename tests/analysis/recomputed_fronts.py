"""Fronts once more: brute force, resampled, and the volumes of unions of boxes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

import numpy as np
from slow_measurements import measurement_spreads
from slow_records import COSTS, Setting
from slow_statistics import (
    NAN,
    RESAMPLES,
    Expected,
    dominates,
    ends,
    pareto,
    resample_mean,
    share,
    union,
)

if TYPE_CHECKING:
    from recomputed import Truth


def once(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is computed once for the same arguments."""

    @wraps(method)
    def kept(self: Any, *arguments: Any) -> Any:
        key = (method.__name__, *map(str, arguments))
        if key not in self._kept:
            self._kept[key] = method(self, *arguments)
        return self._kept[key]

    return kept


class Fronts:
    """Of each task the fronts of the chosen models' test scores against costs."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self._kept: dict[Any, Any] = {}
        self.measured = measurement_spreads(truth.runs)
        self.spreads = {key: sd for key, (sd, _) in self.measured.items() if key in COSTS}

    def priced(self, task: str) -> list[str]:
        """Costs that are known of any chosen model."""
        rivals = self.truth.field(task)
        return [key for key in COSTS if any(math.isfinite(s.cost[key]) for s in rivals)]

    @once
    def members(self, task: str, key: str) -> set[str]:
        """Labels on the Pareto front of the mean test score against a cost."""
        rivals = self.truth.field(task)
        return self.front({s.label: (s.cost[key], s.loss) for s in rivals}, rivals, [key])

    def front(
        self, points: Mapping[Any, tuple[float, ...]], rivals: Sequence[Setting], keys: list[str]
    ) -> set[Any]:
        """Points of the rivals, in their order: some costs and a score."""
        errors = (s.errors(self.spreads) for s in rivals)
        certain = [(*(error[key] for key in keys), 0.0) for error in errors]
        return pareto(points, dict(zip(points, certain, strict=True)))

    @cached_property
    def resampled(self) -> dict[str, dict[str, Any]]:
        """Of each task its resampled `losses` `[R, N]` and `costs` `[R, N, K]`, by `labels`."""
        found = {}
        for task in self.truth.tasks:
            rng = np.random.default_rng(20261124)
            rivals = sorted(self.truth.field(task), key=lambda s: s.label)
            losses = np.array([resample_mean(s.losses, rng) for s in rivals])
            costs = []
            for setting in rivals:
                middle, error = setting.seed_cost, setting.errors(self.spreads)
                costs.append(
                    [x * np.exp(error[k] * rng.normal(size=RESAMPLES)) for k, x in middle.items()]
                )
            found[task] = {
                "labels": [s.label for s in rivals],
                "losses": losses.T if len(rivals) else np.empty((RESAMPLES, 0)),
                "costs": np.transpose(np.array(costs), (2, 0, 1)) if costs else None,
            }
        return found

    @once
    def shares(self, task: str, keys: Sequence[str]) -> dict[str, Expected]:
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
        rivals = self.truth.field(task)
        return [key for key in COSTS if all(math.isfinite(s.seed_cost[key]) for s in rivals)]

    @once
    def volumes(self, task: str) -> dict[tuple[str, str], dict[str, Expected]]:
        """Of each cost ("all" for all at once) and kind of model what it covers, and its share.

        Costs count in decades up to twice the largest, scores from the baseline or else the worst
        model on; the volume is that of a union of boxes.
        """
        rivals, drawn = self.truth.field(task), self.resampled[task]
        if not rivals:
            return {}
        order = [drawn["labels"].index(s.label) for s in rivals]
        losses = np.vstack([[s.loss for s in rivals], drawn["losses"][:, order]])
        baseline = self.truth.baseline_loss(task)
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
            if axis != "all":
                varied = drawn["costs"][:, order, [*COSTS].index(axis)]
                cost = np.concatenate([cost.T, varied])[..., None]
            room = np.log10(2 * cost.max(axis=-2, keepdims=True)) - np.log10(cost)
            gain = worst - losses
            own = {m: [i for i, s in enumerate(rivals) if s.model == m] for m in models}
            covers = {m: union(room[..., mine, :], gain[:, mine]) for m, mine in own.items()}
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
