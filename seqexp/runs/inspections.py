"""What inspections leave in a run's folder: the names of their files, and how they are read.

`inspection.jsonl` has a line an inspection: its `step` and numbers of each layer or part, such as
"half_life/layer_1". `inspection/STEP.npz` has the arrays of that step under names of the same kind,
such as "hidden/layer_1".
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from seqexp.runs.store import Damaged, read

INSPECTIONS = "inspection.jsonl"
FOLDER = "inspection"
FIGURES = "figures"
PAGE = "index.html"
ANIMATION = "animation.gif"
"""All but the first stand in the folder."""

REMEDY = "seqexp inspect RUN writes it anew"

Value = TypeVar("Value")


def arrays_path(run: Path, step: int) -> Path:
    """Where the arrays of an inspection are, in the run's folder."""
    return run / FOLDER / f"{step}.npz"


def read_inspections(run: Path) -> list[dict[str, Any]]:
    """The inspections of a run in the order of their steps; none where there is no file.

    Of a step that stands there twice the later line counts.

    Raises:
        Damaged: a line before the last is not one of an inspection, or the file can't be read.
    """
    lines: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(read(run / INSPECTIONS), start=1):
        if not isinstance(line.get("step"), int):
            raise Damaged(f"{run / INSPECTIONS}, line {number} has no step", REMEDY)
        lines[line["step"]] = line
    return [lines[step] for step in sorted(lines)]


def read_arrays(run: Path, step: int, *kinds: str) -> dict[str, np.ndarray]:
    """The arrays of an inspection by their names; none where there is no file.

    Args:
        run: its folder.
        step: of the inspection.
        kinds: no other kinds are read ("hidden", "lengths"); all without any.

    Raises:
        Damaged: the file can't be read.
    """
    path = arrays_path(run, step)
    try:
        # Opened here: of a broken file numpy would leave it open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            named = (name for name in arrays if not kinds or name.split("/")[0] in kinds)
            return {name: arrays[name] for name in named}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Damaged(f"{path} can't be read ({error})", REMEDY) from error


def of_kind(named: Mapping[str, Value], kind: str) -> dict[str, Value]:
    """What is of one kind, by the rest of its name: the layer, the part, or what follows it.

    >>> of_kind({"hidden/layer_1": 1, "hidden/layer_2": 2, "lengths": 3}, "hidden")
    {'layer_1': 1, 'layer_2': 2}
    """
    prefix = f"{kind}/"
    return {
        name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)
    }


def numbers(line: Mapping[str, Any], kind: str) -> dict[str, float]:
    """The numbers of one kind in an inspection's line; NaN for one that was not finite."""
    found = {}
    for name, value in of_kind(line, kind).items():
        if isinstance(value, int | float | None):
            found[name] = float("nan") if value is None else float(value)
    return found
