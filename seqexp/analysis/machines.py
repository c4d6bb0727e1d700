"""Which machines measured the times of a study: times of different machines are not compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from seqexp.analysis.axes import TABLED, measured
from seqexp.analysis.load import Study
from seqexp.analysis.wording import several
from seqexp.runs.manifest import machine_of


def machine(manifest: Mapping[str, Any]) -> str | None:
    """What ran, as far as times depend on it: "NVIDIA H100 on Xeon 8481C, 4 usable cores".

    Args:
        manifest: of a run.

    Returns:
        None where the manifest does not tell.
    """
    found = machine_of(manifest)
    if found is None:
        return None
    name = str(found.cpu or "a processor without a name")
    name = name if found.device_kind in (None, "cpu") else f"{found.device_kind} on {name}"
    usable = found.usable
    return f"{name}, {several(usable, 'usable core')}" if isinstance(usable, int) else name


def apart(study: Study) -> dict[str, dict[str, int]]:
    """The tasks whose times were measured on machines that differ.

    Returns:
        Of each of them, by machine, how many of its finished runs have times from there, the most
        first. A run whose manifest does not tell its machine does not count.
    """
    known = study.runs[[axis.key for axis in measured(TABLED)]].notna().any(axis=1)
    runs = study.runs.loc[known & (study.runs["status"] == "finished")]
    counts: dict[str, Counter[str]] = {}
    for run, task in zip(runs["run"], runs["task_label"], strict=True):
        if (name := machine(study.files[run].manifest)) is not None:
            counts.setdefault(str(task), Counter())[name] += 1
    return {task: dict(found.most_common()) for task, found in counts.items() if len(found) > 1}


def not_compared(machines: Mapping[str, int]) -> str:
    """That the times of a task are not compared, and why.

    Args:
        machines: of the task, see `apart`.
    """
    told = "; ".join(f"{several(runs, 'run')} on {name}" for name, runs in machines.items())
    return f"Times are not compared, for they were measured on different machines: {told}."
