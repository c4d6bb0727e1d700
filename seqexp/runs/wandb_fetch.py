"""A study out of wandb: the records that its mirrored runs carry, made folders again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seqexp.runs import store
from seqexp.runs.record import run_directory, study_directory
from seqexp.runs.schema import RUN
from seqexp.runs.wandb_files import ARCHIVE, carried, measured, unpack
from seqexp.runs.wandb_session import NO_KEY, TAG_LENGTH, has_key, settle_environment
from seqexp.runs.wandb_study import study_id
from seqexp.types import SeqexpError, first_line

if TYPE_CHECKING:
    from wandb.apis.public import Api, Run

TIMEOUT = 30
"""Seconds to wait for an answer of the server."""


class Fetched(NamedTuple):
    """What was fetched.

    Attributes:
        folder: of the study.
        new: how many records are new in it.
        known: how many it held before, the same.
        problems: the runs that it lacks, or holds otherwise, and why; a line each.
    """

    folder: Path
    new: int
    known: int
    problems: list[str]


def fetch(address: str, runs_dir: Path) -> Fetched:
    """Bring the records of a study that was mirrored to wandb into its folder.

    A record arrives as a whole or not at all, and never in place of another that is there.

    Args:
        address: "ENTITY/PROJECT/STUDY", or "PROJECT/STUDY" for the user's default entity.
        runs_dir: where the folders of studies are.

    Raises:
        SeqexpError: there is no such study, or the server can not be asked.
    """
    parts = address.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise SeqexpError(f"wandb:{address} must be wandb:ENTITY/PROJECT/STUDY")
    study = parts[-1]
    folder = study_directory(runs_dir, study)
    try:
        runs = list(_runs(_api(), "/".join(parts[:-1]), study))
    except SeqexpError:
        raise
    # Broad on purpose: wandb raises errors of many kinds, and all mean the same here.
    except Exception as error:
        raise SeqexpError(f"wandb does not answer for {address} ({first_line(error)})") from error
    if not runs:
        raise SeqexpError(f"no runs of a study {study} in wandb's {'/'.join(parts[:-1])}")
    new = known = 0
    problems = []
    for run in runs:
        try:
            if run.id == study_id(study):
                _fetch_measured(run, folder)
            elif _fetch_run(run, runs_dir, study):
                new += 1
            else:
                known += 1
        except SeqexpError as error:
            problems.append(f"{run.name} ({run.id}): {error}")
    return Fetched(folder, new, known, problems)


def _api() -> Api:
    settle_environment()
    import wandb

    # Asked beforehand, because `Api` would wait for an answer at a terminal.
    if not has_key():
        raise SeqexpError(f"wandb can not be asked: {NO_KEY}")
    return wandb.Api(timeout=TIMEOUT)


def _runs(api: Api, project: str, study: str) -> Iterator[Run]:
    """The runs of a study; a tag may also be that of a model of this name."""
    filters = {"tags": {"$in": [study[:TAG_LENGTH]]}}
    for run in api.runs(project, filters=filters, lazy=False):
        if run.config.get("run", {}).get("study") == study:
            yield run


def _fetch_run(run: Run, runs_dir: Path, study: str) -> bool:
    """Fetch the record of a run; whether it is new.

    Raises:
        SeqexpError: it can not be had, or another is in its place.
    """
    record = _files(run)
    if not record:
        raise SeqexpError(
            f"it carries no record: it runs still, was cut off, or is not sent whole ({run.state})"
        )
    if _said(record) != (run.id, study):
        raise SeqexpError(f"its {ARCHIVE} is the record of another run")
    directory = run_directory(runs_dir, study, run.id)
    if not directory.exists():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".fetching-") as place:
            arriving = Path(place) / run.id
            arriving.mkdir()
            for name, content in record.items():
                (arriving / name).write_bytes(content)
            try:
                arriving.rename(directory)
                return True
            except OSError:  # A sweep has begun to train it meanwhile.
                pass
    if carried(directory) != record:
        raise SeqexpError(f"another record is in {directory}; it is kept")
    return False


def _said(record: Mapping[str, bytes]) -> tuple[Any, Any]:
    """Of which run of which study a record says that it is."""
    try:
        run = json.loads(record[RUN])
        return run["id"], run["study"]
    except (LookupError, TypeError, ValueError):
        return None, None


def _fetch_measured(run: Run, folder: Path) -> None:
    """Fetch what `seqexp cost` measured for a study, if anything.

    Raises:
        SeqexpError: it can not be had, or other measurements are in its place.
    """
    here = measured(folder)
    for name, content in _files(run).items():
        if name not in here:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            store.write_atomic(folder / name, content)
        elif here[name] != content:
            raise SeqexpError(f"another {folder / name} is there; it is kept")


def _files(run: Run) -> dict[str, bytes]:
    """The files that a run carries, by name."""
    try:
        found = [file for file in run.files(names=[ARCHIVE]) if file.name == ARCHIVE and file.size]
        archives = [_download(file) for file in found]
    # Broad on purpose, see above.
    except Exception as error:
        raise SeqexpError(f"its {ARCHIVE} can not be fetched ({first_line(error)})") from error
    return unpack(archives[0]) if archives else {}


def _download(file: Any) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        file.download(root=place, replace=True).close()
        return (Path(place) / file.name).read_bytes()
