"""`seqexp data`: list, fetch and verify the data sets, and say where they lie."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from omegaconf import OmegaConf

from seqexp.commands.configs import config_folder
from seqexp.data.download import fetch, summary
from seqexp.data.inventory import damaged, inventory
from seqexp.data.source import Source
from seqexp.data.sources import SOURCES
from seqexp.sweeps.nearest import nearest_name
from seqexp.types import SeqexpError

USAGE = """\
usage: seqexp data ACTION [NAME ...]

  list   [NAME ...]   the data sets: what they are, how large, on what terms, where they lie;
                      of those named also whom to cite and where each file comes from
  fetch  [NAME ...]   download what is missing, verify what is there
  verify [NAME ...]   read and verify what is there; exit code 1 if anything is corrupt or missing
  path   NAME         the folder of a data set; exit code 1 if it is not here as a whole

Without names all are meant. Files lie in the folder that SEQEXP_DATA_DIR names, or in your cache.
"""

BY_NAME = {source.name: source for source in SOURCES}

SHOWN = 5
"""The most files of a data set that are named one by one."""


def main(arguments: list[str]) -> int:
    """Do one of the actions; without any, say what there are."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0 if arguments else 2
    action, *names = arguments
    if action not in ACTIONS:
        raise SeqexpError(_no_action(action))
    return ACTIONS[action](names)


def _no_action(word: str) -> str:
    if word in BY_NAME:
        return f"write seqexp data fetch {word}; seqexp data --help lists what else there is"
    return f"no action {word!r}{nearest_name(word, ACTIONS)}; there are {', '.join(ACTIONS)}"


def _chosen(names: Sequence[str]) -> list[Source]:
    """The data sets of some names, all for none."""
    for name in names:
        if name not in BY_NAME:
            near = nearest_name(name, BY_NAME)
            raise SeqexpError(f"no data set {name!r}{near}; there are {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in dict.fromkeys(names or BY_NAME)]


def _list(names: Sequence[str]) -> int:
    width = max(map(len, BY_NAME)) + 2
    tasks = _tasks()
    for source in _chosen(names):
        lines = [source.title, f"{summary(source.files)}; licence: {source.licence}"]
        if read_by := tasks.get(source.name):
            lines.append(f"task={','.join(read_by)}")
        lines.append(_where(source))
        if names:
            lines += [f"cite {source.citation}", *_addresses(source)]
        for start, line in zip([source.name, *[""] * len(lines)], lines, strict=False):
            print(f"{start:{width}}{line}")
    return 0


def _where(source: Source) -> str:
    found = inventory(source)
    if not found.here:
        return "not here"
    places = " and ".join(map(str, found.folders(source)))
    if found.missing:
        return f"{len(found.here):,} of {len(source.files):,} files in {places}"
    return places


def _addresses(source: Source) -> list[str]:
    if source.archive:
        return [f"from {source.archive.url}"]
    return [f"from {file.url} (sha256 {file.sha256})" for file in source.files]


def _fetch(names: Sequence[str]) -> int:
    failed = 0
    for source in _chosen(names):
        try:
            fetch(source)
        except SeqexpError as error:
            print(f"seqexp: error: {error}", file=sys.stderr)
            failed = 1
        else:
            print(f"{source.name}: {_where(source)} ({summary(source.files)}, sha256 verified)")
    return failed


def _verify(names: Sequence[str]) -> int:
    failed = 0
    for source in _chosen(names):
        found = inventory(source)
        wrong = [f"{place} {why}" for place, why in damaged(found.here).items()]
        if found.here:
            wrong += [f"{place} is missing" for place in found.missing.values()]
        else:
            wrong = [f"not here; seqexp data fetch {source.name} downloads it"]
        failed += bool(wrong)
        for line in wrong[:SHOWN]:
            print(f"{source.name}: {line}")
        if len(wrong) > SHOWN:
            print(f"{source.name}: and {len(wrong) - SHOWN:,} more")
        if not wrong:
            print(f"{source.name}: {_where(source)} ({summary(source.files)}, sha256 verified)")
    return int(failed > 0)


def _path(names: Sequence[str]) -> int:
    if len(names) != 1:
        raise SeqexpError(f"path takes one name, not {len(names)}: seqexp data path NAME")
    [source] = _chosen(names)
    found = inventory(source)
    if found.missing:
        counted = f"{len(found.missing):,} of {len(source.files):,} files of {source.name}"
        print(
            f"seqexp: error: {counted} are not here: download them with seqexp data fetch "
            f"{source.name}, or put them into {found.folder_to_fill(source)}",
            file=sys.stderr,
        )
        return 1
    print(*found.folders(source), sep="\n")
    return 0


ACTIONS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "list": _list,
    "fetch": _fetch,
    "verify": _verify,
    "path": _path,
}


def _tasks() -> dict[str, list[str]]:
    """The tasks of the menu that read each data set, by its name: those whose file imports it."""
    found: dict[str, list[str]] = {}
    for path in sorted((config_folder() / "task").glob("[!_]*.yaml")):
        for name in _read_by(path):
            found.setdefault(name, []).append(path.stem)
    return found


def _read_by(task: Path) -> list[str]:
    target = str(OmegaConf.select(OmegaConf.load(task), "task._target_", default=""))
    package, _, name = target.rpartition(".")
    with suppress(ImportError, AttributeError):  # A package of one of the extras may be missing.
        module = getattr(importlib.import_module(package), name).__module__
        values = vars(importlib.import_module(module)).values()
        return [value.name for value in values if isinstance(value, Source)]
    return []
