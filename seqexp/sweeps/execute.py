"""Execute a sweep: skip what is finished, train group by group, isolate failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from seqexp.inspection.settings import Settings
from seqexp.runs import attempts, plans
from seqexp.runs.gaps import gaps
from seqexp.runs.locks import Locks
from seqexp.runs.manifest import source_hash
from seqexp.runs.record import MANIFEST, RUN, is_finished
from seqexp.runs.store import read_json
from seqexp.runs.wandb_mirror import Mirror
from seqexp.sweeps.ahead import Ahead
from seqexp.sweeps.data import Data
from seqexp.sweeps.executors import executor_of, settings_of
from seqexp.sweeps.executors.follow import Follower, settle
from seqexp.sweeps.executors.settings import Local
from seqexp.sweeps.group_run import run_group
from seqexp.sweeps.groups import Group, Planned, plan
from seqexp.sweeps.no_effect import told
from seqexp.sweeps.outcome import Outcome, outcome_of
from seqexp.sweeps.point import Point
from seqexp.sweeps.progress import SweepProgress, print_outcomes
from seqexp.sweeps.rerun import Rerun
from seqexp.sweeps.sharing import Sharing, Stamp, closed, elsewhere, stamp
from seqexp.sweeps.widths import match_widths
from seqexp.training.compiled import drop_programs
from seqexp.types import SeqexpError


def execute(points: Sequence[Point], patient: bool = False) -> list[Outcome]:
    """Train every point that is not finished yet, here or where the executor does.

    Args:
        points: of one study.
        patient: where another process trains one, wait until it is done, or given up for dead.

    Returns:
        The outcome of each point, in order. A failure is an outcome, not an exception.

    Raises:
        SeqexpError: before any training, if a config, the data or the runs folder is wrong, if a
            model cannot meet its budget.
    """
    first = points[0].config
    for key in ("study", "runs_dir", "rerun", "logger", "inspect"):
        if any(point.config.get(key) != first.get(key) for point in points):
            raise SeqexpError(f"{key} must be the same for all points of a sweep")
    if any(point.executor != points[0].executor for point in points):
        raise SeqexpError("executor must be the same for all points of a sweep")
    settings = settings_of(points[0].executor)
    executor = executor_of(settings)
    rerun = first["rerun"]
    data = Data()
    matched = match_widths(points, data)
    groups, ids = plan(matched, data, None if executor is None else executor.devices)
    mirror = Mirror.of(first["logger"])
    Settings.of(first.get("inspect"))
    outcomes: dict[str, Outcome] = {}
    study = Path(first["runs_dir"]) / first["study"]
    again = Rerun(study, groups) if rerun == "always" else None
    # Before it is looked what is finished: what is written from now on was written by others.
    seen = {member.info.id: stamp(member) for group in groups for member in group.members}
    to_train = [(group, _unfinished(group, rerun, again, outcomes)) for group in groups]
    # Those that died last time come last: if they die again, the others are trained.
    to_train.sort(key=lambda each: any(attempts.read(m.directory) for m in each[1]))
    steps = sum(group.experiment.steps * len(members) for group, members in to_train)
    with suppress(OSError):  # As where records can be read alone.
        settle(study)
    with SweepProgress(steps) as progress:
        firsts = [(group.members[0].point, group.without_effect) for group in groups]
        if options := told((point.task, point.model, idle) for point, idle in firsts):
            progress.say(options)
        if again and again.done:
            progress.say(f"rerun=always goes on; to begin it anew, delete {again.path}")
        if steps:
            with Locks(study) as locks:
                with suppress(OSError):  # Training will say so.
                    plans.write(study, [run for group in groups for run in group.in_plan])
                if executor is None:
                    ahead = isinstance(settings, Local) and settings.compile_ahead
                    outcomes |= _train(
                        to_train, seen, locks, mirror, progress, again, patient, ahead
                    )
                else:
                    done = partial(_trained_again, again)
                    follower = Follower(executor, study, locks, progress, done)
                    outcomes |= follower.train(to_train, dict(zip(ids, matched, strict=True)))
    if again and all(outcome.status != "elsewhere" for outcome in outcomes.values()):
        again.ended()
    if len(points) > 1 or outcomes[ids[0]].status != "elsewhere":
        print_outcomes([outcomes[id] for id in dict.fromkeys(ids)], progress.console)
    return [outcomes[id] for id in ids]


def recorded(points: Sequence[Point]) -> list[Outcome]:
    """What became of points that a launcher of Hydra's had trained, one process each, by their
    records; the closing table is printed as `execute` does.

    Args:
        points: of one study.
    """
    data = Data()
    groups, ids = plan(match_widths(points, data), data)
    outcomes = {
        member.info.id: closed(member) or outcome_of(member, "its process did not finish it")
        for group in groups
        for member in group.members
    }
    with SweepProgress(0) as progress:
        print_outcomes([outcomes[id] for id in dict.fromkeys(ids)], progress.console)
    return [outcomes[id] for id in ids]


def _train(
    to_train: Sequence[tuple[Group, Sequence[Planned]]],
    seen: Mapping[str, Stamp],
    locks: Locks,
    mirror: Mirror,
    progress: SweepProgress,
    again: Rerun | None,
    patient: bool,
    compile_ahead: bool,
) -> dict[str, Outcome]:
    """Train each group's members, except those that other processes train.

    These get another chance at the end, when such a process may be done, or dead.
    """
    ours = [member.info.id for _, members in to_train for member in members]
    sharing = Sharing({id: seen[id] for id in ours}, locks)
    sharing.announce(progress)
    outcomes: dict[str, Outcome] = {}
    ahead = Ahead()
    for _ in range(2):
        left = []
        for i, (group, members) in enumerate(to_train):
            with sharing.taken(members) as share:
                outcomes |= share.closed
                for member in share.mine:
                    if (by := locks.dead.pop(member.info.id, None)) is not None:
                        progress.say(f"{member.info.name} is taken over: {by} has died")
                if share.mine:
                    begin = partial(
                        _begin_next, ahead, to_train[i + 1 :] if compile_ahead else [], locks
                    )
                    failed = run_group(
                        group, share.mine, mirror, progress, locks.holds, ahead, begin
                    )
                    for member in share.mine:
                        id = member.info.id
                        outcomes[id] = outcome_of(member, failed.get(id))
                _trained_again(again, share.mine)
            outcomes |= {member.info.id: elsewhere(member, by) for member, by in share.elsewhere}
            left.append((group, [member for member, _ in share.elsewhere]))
            # Behind the locks, which nobody shall wait for because of what compiles here.
            if share.mine:
                ahead.wait()
                if drop_programs():
                    ahead.forget()
        to_train = left
        if patient:
            sharing.wait_for([member for _, members in to_train for member in members])
    return outcomes


def _begin_next(
    ahead: Ahead, coming: Sequence[tuple[Group, Sequence[Planned]]], locks: Locks
) -> None:
    """Compile the next group that no other process trains, of those that come."""
    for group, members in coming:
        free = [member for member in members if locks.holder(member.info.id) is None]
        if free:
            ahead.start(group, len(free))
            return


def _trained_again(again: Rerun | None, members: Sequence[Planned]) -> None:
    """Of these, what is finished need not be trained once more by this rerun, if it is one."""
    if again is not None:
        again.trained(member.info.id for member in members if is_finished(member.directory))


def _unfinished(
    group: Group, rerun: str, again: Rerun | None, outcomes: dict[str, Outcome]
) -> list[Planned]:
    """The members to train; what is finished goes to the outcomes, with what is amiss with it."""
    members = []
    for member in group.members:
        trained_again = again is not None and member.info.id in again.done
        if not is_finished(member.directory) or (rerun == "always" and not trained_again):
            members.append(member)
            continue
        notes = _amiss(member, thorough=rerun == "stale")
        if rerun == "stale" and notes:
            members.append(member)
            continue
        note = f" ({', '.join(notes)}; rerun=stale trains it again)" if notes else ""
        if trained_again:
            note = " (trained again before this rerun was interrupted)"
        done = outcome_of(member)
        outcomes[member.info.id] = replace(done, status="skipped", detail=f"{done.detail}{note}")
    return members


def _amiss(member: Planned, thorough: bool) -> list[str]:
    """Reasons not to trust a finished run: gaps in its record, or code other than today's."""
    run = read_json(member.directory / RUN) or {}
    notes = gaps(member.directory, run, thorough)
    with suppress(SeqexpError):  # Its manifest is among the gaps.
        manifest = read_json(member.directory / MANIFEST)
        if manifest is not None:
            made_with = manifest.get("packages")
            made_with = made_with if isinstance(made_with, dict) else {}
            other = [
                name for name in member.packages if made_with.get(name) != member.packages[name]
            ]
            notes = [f"made with another {name}" for name in other] + notes
            if manifest.get("source") != source_hash():
                notes.insert(0, "made by other code")
    return notes
