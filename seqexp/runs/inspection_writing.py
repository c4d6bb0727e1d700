"""How an inspection is put into a run's folder, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from seqexp.runs import store
from seqexp.runs.inspections import FOLDER, INSPECTIONS, arrays_path, read_inspections


def write_inspection(
    run: Path, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Keep an inspection, in the place of the one of its step if there is one.

    A crash leaves each file as it was or as it is now. Where the lines are damaged, the others of
    them are lost.

    Args:
        run: its folder.
        record: the line, with its "step".
        arrays: by name.
    """
    path = arrays_path(run, record["step"])
    path.parent.mkdir(exist_ok=True)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    store.write_atomic(path, content.getvalue())
    others: list[dict[str, Any]] = []
    with suppress(store.Damaged):
        others = [each for each in read_inspections(run) if each["step"] != record["step"]]
    _write(run, [*others, dict(record)])


def forget_inspections_after(run: Path, step: int) -> None:
    """Keep the inspections up to a step; training that goes on from there makes the others anew.

    Lines that are damaged go as a whole: an inspection is never why a training begins anew.
    """
    path = run / INSPECTIONS
    try:
        kept = [each for each in read_inspections(run) if each["step"] <= step]
    except store.Damaged:
        kept = []
    if path.exists():
        _write(run, kept)
    for arrays in (run / FOLDER).glob("*.npz"):
        if arrays.stem.isdigit() and int(arrays.stem) > step:
            arrays.unlink()


def _write(run: Path, records: list[dict[str, Any]]) -> None:
    lines = [store.dumps(each) + "\n" for each in sorted(records, key=lambda each: each["step"])]
    store.write_atomic(run / INSPECTIONS, "".join(lines).encode("utf-8"))
