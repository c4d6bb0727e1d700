"""The point that a record was made from, as far as the record tells, and by what code."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqexp.runs.identity import with_todays_names
from seqexp.runs.manifest import source_hash
from seqexp.runs.redaction import REDACTED
from seqexp.runs.schema import MANIFEST, RUN, Run
from seqexp.runs.store import Damaged, read_json
from seqexp.sweeps.foreign import foreign_code
from seqexp.sweeps.point import Point
from seqexp.training.settings import changed_settings
from seqexp.types import SeqexpError

_log = logging.getLogger(__name__)


def recorded_point(folder: Path, run: Run) -> Point:
    """The point of a record.

    Args:
        folder: of the record.
        run: what stands in its `run.json`.

    Raises:
        SeqexpError: a part of its config, other than its task's, was redacted.
    """
    config: dict[str, Any] = with_todays_names(run.config)
    refuse_redacted({key: config[key] for key in config if key != "task"}, folder)
    match = None if run.match is None else dict(run.match)
    return Point(config, run.model, run.task, run.choices, match)


def refuse_redacted(config: Mapping[str, Any], folder: Path) -> None:
    """Raise SeqexpError where a part of a recorded config looked secret and is not there."""
    for key in _redacted(config, ""):
        raise SeqexpError(
            f"{key} looked secret and was not written into {folder / RUN}: write its value there, "
            "in a copy of the folder"
        )


def _redacted(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            if key != "logger":
                yield from _redacted(child, f"{path}.{key}".strip("."))
    elif isinstance(node, list):
        for child in node:
            yield from _redacted(child, path)
    elif isinstance(node, str) and REDACTED in node:
        yield path


def recorded_hashes(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """What else than the config determined the result, by the object in manifest.json."""
    found = manifest.get("data_hashes")
    return found if isinstance(found, Mapping) else {}


def warn_of_other_code(folder: Path, config: Mapping[str, Any]) -> None:
    """Warn, in one line, of a record that other code made."""
    try:
        manifest = read_json(folder / MANIFEST) or {}
    except Damaged as error:
        _log.warning("%s: what code made it is not known", error.what)
        return
    recorded = recorded_hashes(manifest)
    own = {**foreign_code(config).hashes, **changed_settings()}
    names = dict.fromkeys([*own, *(name for name in recorded if name.startswith("setting "))])
    changed = [name for name in names if recorded.get(name) != own.get(name)]
    if manifest.get("source") != source_hash():
        changed.insert(0, "seqexp")
    if changed:
        _log.warning(
            "%s was made by other code or settings (%s): what it computes may differ",
            folder,
            ", ".join(changed),
        )
