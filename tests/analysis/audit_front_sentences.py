"""Audits the sentences on fronts, on dominance, and on who gives the most for its cost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from audit_check import COUNT, NAME, Check, counted
from page_reader import Printed, printed
from recomputed import Truth
from slow_records import COSTS
from slow_statistics import THEIRS, Between, Expected


class FrontSentences:
    """Each method checks one kind of sentence, of which a pattern found the parts."""

    def __init__(self, check: Check, truth: Truth) -> None:
        self.check, self.truth = check, truth

    def on_front(self, where: str, found: re.Match[str], task: str) -> None:
        where = f"{where}/fronts"
        axes, fronts = self.truth.fronts.priced(task), {}
        for s in self.truth.field(task):
            keys = tuple(key for key in axes if s.label in self.truth.fronts.members(task, key))
            fronts.setdefault(keys, []).append(s.name)
        on_none = fronts.pop((), [])
        told = 0
        for part in found[1].split("; "):
            more = re.fullmatch(r"(\d+) more against some", part)
            if more:
                self.check.equal(where, int(more[1]), sum(map(len, fronts.values())) - told)
                continue
            names, costs = part.split(" against ")
            named = [self.check.named(mark) for mark in re.findall(NAME, names)]
            self.check.equal(where, named, fronts.get(tuple(_costs(costs, axes))))
            told += len(named)
        if found[2] is None or "others" not in found[2]:
            self.check.equal(
                where, [self.check.named(x) for x in re.findall(NAME, found[2] or "")], on_none
            )
        else:
            self.check.prints_all(where, found[2], [len(on_none)])

    def most(self, where: str, found: re.Match[str], _: str) -> None:
        """adding: gru against every cost but parameters (the next covers 29 to 38 % as much)."""
        task = self.check.named(found[1])
        where = f"{where}/most for its cost/{task}"
        volumes = self.truth.fronts.volumes(task)
        axes = list(dict.fromkeys(axis for axis, _ in volumes if axis != "all"))
        told = []
        for part in found[2].split("; "):
            one = re.fullmatch(
                rf"({NAME}) against ([\w ,]+?)"
                r"(?: \(the next covers ([\d to]+) % as much(, not settled)?\))?",
                part,
            )
            if one is None:
                self.check.unknown(where, part)
                continue
            costs, nexts, most = _costs(one[2], axes), [], []
            told += costs
            for axis in costs:
                rows = {model: row for (key, model), row in volumes.items() if key == axis}
                best = rows.pop(self.check.named(one[1]))
                ratios = [
                    float(row["hypervolume"]) / float(best["hypervolume"]) for row in rows.values()
                ]
                nexts.append(100 * max(ratios))
                most.append(best["most"])
            self.check.equal(where, max(nexts) <= 100, True)
            ends = [round(end) for end in dict.fromkeys((min(nexts), max(nexts)))]
            self.check.equal(
                where, [int(x) for x in re.findall(r"\d+", one[3] or "")], [*dict.fromkeys(ends)]
            )
            ranges = [m for m in most if isinstance(m, Between)]
            if ranges:
                settled = [min(m.low for m in ranges) >= 0.9, min(m.high for m in ranges) >= 0.9]
                self.check.equal(where, (one[4] is None) in settled, True)
        self.check.equal(where, sorted(told), sorted(axes))

    def dominance(self, where: str, found: re.Match[str], task: str) -> None:
        """gru dominates rnn and lstm on every cost but parameters in 97 %; ..."""
        where = f"{where}/dominance"
        self.check.equal(where, printed(found[1]).value, THEIRS)
        axes = self.truth.fronts.priced(task)
        called = {s.label: s.name for s in self.truth.field(task)}
        shares = {
            axis: {
                (called[a], called[b]): chance
                for (a, b), chance in self.truth.fronts.dominance(task, axis).items()
            }
            for axis in axes
        }
        sure: Counter[tuple[str, str]] = Counter()
        for pair in shares[axes[0]]:
            known = [shares[axis][pair] for axis in axes]
            ranges = [share for share in known if isinstance(share, Between)]
            sure[pair] = int(any(r.low >= 0.9 for r in ranges))
            sure[pair] += int(any(r.high >= 0.9 for r in ranges))
        told = 0
        for part in found[2].split("; "):
            one = re.fullmatch(rf"({NAME}) dominates (.+?) on (.+) in (more than 99|\d+) %", part)
            more = re.fullmatch(rf"({COUNT}) more pairs? (?:is|are) as clear", part)
            if one:
                marks = re.findall(NAME, one[2])
                others = [self.check.named(mark) for mark in marks]
                count = len(others) if others else int(one[2].split()[0])
                told += count
                costs = _costs(one[3], axes)
                chances = [
                    shares[axis][self.check.named(one[1]), b] for axis in costs for b in others
                ]
                ranges = [c if isinstance(c, Between) else Between(c, c) for c in chances]
                if ranges:
                    least = Between(min(r.low for r in ranges), min(r.high for r in ranges))
                    self.check.percent(where, one[4], least)
                else:
                    self._among(where, self.check.named(one[1]), count, costs, shares, one[4])
            elif more:
                told += counted(more[1])
            else:
                self.check.equal(
                    where, bool(re.search(r"^no model dominates .* in 90 %$", part)), True
                )
        least = sum(count == 2 for count in sure.values())
        most = sum(count > 0 for count in sure.values())
        self.check.prints(where, Printed(told, 1), Between(least, most))

    def _among(
        self,
        where: str,
        name: str,
        count: int,
        costs: Sequence[str],
        shares: Mapping[str, Mapping[tuple[str, str], Expected]],
        said: str,
    ) -> None:
        """A share that so many unnamed ones have at least: of the surest that could be meant."""
        ranges = []
        for pair in shares[costs[0]]:
            known = [shares[axis][pair] for axis in costs]
            if pair[0] == name and all(isinstance(share, Between) for share in known):
                ends = [share for share in known if isinstance(share, Between)]
                ranges.append(Between(min(r.low for r in ends), min(r.high for r in ends)))
        possible = [r for r in ranges if r.high >= 0.9]
        if len(possible) < count:
            return self.check.unknown(where, f"{count} others")
        lows, highs = sorted(r.low for r in possible), sorted(r.high for r in possible)
        self.check.percent(where, said, Between(max(0.9, lows[0]), highs[-count]))


def _costs(said: str, axes: Sequence[str]) -> list[str]:
    """every cost but parameters"""
    if said.startswith("every cost"):
        return [axis for axis in axes if COSTS[axis] not in said.removeprefix("every cost")]
    return [axis for axis in axes if COSTS[axis] in re.split(r", | and ", said)]
