"""Open the records of a group's members: each resumed where it was left, or new."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from seqexp.inspection.shown import has_samples
from seqexp.runs import attempts, checkpoint
from seqexp.runs.attempts import Attempt
from seqexp.runs.manifest import manifest, source_hash
from seqexp.runs.record import (
    COST,
    FORMAT,
    MANIFEST,
    METRICS,
    RUN,
    SAMPLES,
    TIMING,
    RunRecord,
    is_finished,
)
from seqexp.runs.store import Damaged, read, read_json
from seqexp.runs.wandb_mirror import Mirror
from seqexp.sweeps.groups import Planned, device_kind
from seqexp.training import Experiment, Hyper
from seqexp.training.loop import Standing
from seqexp.training.step import MemberState, init_member
from seqexp.types import SeqexpError, reason


@dataclass
class Opened:
    """A member's record, open for writing, and where its training stands.

    Attributes:
        planned: the member.
        run: its record.
        state: from its checkpoint; None for a run that begins.
        standing: beside it.
        seconds: that it has trained for.
        last: the attempt that died before this one, if one did.
        died: how many in a row did, and came no further than this.
        failed: why it can't go on; None while it can.
        is_ours: whether this process may write the record still.
    """

    planned: Planned
    run: RunRecord
    state: MemberState | None = None
    standing: Standing = field(default_factory=Standing)
    seconds: float = 0.0
    last: Attempt | None = None
    died: int = 0
    failed: str | None = None
    is_ours: Callable[[], bool] = lambda: True

    @property
    def step(self) -> int:
        return 0 if self.state is None else int(self.state.step)

    def fail(self, why: str) -> None:
        """End this member, whatever state its folder is in."""
        self.failed = why
        if self.run.status == "running":
            # On a full disk, say, the closing table alone has the reason.
            with suppress(OSError):
                self.run.fail(why)


class _Left(NamedTuple):
    state: MemberState
    standing: Standing
    seconds: float


def open_members(
    experiment: Experiment,
    members: Sequence[Planned],
    mirror: Mirror,
    say: Callable[[str], None],
) -> tuple[list[Opened], dict[str, str]]:
    """Open each member's record, so that whatever goes wrong later is written into it.

    Nothing of a model is computed. A record that is damaged begins anew, and that is said.

    Returns:
        The members that can be written, and by run id why the others can't.
    """
    like = jax.eval_shape(partial(init_member, experiment, Hyper.example()))
    opened, failed = [], {}
    for member in members:
        try:
            opened.append(_open(experiment, member, like, mirror, say))
        except Exception as error:  # Whatever it is, the others are worth training.
            failed[member.info.id] = reason(error)
            keep_traceback(member.directory, error)
        except KeyboardInterrupt:
            for each in opened:
                each.run.interrupt()
            raise
    return opened, failed


def keep_traceback(folder: Path, error: Exception) -> None:
    """Write where an error came from into a run's folder, if it may be a mistake in the code."""
    if isinstance(error, OSError | SeqexpError):
        return
    lines = "".join(traceback.format_exception(error))
    with suppress(OSError):
        (folder / "error.txt").write_text(lines, encoding="utf-8", errors="backslashreplace")


def _open(
    experiment: Experiment,
    member: Planned,
    like: MemberState,
    mirror: Mirror,
    say: Callable[[str], None],
) -> Opened:
    now = manifest(device_kind(), member.data_hashes, member.packages)
    folder = member.directory
    last = None if is_finished(folder) else attempts.read(folder)
    try:
        left = _left(experiment, member, like)
        if left is not None:
            run = RunRecord.open(folder, mirror)
            run.resume_from(int(left.state.step), member.info, now)
            died = attempts.died_since(last, int(left.state.step))
            return Opened(member, run, *left, died=died, last=last)
    except Damaged as error:
        if isinstance(error.__cause__, PermissionError):
            raise  # Another user's, perhaps: nothing to delete.
        say(f"{member.info.name} begins anew: {error.what}")
    run = RunRecord.create(folder.parent.parent, member.info, now, mirror)
    return Opened(member, run, died=attempts.died_since(last, 0), last=last)


def _left(experiment: Experiment, member: Planned, like: MemberState) -> _Left | None:
    """What an interrupted run left, if training can go on from it.

    Raises:
        Damaged: naming the file that speaks against it.
    """
    folder = member.directory
    run = read_json(folder / RUN)
    if run is None or run.get("format") != FORMAT or is_finished(folder):
        return None
    if run.get("id") != member.info.id:
        raise Damaged(f"{folder / RUN} is of another run ({run.get('id')})")
    written = read_json(folder / MANIFEST) or {}
    if written.get("source") != source_hash():
        return None  # Half of a run by one code and half by another would be neither's.
    if not isinstance(written.get("resumed", []), list):
        raise Damaged(f"{folder / MANIFEST} is damaged (resumed is no list)")
    read_json(folder / COST)
    saved = checkpoint.load(folder, member.info.id)
    if saved is None:
        return None
    try:
        state = restored_state(saved.tree["state"], like)
        standing = Standing(**saved.tree["standing"])
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{folder / checkpoint.CURRENT} is not of this model ({error})") from error
    due = _due(experiment, state)
    timing = _recorded(folder / TIMING, saved.step, due)
    _recorded(folder / METRICS, saved.step, due)
    sampled = due if state.alive else due[:-1]
    _recorded(folder / SAMPLES, saved.step, sampled if has_samples(experiment.task) else [])
    try:
        seconds = float(timing[-1]["seconds"]) if timing else 0.0
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{folder / TIMING} is damaged (a line has no seconds)") from error
    return _Left(state, standing, seconds)


def _due(experiment: Experiment, state: MemberState) -> list[int]:
    """The steps that a member in this state has recorded: each evaluation, and its divergence."""
    step, every = int(state.step), experiment.eval_every
    due = list(range(every, step + 1, every))
    # One that diverged before the next evaluation recorded how far it came, again if it came no
    # further than the last; the end of training is evaluated wherever it falls.
    if not state.alive or step % every:
        due.append(step)
    return due


def _recorded(path: Path, step: int, due: Sequence[int]) -> list[dict[str, Any]]:
    """The records up to a step, which must be those due.

    A machine that lost its power may keep one file and not the other.
    """
    records = read(path)
    steps = [record.get("step") for record in records]
    if not all(type(each) is int for each in steps):
        raise Damaged(f"{path} is damaged (a line has no step)")
    kept = [record for record in records if record["step"] <= step]
    if [record["step"] for record in kept] != list(due):
        raise Damaged(f"{path} does not hold the steps recorded up to {step}, and only these")
    return kept


def restored_state(leaves: Any, like: MemberState) -> MemberState:
    """The state that was saved as these leaves.

    Raises:
        ValueError: they are not of this model.
    """
    expected, structure = jax.tree.flatten(like)

    def shapes(arrays: Any) -> list[tuple[tuple[int, ...], Any]]:
        return [(tuple(a.shape), np.dtype(a.dtype)) for a in arrays]

    leaves = [np.asarray(leaf) for leaf in leaves]
    if shapes(leaves) != shapes(expected):
        raise ValueError("its arrays have other shapes")
    return jax.tree.unflatten(structure, leaves)
