"""Runs of wandb, opened so that they keep still: nothing asked, watched or sent beside what we log.

wandb is imported in here and in its sisters only, and only where something is mirrored.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seqexp.runs.wandb_files import ARCHIVE, pack
from seqexp.types import first_line

if TYPE_CHECKING:
    import wandb

Mode = Literal["online", "offline", "disabled"]

INIT_TIMEOUT = 10.0
"""Seconds to wait for the server before a run is mirrored offline."""

FINISH_TIMEOUT = 60.0
"""Seconds to wait for uploads at the end of a run; what is left stays on disk for `wandb sync`."""

CALL_TIMEOUT = 60.0
"""Seconds after which wandb is given up, on top of those that the server may take: enough for its
import and its process to start on a busy machine."""

KILL_TIMEOUT = 5.0
"""Seconds to wait for wandb when the process is asked to end."""

TAG_LENGTH = 64
"""wandb refuses longer tags."""

NO_KEY = "no API key: run `wandb login`"

_log = logging.getLogger(__name__)

_offline_because: list[str] = []
"""Why this process can't reach the server, once it has tried."""


def open_run(mode: Mode, directory: Path, **what: Any) -> wandb.Run:
    """Open a run, online if that is asked for and can be, with one warning a process if it can not.

    Args:
        mode: "online" or "offline".
        directory: wandb writes into its subfolder `wandb`, in place of what was there.
        what: the arguments of `wandb.init` that say which run it is: `id`, `project`, `config`...
    """
    # wandb reads these when it is imported: even offline it would look up a host otherwise.
    # Afterwards the mode is the user's again, for what is composed later in this process.
    with _setting("WANDB_MODE", mode):
        settle_environment()
        return _open(mode, directory, what)


def _open(mode: Mode, directory: Path, what: dict[str, Any]) -> wandb.Run:
    if mode == "online" and not _offline_because:
        # Asked beforehand, because `init` would wait for an answer at a terminal.
        if has_key():
            try:
                return _init(directory, "online", what)
            except Exception as error:
                _offline_because.append(first_line(error))
            # The service keeps the id of a run that failed to start until it is torn down; but
            # other runs that are open would end with it.
            import wandb

            if wandb.setup().most_recent_active_run is None:
                wandb.teardown()
        else:
            _offline_because.append(NO_KEY)
        _log.warning("wandb stays offline (%s); send runs with `wandb sync`", *_offline_because)
    return _init(directory, "offline", what)


def settle_environment() -> None:
    """Keep wandb from reporting its errors, and from talking; before it is imported."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")


def has_key() -> bool:
    """Whether this user has a key for the server, without asking for one."""
    import wandb

    return wandb.login(prompt=False, verify=False)


def save_archive(run: wandb.Run, files: Mapping[str, bytes]) -> None:
    """Let some files travel with a run, as its archive."""
    archive = Path(run.dir) / ARCHIVE
    archive.write_bytes(pack(files))
    run.save(archive, base_path=run.dir, policy="end", glob=False)


@contextlib.contextmanager
def staging_in(directory: Path) -> Iterator[None]:
    """Let wandb keep the copies that it makes of tables beside the run, not in the user's home."""
    with _setting("WANDB_DATA_DIR", str(directory.parent)):
        yield


@contextlib.contextmanager
def _setting(variable: str, value: str) -> Iterator[None]:
    """A variable of the environment that has another value for a while."""
    before = os.environ.get(variable)
    os.environ[variable] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def _init(directory: Path, mode: Literal["online", "offline"], what: dict[str, Any]) -> wandb.Run:
    import wandb

    # All of it is in the records and is logged again: an old mirror would only be sent twice.
    shutil.rmtree(directory / "wandb", ignore_errors=True)
    return wandb.init(
        mode=mode,
        dir=str(directory.absolute()),
        reinit="create_new",
        resume="allow" if mode == "online" else None,
        settings=wandb.Settings(
            init_timeout=INIT_TIMEOUT,
            finish_timeout=FINISH_TIMEOUT,
            silent=True,
            console="off",
            symlink=False,
            save_code=False,
            disable_git=True,
            # Its metadata hold the command line, secrets and all; our manifest has it redacted.
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
            # A monitor per run would disturb the times that we measure.
            x_disable_stats=True,
        ),
        **what,
    )


def why_not_loaded() -> str | None:
    """Why wandb can't be imported here; None where it can."""
    settle_environment()
    try:
        import wandb  # noqa: F401
    except Exception as error:  # A broken installation may raise anything.
        return first_line(error)
    return None
