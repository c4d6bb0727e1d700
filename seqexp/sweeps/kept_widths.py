"""The widths that a study has measured, kept so that a resumed sweep trains the same points."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqexp.matching.budgets import Budget
from seqexp.matching.search import Match
from seqexp.runs.identity import canonical, without_nulls
from seqexp.runs.manifest import source_hash
from seqexp.runs.store import read_json, write_json_atomic
from seqexp.sweeps.foreign import foreign_code
from seqexp.sweeps.groups import device_kind
from seqexp.sweeps.point import Point
from seqexp.training.settings import changed_settings
from seqexp.types import SeqexpError

WIDTHS = "widths.json"


class Kept(NamedTuple):
    """A width that was measured before, and whether by other code than today's."""

    match: Match
    other_code: bool


class KeptWidths:
    """What `widths.json` in a study's folder says of one point.

    An entry is for a model, its task, optimizer and batch, a budget, a kind of device and the code
    of the user's own classes. It stays when seqexp's code changes, for a width measured anew would
    make other points, and the study would hold both. Delete the file to measure again.

    Args:
        study: the folder, held by this process.
        question: what the width depends on.
        point: whose width it is.

    Raises:
        SeqexpError: if the file is damaged.
    """

    def __init__(self, study: Path, question: Mapping[str, Any], point: Point) -> None:
        self._path = study / WIDTHS
        self._entries = read_json(self._path) or {}
        self._point = point
        match = {key: question["match"][key] for key in ("by", "budget", "multiple")}
        code = {**foreign_code(point.config).hashes, **changed_settings()}
        whole = [{**question, "match": match}, device_kind(), code]
        # As in a run's identity, so that a new option that is null by default measures none anew.
        self._key = _hash(without_nulls(whole))
        self._earlier = _hash(whole)

    def find(self, budget: Budget) -> Kept | None:
        """The width that was measured; None for none, and for one out of tolerance."""
        # Earlier versions kept the nulls in the key.
        entry = self._entries.get(self._key, self._entries.get(self._earlier))
        if entry is None:
            return None
        try:
            match = Match(int(entry["width"]), float(entry["reached"]))
            other_code = entry["source"] != source_hash()
        except (KeyError, TypeError, ValueError) as error:
            raise SeqexpError(f"{self._path} is damaged: delete it to measure again") from error
        near = abs(match.reached - budget.budget) <= budget.tolerance * budget.budget
        return Kept(match, other_code) if near else None

    def keep(self, budget: Budget, match: Match, timings: Sequence[tuple[int, float]]) -> None:
        """Write down a width, and the `(width, seconds)` that it was found by."""
        entry = {
            "model": self._point.model,
            "task": self._point.task,
            "by": budget.by,
            "budget": budget.budget,
            "multiple": budget.multiple,
            **match._asdict(),
            "timings": timings,
            "device_kind": device_kind(),
            "source": source_hash(),
        }
        write_json_atomic(self._path, {**self._entries, self._key: entry})


def _hash(whole: Sequence[Any]) -> str:
    return hashlib.sha256(canonical(whole).encode("utf-8")).hexdigest()[:16]
