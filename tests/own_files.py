"""Files of a user's own, for the tasks of the menu that leave it to the user to name some."""

from __future__ import annotations

import functools
import io
import itertools
import math
import os
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / ".pytest_cache" / "own_files"


@functools.cache
def own_files() -> Mapping[str, Mapping[str, str]]:
    """By the task's name in the menu, its settings that have no default."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    return {
        "text": {"train": str(_reviews())},
        "audio": {"train": str(_tones())},
        "series": {"path": str(_tides())},
        "labelled_series": {"train": str(_steps())},
    }


def with_own_files(overrides: Sequence[str]) -> tuple[str, ...]:
    """The overrides, and those of the task that they choose, unless they set them."""
    tasks = [each.partition("=")[2] for each in overrides if each.startswith("task=")]
    added = [f"task.{key}={value}" for t in tasks for key, value in own_files().get(t, {}).items()]
    given = {each.partition("=")[0] for each in overrides}
    return (*overrides, *(each for each in added if each.partition("=")[0] not in given))


def _reviews() -> Path:
    """A table of short reviews, good and bad."""
    rows = [
        f"the {thing} is{' so' * often} {word}\t{label}"
        for (word, label), thing, often in itertools.product(
            {"fine": "good", "great": "good", "dull": "bad", "poor": "bad"}.items(),
            ("film", "play", "plot", "end", "cast"),
            range(4),
        )
    ]
    return _written("reviews.tsv", "text\tlabel\n" + "\n".join(rows) + "\n")


def _tides() -> Path:
    """A table of two series with a missing value."""
    rows = [f"{math.sin(n / 4):.4f},{math.cos(n / 5):.4f}" for n in range(800)]
    rows[100] = ",0.5"
    return _written("tides.csv", "here,there\n" + "\n".join(rows) + "\n")


def _steps() -> Path:
    """Series of 4 to 9 values that rise or fall."""
    cases = [
        f"{','.join(str(sign * n + start) for n in range(4 + start % 6))}:{label}"
        for start in range(120)
        for sign, label in ((1, "up"), (-1, "down"))
    ]
    header = "@univariate true\n@classLabel true up down\n@data\n"
    return _written("steps.ts", header + "\n".join(cases) + "\n")


def _tones() -> Path:
    """A folder for each of two tones, with recordings of 20 to 59 ms."""
    folder, rate = FOLDER / "tones", 16_000
    for label, pitch in (("high", 2000), ("low", 500)):
        for n in range(40):
            times = np.arange(rate * (20 + n) // 1000) / rate
            samples = np.round(9000 * np.sin(2 * np.pi * pitch * times)).astype("<i2")
            file = io.BytesIO()
            with wave.open(file, "wb") as recording:
                recording.setparams((1, 2, rate, 0, "NONE", "not compressed"))
                recording.writeframes(samples.tobytes())
            _written(f"tones/{label}/{n}.wav", file.getvalue())
    return folder


def _written(name: str, content: str | bytes) -> Path:
    """A file of this content, written once: other workers may read it."""
    path, content = FOLDER / name, content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != content:
        part = path.with_name(f".{path.name}-{os.getpid()}")
        part.write_bytes(content)
        os.replace(part, path)
    return path
