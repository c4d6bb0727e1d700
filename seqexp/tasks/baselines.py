"""Baselines that are computed from the data: at first use, and kept under the data's hash."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from seqexp.data.cache import cache_folder
from seqexp.data.placing import placed
from seqexp.types import Splits, Task

Method = Callable[[Splits], float]
"""From a task's data, the score of a baseline on its test split. What there is to choose (a
regularisation, a weight) is chosen by the validation split."""


def measured_baselines(task: Task, methods: Mapping[str, Method]) -> dict[str, float]:
    """The scores of baselines, read from the cache where they were computed before.

    They are kept in `baselines/KEY.json` of the cache folder, with a key of the task's settings and
    data hashes, the source of its file and of the methods' files, and the libraries' versions. A
    cache that cannot be written to costs time and nothing else.

    Args:
        task: whose data it is. Its `repr` holds its settings, as that of a dataclass does.
        methods: by the baseline's name.
    """
    kept = cache_folder() / "baselines" / f"{_key(task, methods)}.json"
    found = _read(kept, methods)
    if found is None:
        splits = task.load()
        found = {name: float(method(splits)) for name, method in methods.items()}
        _write(kept, found)
    return found


def _key(task: Task, methods: Mapping[str, Method]) -> str:
    bare = [getattr(method, "func", method) for method in methods.values()]  # of a partial
    made_by = {inspect.getmodule(each) for each in (type(task), *bare)}
    files = sorted({Path(m.__file__) for m in made_by if m is not None and m.__file__})
    parts = [
        f"{type(task).__module__}.{task!r}",
        json.dumps(dict(task.data_hashes()), sort_keys=True),
        *methods,
        *(f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn")),
        *(path.read_text(encoding="utf-8") for path in files),
    ]
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()[:16]


def _read(kept: Path, methods: Mapping[str, Method]) -> dict[str, float] | None:
    """What is kept, in the methods' order; None where it isn't whole."""
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
        scores = {name: float(found[name]) for name in methods}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return scores if all(map(math.isfinite, scores.values())) else None


def _write(kept: Path, scores: Mapping[str, float]) -> None:
    with contextlib.suppress(OSError), placed(kept) as file:
        file.write(json.dumps(scores).encode("utf-8"))
