"""Train one group and write its members' records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import jax
import numpy as np
from flax import nnx

from seqexp.costs.ledger import CostLedger
from seqexp.costs.measure import measure_costs, not_known
from seqexp.costs.memory_needed import require_room, size
from seqexp.costs.memory_there import host_room
from seqexp.laws import check_quickly
from seqexp.runs import attempts, endings
from seqexp.runs.attempts import NOTE, Attempt
from seqexp.runs.manifest import Machine, machine_of, manifest
from seqexp.runs.record import COST, MANIFEST, METRICS
from seqexp.runs.store import read, read_json
from seqexp.runs.wandb_mirror import Mirror
from seqexp.sweeps.ahead import Ahead
from seqexp.sweeps.description import describe
from seqexp.sweeps.foreign import has_own_code
from seqexp.sweeps.groups import Group, Planned, device_kind
from seqexp.sweeps.opening import Opened, keep_traceback, open_members
from seqexp.sweeps.progress import SweepProgress
from seqexp.sweeps.random_costs import with_peak_resident
from seqexp.sweeps.watching import Watcher, watchers_of
from seqexp.training import GroupState, Interval, Program, train
from seqexp.training.loop import Standing
from seqexp.training.mesh import group_mesh, slice_widths
from seqexp.training.step import MemberState
from seqexp.types import SeqexpError, Splits, reason

TAKEN_OVER = "another process took it over, for this one gave no sign of life"

DEATHS = 2
"""So many attempts may die, and gain no checkpoint, before a run is given up."""


def run_group(
    group: Group,
    members: Sequence[Planned],
    mirror: Mirror,
    progress: SweepProgress,
    holds: Callable[[str], bool],
    ahead: Ahead,
    begin_next: Callable[[], None],
) -> dict[str, str]:
    """Train the members to the end, from their checkpoints where there are any.

    Records come first: whatever goes wrong, for one member or for all, is written into them.

    Args:
        group: what is trained.
        members: of it, those to train here.
        mirror: of their records.
        progress: of the sweep.
        holds: whether the lock of a run is still held, by its id; nothing is written if not.
        ahead: has compiled this group, perhaps.
        begin_next: called when costs are measured: what may run beside training can begin.

    Returns:
        By run id, why a member failed.
    """
    progress.working_on(f"{group.name}: preparing")
    opened, going, failed = [], [], {}

    def end_attempt() -> None:
        for member in going:
            with suppress(OSError):
                if member.is_ours():
                    attempts.remove(member.run.directory)

    endings.add(end_attempt)
    try:
        opened, failed = open_members(group.experiment, members, mirror, progress.say)
        for member in opened:
            member.is_ours = partial(holds, member.planned.info.id)
            if member.died >= DEATHS and member.planned.point.config["rerun"] == "never":
                member.fail(_given_up(member))
        going += [member for member in opened if member.failed is None]
        if going:
            _train_group(group, going, progress, ahead, begin_next)
    except KeyboardInterrupt:
        for member in opened:
            if member.failed is None and member.run.status == "running":
                member.run.interrupt()
        raise
    except Exception as error:  # Whatever it is, the other groups' results are worth having.
        why = reason(error)
        progress.say(f"{group.name} failed: {why}")
        if not opened:
            failed = {member.info.id: why for member in members}
        for member in opened:
            if member.failed is None and member.run.status == "running":
                member.fail(why)
                keep_traceback(member.run.directory, error)
    finally:
        # Reached by Control-C too, and not by a process that is killed.
        endings.remove(end_attempt)
        end_attempt()
    return failed | {m.planned.info.id: m.failed for m in opened if m.failed is not None}


def _given_up(member: Opened) -> str:
    last = member.last
    assert last is not None
    there = (
        "" if last.memory is None else f", the last time with {size(last.memory)} of memory left"
    )
    return (
        f"its process died twice while {last.during}, without having gained a checkpoint{there}; "
        f"rerun=stale tries again, and so does deleting {member.run.directory / NOTE}"
    )


def _train_group(
    group: Group,
    opened: Sequence[Opened],
    progress: SweepProgress,
    ahead: Ahead,
    begin_next: Callable[[], None],
) -> None:
    mesh = group_mesh(len(opened), group.batch_devices)
    splits = group.load()
    require_room(group.experiment, len(opened), mesh, splits)
    if has_own_code(opened[0].planned.point.config):
        _attempt("trying the laws on its own code", group, opened, progress)
        check_quickly(group.experiment)
    _attempt("preparing", group, opened, progress)
    hypers = [member.planned.hyper for member in opened]
    programs = ahead.take(group, mesh)
    program = Program.of(group.experiment, splits, hypers, mesh, programs=programs)
    fresh = program.take(program.init())
    progress.advance(sum(member.step for member in opened))
    _attempt("measuring costs", group, opened, progress)
    program, ledger, kept = _with_costs(program, fresh, opened, splits)
    _each(opened, lambda m, member: member.run.write_cost((kept[m] or ledger).to_json()))
    progress.say(f"{group.name}: {describe(group, ledger)}")
    for line in not_known(ledger):
        progress.say(f"{group.name}: {line}")
    _attempt("training", group, opened, progress, f"training {len(opened)} at once")
    # If the process died before, it is to be found out whose fault it is.
    if not any(member.died for member in opened):
        begin_next()
    states = [start if m.state is None else m.state for m, start in zip(opened, fresh, strict=True)]
    config = opened[0].planned.point.config
    watchers = watchers_of(program, config, group.name, progress.say)
    _train(program, opened, states, progress, watchers)


def _attempt(
    during: str, group: Group, opened: Sequence[Opened], progress: SweepProgress, shown: str = ""
) -> None:
    """Note on disk what is begun, for the next start if this process is killed meanwhile."""
    progress.working_on(f"{group.name}: {shown or during}")
    room = host_room()
    memory = None if room is None else room.bytes

    def note(_: int, member: Opened) -> None:
        attempt = Attempt(member.step, member.died, during, memory)
        attempts.write(member.run.directory, attempt)

    _each(opened, note)


def _each(opened: Sequence[Opened], write: Callable[[int, Opened], None]) -> None:
    """Write something of each member that goes on. A full disk, or a folder that is gone, ends
    that member alone; the rest train on.

    Raises:
        SeqexpError: no member is left.
    """
    for m, member in enumerate(opened):
        if member.failed is None:
            try:
                if not member.is_ours():
                    member.failed = TAKEN_OVER
                    continue
                write(m, member)
            except (OSError, SeqexpError) as error:
                member.fail(reason(error))
    if all(member.failed is not None for member in opened):
        raise SeqexpError(f"no record can be written any more ({opened[0].failed})")


def _with_costs(
    program: Program, fresh: Sequence[MemberState], opened: Sequence[Opened], splits: Splits
) -> tuple[Program, CostLedger, list[CostLedger | None]]:
    """The program at the slice width that the ledger of the group names, and that ledger: one that
    was measured on this machine before, or is measured now. Last the ledgers of the members that
    were measured on another machine, on which they began; these stay as they are."""
    widths = slice_widths(program.members, program.mesh)
    here = machine_of(manifest(device_kind(), {}))
    known = [(_known_costs(member), _begun_on(member) == here) for member in opened]
    elsewhere = [None if mine else ledger for ledger, mine in known]
    ledger = next((ledger for ledger, mine in known if ledger is not None and mine), None)
    if ledger is None and None in elsewhere:
        program, ledger = measure_costs(program, fresh, splits, widths)
    else:  # It was compared with the memory that is left before it was measured, and has run.
        ledger = ledger or next(filter(None, elsewhere))
        program = program.at_width(min(ledger.slice_width or 1, widths[-1]))
    first = opened[0].planned.point
    if first.config["peak_memory"] and ledger.peak_resident_bytes is None:
        ledger = with_peak_resident(ledger, first, max(bucket.length for bucket in program.batches))
    return program, ledger, elsewhere


def _begun_on(member: Opened) -> Machine | None:
    """The machine on which a member began, and which measured what it costs."""
    return machine_of(read_json(member.run.directory / MANIFEST) or {})


def _known_costs(member: Opened) -> CostLedger | None:
    try:
        known = read_json(member.run.directory / COST)
        return None if known is None else CostLedger.from_json(known)
    except SeqexpError:
        return None  # Of another version.


def _train(
    program: Program,
    opened: Sequence[Opened],
    members: Sequence[MemberState],
    progress: SweepProgress,
    watchers: Sequence[Watcher],
) -> None:
    seconds = np.asarray([member.seconds for member in opened])
    done = np.asarray([member.step for member in opened])
    states = program.place(members)
    standings = tuple(member.standing for member in opened)
    for interval in train(program, states, standings):
        _save(program, opened, interval, seconds, watchers)
        for m, step in interval.diverged.items():
            progress.say(f"{opened[m].planned.info.name} diverged at step {step}")
        now = np.asarray(interval.steps)
        progress.advance(int((now - done).sum()))
        states, standings, done = interval.states, interval.standings, now
    for watcher in watchers:
        watcher.tell()
    _close(program, opened, states, standings)


def _save(
    program: Program,
    opened: Sequence[Opened],
    interval: Interval,
    seconds: np.ndarray,
    watchers: Sequence[Watcher],
) -> None:
    """Records, what is watched, and checkpoints of the members that trained."""
    snapshots = program.take(interval.states)

    def save(m: int, member: Opened) -> None:
        if m not in interval.records:
            return
        record, state, run = interval.records[m], snapshots[m], member.run
        seconds[m] += interval.seconds
        run.log(record, float(seconds[m]))
        step = int(record["step"])
        if state.alive:
            for watcher in watchers:
                watcher.watch(run, state, member.planned.hyper)
        standing = interval.standings[m]._asdict()
        run.save_checkpoint(step, {"state": jax.tree.leaves(state), "standing": standing})

    _each(opened, save)


def _close(
    program: Program,
    opened: Sequence[Opened],
    states: GroupState,
    standings: Sequence[Standing],
) -> None:
    """Read the test split, once, with the weights that were best on validation."""
    members = program.take(states)
    scored = np.asarray(
        [
            bool(m.alive) and s.best_score is not None
            for m, s in zip(members, standings, strict=True)
        ]
    )
    weights = [state.best_params for state in states]
    found = {
        split: program.evaluate(weights, scored, split)
        for split in program.held_out
        if split != "valid" and scored.any()
    }

    def close(m: int, member: Opened) -> None:
        run, state, step = member.run, members[m], standings[m].best_step
        if not state.alive:
            run.diverge(int(state.step) + 1)
            return
        if not scored[m]:
            name = run.run["score"]["name"]
            run.fail(f"no validation {name} was finite, although the training loss was")
            return
        best = next(r for r in read(run.directory / METRICS) if r["step"] == step)
        valid = {k.removeprefix("valid/"): v for k, v in best.items() if k.startswith("valid/")}
        run.save_weights(step, nnx.to_pure_dict(state.best_params))
        evaluated = {split: each[m] for split, each in found.items()}
        test = evaluated.pop("test")
        others = {split: each.metrics for split, each in evaluated.items()}
        run.finish(step, valid, test.metrics, test.weights, held_out=others)

    _each(opened, close)
