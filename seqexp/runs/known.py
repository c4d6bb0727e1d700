"""The runs that a study's folder holds, found by their identity whatever they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seqexp.runs.identity import (
    canonical,
    identity,
    tells_identity,
    with_todays_names,
    without_nulls,
)
from seqexp.runs.record import MANIFEST, RUN, is_finished
from seqexp.runs.store import read_json
from seqexp.types import SeqexpError

Config = Mapping[str, Any]


class Known(NamedTuple):
    """A record: the folder that it is in, the id that it was given, and whether it is finished."""

    folder: str
    id: str
    finished: bool


class _Entry(NamedTuple):
    known: Known
    config: Any
    manifest: Mapping[str, Any]


class KnownRuns:
    """The records in a study's folder, read once.

    A record is found by the identity that its config, data and device have by today's rule, so that
    one made under an earlier rule, or in a folder that was renamed, is not trained again. One that
    does not tell (its manifest is damaged, a part of its config was redacted) is found by its id.
    Where several are one run, the finished one counts, then the one named by its identity. A folder
    whose run.json is no record is no run.

    Args:
        study: the folder, which need not be there.
    """

    def __init__(self, study: Path) -> None:
        self._entries: dict[str, list[_Entry]] = {}
        self._by_id: dict[str, Known] = {}
        self._found: dict[str, dict[str, Known]] = {}
        folders = sorted(path.parent for path in study.glob(f"*/{RUN}"))
        # A copy of a folder has its id; the original is the one that is called so.
        entries = [entry for folder in folders if (entry := _read(folder))]
        seen: set[str] = set()
        for entry in sorted(entries, key=lambda entry: entry.known.folder != entry.known.id):
            if entry.known.id in seen:
                continue
            seen.add(entry.known.id)
            if not tells_identity(entry.config, entry.manifest):
                self._by_id[entry.known.id] = entry.known
            else:
                self._entries.setdefault(_family(entry.config), []).append(entry)

    def like(
        self, config: Config, plain: Callable[[Config], Config]
    ) -> Callable[[str], Known | None]:
        """By its identity the record of a run with the task and kind of model of a config; None
        where there is none.

        Args:
            config: of one of these runs.
            plain: the config of a record of them, with the options that have no effect as they are
                in `config`.
        """
        family = _family(config)
        if family not in self._found:
            found: dict[str, Known] = {}
            for entry in self._entries.get(family, []):
                of_data, kind = entry.manifest["data_hashes"], entry.manifest["device_kind"]
                run = identity(plain(entry.config), of_data, kind)
                before = found.get(run)
                if before is None or _rank(entry.known, run) > _rank(before, run):
                    found[run] = entry.known
            self._found[family] = found
        own = self._found[family]
        return lambda id: own.get(id) or self._by_id.get(id)


def _rank(known: Known, identity: str) -> tuple[bool, bool]:
    return known.finished, known.id == identity


def _family(config: Config) -> str:
    """What the options without effect depend on: the task, and the kind of model.

    Without nulls, as the identity: a record may be older than an option that is null.
    """
    model = config.get("model")
    kind = model.get("_target_") if isinstance(model, dict) else ""
    return canonical(without_nulls([config.get("task"), kind]))


def _read(folder: Path) -> _Entry | None:
    try:
        run = read_json(folder / RUN)
    except (SeqexpError, OSError):
        return None
    if run is None or not isinstance(run.get("id"), str):
        return None
    try:
        manifest = read_json(folder / MANIFEST) or {}
    except (SeqexpError, OSError):
        manifest = {}
    known = Known(folder.name, run["id"], is_finished(folder))
    return _Entry(known, with_todays_names(run.get("config")), manifest)
