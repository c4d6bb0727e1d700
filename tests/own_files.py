"""Files of a user's own, for the tasks of the menu that leave it to the user to name some."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".pytest_cache" / "own_files"


@functools.cache
def own_files() -> Mapping[str, Mapping[str, str]]:
    """By the task's name in the menu, its settings that have no default."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    return {"text": {"train": str(_reviews())}}


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


def _written(name: str, content: str) -> Path:
    path = FOLDER / name
    if not path.is_file() or path.read_text() != content:
        path.write_text(content)
    return path
