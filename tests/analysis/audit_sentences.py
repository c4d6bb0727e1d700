"""Audits the sentences of the page: every number in them is claimed by one who checks it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from audit_check import COUNT, NAME, Check, counted
from audit_front_sentences import FrontSentences
from page_reader import NUMBER, Printed, Text, printed
from recomputed import Truth
from slow_records import COSTS, Run
from slow_statistics import student

CONSTANTS = (
    "95 % interval",
    "1 for the best",
    "from 0, the baseline, to 1, the best model",
    "Curves of more than 100 evaluations",
    "Length 2x: sequences twice as long",
    "1 where nothing is gained by another model",
)
"""Numbers of the method, which no record holds."""

AROUND = rf"\([^()]+ ± [^()]+\)·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|{NUMBER}(?: ± {NUMBER})?"
LOSSES = r"(?: \(not in the mean: ([^)]*)\))?"


class Sentences:
    """What the texts say in numbers."""

    def __init__(self, check: Check, truth: Truth) -> None:
        self.check, self.truth = check, truth
        self.fronts = FrontSentences(check, truth)

    def audit(self, text: Text) -> None:
        if text.quoted:
            return
        where = f"sentence/{text.section}/{text.title}"
        left = self.check.plain(text.text)
        task = text.title if text.title in self.truth.tasks else text.section
        for pattern, check in self._claims():
            found = re.search(pattern, left)
            while found:
                try:
                    check(where, found, task)
                except (LookupError, StopIteration, ValueError):  # it tells of what is not there
                    self.check.unknown(where, found[0])
                left = left[: found.start()] + "\N{BULLET}" + left[found.end() :]
                found = re.search(pattern, left)
        for constant in CONSTANTS:
            left = left.replace(constant, "")
        if re.search(r"\d", left):
            self.check.unknown(where, left)

    def _claims(self) -> list[tuple[str, Callable[[str, re.Match[str], str], None]]]:
        """Everything that a sentence may say in numbers, and who checks it."""
        lead = r"Over the (\d+) seeds that both finished "
        lead += r"(it is ahead by|it is behind by|they are tied:) "
        lead += rf"({AROUND}) "
        lead += rf"\(p = ({NUMBER})(?:, ({NUMBER}) corrected for (\d+) comparisons)?"
        lead += r"(?:; (\d+) pairs can give no less)?\)"
        rank = (
            rf"({NAME})(?: has the best mean rank)?, ({NUMBER})(?: \(({NUMBER}) to ({NUMBER})\))?"
        )
        flops = r"(-?[\d,.]+)(?: ([kMGT]))?FLOPs"
        expected = rf"one run ({AROUND}) by ({NAME})(?:, of (\d+) runs ({AROUND}) by ({NAME}))?"
        return [
            (rf"(?i)({COUNT}) runs? of ({COUNT}) models? on ({COUNT}) tasks?: ([^.]*)", self._ran),
            (rf"^({NAME}): ({NAME} against .*)\.$", self.fronts.most),
            (r"Most performance for its cost: [^.]*on all (\d+) tasks", self._tasks),
            (rf"Over ({COUNT}) tasks (?={NAME})", self._tasks),
            (
                rf"({NAME}) has the best mean rank, ({NUMBER})(?: \(({NUMBER}) to ({NUMBER})\))?"
                rf"(?:, and the best in (more than 99|\d+) % of resamples of the seeds)?",
                self._best_rank,
            ),
            (
                rf"({NAME}) has the (?:lowest|highest) test [\w ]+, ({AROUND}) \(n = (\d+)\)"
                rf"{LOSSES}",
                self._best,
            ),
            (rf", ± ({NUMBER}) by sampling (\d+) targets", self._sampled),
            (
                rf"; ± ({NUMBER})(?: to ({NUMBER}))? by sampling (\d+) test targets",
                self._sampled_all,
            ),
            (rf"next is ({NAME}), ({AROUND}){LOSSES}", self._next),
            (lead, self._lead),
            (rf"(?<=Baseline: )({NAME}), ({AROUND})", self._baseline),
            (rf"(?<=does not beat )({NAME}) \(({AROUND})\)", self._baseline),
            (r"On the Pareto front: ([^.]*)\.(?: On none: ([^.]*)\.)?", self.fronts.on_front),
            (r"Of ([\d,]+) resamples of seeds and measured costs, ([^.]*)", self.fronts.dominance),
            (rf"({NUMBER}) % for ([\w ]+) \((?:(\d+) repetitions|stated)\)", self._spread),
            (rf"was first as good as ({AROUND}), which", self._target),
            (r"(\d+) training settings that validation did not choose", self._not_chosen),
            (rf"The best validation [\w ]+ to expect of {expected}", self._expected_best),
            (rf"All (\d+) runs took (?:({NUMBER}) min)?(?: and )?(?:{flops})?", self._spent),
            (r"^([\w ]+) grows as (.*)\.$", self._grows),
            (rank, self._rank),
            (rf"Not in the mean of ({NAME}): ([^.]*)\.", self._missing),
            (rf"({COUNT}) problems? with the records", self._problems),
            (r"; and (\d+) more", self._more_ranks),
        ]

    def _ran(self, where: str, found: re.Match[str], _: str) -> None:
        runs = self.truth.runs
        for said, expected in (
            (found[1], len(runs)),
            (found[2], len({run.model for run in runs})),
            (found[3], len(self.truth.tasks)),
        ):
            self.check.equal(f"{where}/ran", counted(said), expected)
        self._ended(where, found[4], runs)

    def _ended(self, where: str, said: str, runs: Sequence[Run]) -> None:
        """3 diverged and 1 failed."""
        words = {"test score not finite": "unscored", "unreadable record": "unreadable"}
        told = {}
        for number, status in re.findall(r"(\d+) ([a-z ]+?)(?= and \d|,|$)", said):
            told[words.get(status, status)] = int(number)
        mine = Counter(run.status for run in runs)
        if "finished" not in told:  # those that are missing from a mean
            del mine["finished"]
        self.check.equal(f"{where}/ended", told, dict(mine))

    def _missing(self, where: str, found: re.Match[str], task: str) -> None:
        named = self.check.named(found[1])
        setting = next(s for s in self.truth.of(task) if s.label == named)
        self._ended(f"{where}/missing", found[2], setting.runs)

    def _problems(self, where: str, found: re.Match[str], _: str) -> None:
        torn = sum(run.status == "unreadable" for run in self.truth.runs)
        self.check.equal(f"{where}/problems", counted(found[1]), torn)

    def _tasks(self, where: str, found: re.Match[str], _: str) -> None:
        self.check.equal(f"{where}/tasks", counted(found[1]), len(self.truth.tasks))

    def _best_rank(self, where: str, found: re.Match[str], task: str) -> None:
        ranks = self.truth.ranks()
        name = self.check.named(found[1])
        self._rank(where, found, task)
        least = min(row["rank"] for row in ranks.values() if not math.isnan(row["rank"]))
        self.check.equal(f"{where}/best", ranks[name]["rank"], least)
        if found[5]:
            self.check.percent(f"{where}/best", found[5], ranks[name]["best_probability"])

    def _rank(self, where: str, found: re.Match[str], _: str) -> None:
        row = self.truth.ranks()[self.check.named(found[1])]
        self.check.prints(f"{where}/rank", printed(found[2]), row["rank"])
        if found[3]:
            self.check.prints(f"{where}/rank low", printed(found[3]), row["rank_low"])
            self.check.prints(f"{where}/rank high", printed(found[4]), row["rank_high"])

    def _more_ranks(self, where: str, found: re.Match[str], _: str) -> None:
        ranked = [row for row in self.truth.ranks().values() if not math.isnan(row["rank"])]
        best = min(row["rank"] for row in ranked)
        tied = sum(math.isclose(row["rank"], best) for row in ranked)
        self.check.equal(f"{where}/rank", int(found[1]), len(ranked) - tied - 3)

    def _best(self, where: str, found: re.Match[str], task: str) -> None:
        best = self.truth.field(task)[0]
        self.check.equal(f"{where}/best", self.check.named(found[1]), best.name)
        self.check.prints_all(f"{where}/best", found[2], student(best.tests))
        self.check.equal(f"{where}/best", counted(found[3]), best.n)
        self._ended(where, found[4] or "", best.runs)

    def _sampled(self, where: str, found: re.Match[str], task: str) -> None:
        best = self.truth.field(task)[0]
        self.check.prints(f"{where}/sampling", printed(found[1]), best.sampling)
        self.check.equal(f"{where}/sampling", int(found[2]), best.targets)

    def _sampled_all(self, where: str, found: re.Match[str], task: str) -> None:
        known = [s for s in self.truth.of(task) if not math.isnan(s.sampling)]
        ends = [f(s.sampling for s in known) for f in (min, max)]
        for said, end in zip((found[1], found[2] or found[1]), ends, strict=True):
            self.check.prints(f"{where}/sampling", printed(said), end)
        self.check.equal(f"{where}/sampling", int(found[3]), max(s.targets for s in known))

    def _next(self, where: str, found: re.Match[str], task: str) -> None:
        second = self.truth.field(task)[1]
        self.check.equal(f"{where}/second", self.check.named(found[1]), second.name)
        self.check.prints_all(f"{where}/second", found[2], student(second.tests))
        self._ended(where, found[3] or "", second.runs)

    def _lead(self, where: str, found: re.Match[str], task: str) -> None:
        best, second = self.truth.field(task)[:2]
        rows = self.truth.comparisons(task)
        row = next(r for r in rows if {r["a"].label, r["b"].label} == {best.label, second.label})
        ahead = row["advantage"] * (1 if row["a"].label == best.label else -1)
        where = f"{where}/lead"
        self.check.equal(where, int(found[1]), row["n"])
        tied = abs(ahead) <= row["half"] / 100
        side = f"it is {'behind' if ahead < 0 else 'ahead'} by"
        self.check.equal(where, found[2], "they are tied:" if tied else side)
        shown = abs(ahead) if abs(ahead) > row["half"] / 100 else 0.0
        self.check.prints_all(where, found[3], [shown, row["half"]])
        self.check.prints(where, printed(found[4]), row["p"])
        self.check.equal(
            where, found[6] and int(found[6]), row["comparisons"] if found[5] else None
        )
        self.check.equal(where, bool(found[5]), row["comparisons"] > 1)
        if found[5]:
            self.check.prints(where, printed(found[5]), row["p_holm"])
        least = row["n"] if row["p"] == row["p_floor"] else None
        self.check.equal(where, found[7] and int(found[7]), least)

    def _baseline(self, where: str, found: re.Match[str], task: str) -> None:
        value = self.truth.baselines(task).get(self.check.named(found[1]))
        if value is None:
            return self.check.unknown(where, found[0])
        self.check.prints_all(f"{where}/baseline", found[2], [value])

    def _not_chosen(self, where: str, found: re.Match[str], task: str) -> None:
        self.check.equal(where, int(found[1]), sum(not s.chosen for s in self.truth.of(task)))

    def _expected_best(self, where: str, found: re.Match[str], task: str) -> None:
        trials = self.truth.trials(task)
        sign = self.truth.of(task)[0].sign
        most = min(map(len, trials.values()))
        self.check.equal(f"{where}/trials", found[3] and int(found[3]), most if most > 1 else None)
        for n, said, name in ((1, found[1], found[2]), (most, found[4], found[5])):
            if said:
                ends = {label: rows[n - 1]["expected_best"] for label, rows in trials.items()}
                best = min(ends, key=lambda label: sign * ends[label])
                self.check.prints_all(f"{where}/trials", said, [ends[best]])
                self.check.equal(
                    f"{where}/trials", self.check.named(name), self.truth.called(task, best)
                )

    def _spent(self, where: str, found: re.Match[str], task: str) -> None:
        spent = self.truth.tuning(task).values()
        self.check.equal(f"{where}/spent", int(found[1]), sum(row["runs"] for row in spent))
        if found[2]:
            minutes = sum(row["seconds"] for row in spent) / 60
            self.check.prints(f"{where}/spent", printed(found[2]), minutes)
        if found[3]:
            flops = printed(" ".join(filter(None, (found[3], found[4]))))
            self.check.prints(f"{where}/spent", flops, sum(row["flops"] for row in spent))

    def _grows(self, where: str, found: re.Match[str], _: str) -> None:
        key = {"Training step time": "step_seconds"}.get(found[1], "training_flops_per_step")
        varied = {"T": "length", "H": "width"}
        told: dict[str, list[Printed]] = {}
        for size, exponent, label, task in re.findall(
            rf"([TH])\^({NUMBER}) \(({NAME})(?: on ({NAME}))?\)", found[2]
        ):
            fits = {k: fit[key]["exponent"] for k, fit in self.truth.growth.items() if key in fit}
            fits = {k: e for k, e in fits.items() if k[2] == varied[size]}
            own = [e for (t, name, _), e in fits.items() if name == self.check.named(label)]
            if task:
                own = [fits[self.check.named(task), self.check.named(label), varied[size]]]
            place = told.setdefault(size, [])
            place.append(printed(exponent))
            extreme = (max if len(place) > 1 else min)(fits.values())
            self.check.prints(f"{where}/growth", place[-1], extreme)
            self.check.prints(f"{where}/growth", place[-1], own[0])
        self.check.equal(f"{where}/growth", bool(told), True)

    def _spread(self, where: str, found: re.Match[str], _: str) -> None:
        names = {name: key for key, name in COSTS.items()}
        names |= {"prefill time": "prefill_seconds", "compilation time": "compile_seconds"}
        spread, freedom = self.truth.fronts.measured[names[found[2]]]
        self.check.prints(f"{where}/spread", printed(found[1]), 100 * spread)
        self.check.equal(f"{where}/spread", int(found[3] or 0), freedom)

    def _target(self, where: str, found: re.Match[str], task: str) -> None:
        self.check.prints_all(f"{where}/target", found[1], [self.truth.target(task)])
