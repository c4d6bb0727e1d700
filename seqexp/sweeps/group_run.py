"""Train one group and write its members' records."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from seqexp.costs.ledger import CostLedger
from seqexp.laws import check_quickly
from seqexp.runs import checkpoint
from seqexp.runs.manifest import manifest, source_hash
from seqexp.runs.record import COST, MANIFEST, METRICS, RUN, TIMING, RunRecord, is_finished
from seqexp.runs.store import read, read_json
from seqexp.runs.wandb_mirror import Mirror
from seqexp.sweeps.budgets import AXES
from seqexp.sweeps.costing import measure_costs
from seqexp.sweeps.groups import Group, Planned, device_kind
from seqexp.sweeps.outcome import Outcome
from seqexp.sweeps.own_code import has_own_code
from seqexp.sweeps.progress import SweepProgress
from seqexp.sweeps.random_costs import peak_resident_at
from seqexp.training import Chunk, GroupState, Program, train
from seqexp.training.loop import Standing
from seqexp.training.mesh import AUTO, group_mesh, slice_widths
from seqexp.training.step import MemberState
from seqexp.types import SeqexpError, Splits


class Opened(NamedTuple):
    """A member's record, open for writing, and where its training stands."""

    run: RunRecord
    state: MemberState
    standing: Standing
    seconds: float


def run_group(
    group: Group, members: Sequence[Planned], mirror: Mirror, progress: SweepProgress
) -> None:
    """Train the members to the end, from their checkpoints where there are any.

    Whatever goes wrong is written into the records that are not closed yet before it is raised.
    """
    progress.working_on(f"{group.name}: preparing")
    splits = group.load()
    mesh = group_mesh(len(members), group.batch_devices)
    program = Program(group.experiment, splits, [member.hyper for member in members], mesh)
    fresh = program.take(program.init())
    opened: list[Opened] = []
    try:
        for member, state in zip(members, fresh, strict=True):
            opened.append(_open(member, state, mirror))
        if has_own_code(members[0].point.config):
            progress.working_on(f"{group.name}: trying the laws on its own code")
            check_quickly(group.experiment)
        progress.advance(sum(int(member.state.step) for member in opened))
        progress.working_on(f"{group.name}: measuring costs")
        program, ledger = _with_costs(program, fresh, members[0], splits)
        for member in opened:
            member.run.write_cost(ledger.to_json())
        progress.working_on(f"{group.name}: training {len(members)} at once")
        progress.say(f"{group.name}: {_describe(group, ledger)}")
        _train(program, opened, progress)
    except Exception as error:
        for member in opened:
            if member.run.status == "running":
                # A full disk, say, must not hide the reason, nor keep it from the other members.
                with contextlib.suppress(OSError):
                    member.run.fail(reason(error))
        raise


def reason(error: Exception) -> str:
    """One line about an error, for people."""
    text = str(error).strip().splitlines()
    first = text[0] if text else ""
    return first if isinstance(error, SeqexpError) else f"{type(error).__name__}: {first}"


def outcome_of(member: Planned) -> Outcome:
    """The outcome of a member whose record is closed."""
    run = read_json(member.directory / RUN)
    assert run is not None
    name, score = member.info.name, run["score"]
    if run["status"] == "diverged":
        detail = f"at step {run['diverged_step']}"
        return Outcome(name, member.directory, "diverged", detail, score["valid"])
    if run["status"] == "failed":
        return Outcome(name, member.directory, "failed", run["error"], score["valid"])
    detail = f"{score['name']} test {_shown(score['test'])}, valid {_shown(score['valid'])}"
    return Outcome(name, member.directory, "finished", detail, score["valid"])


def _shown(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def _open(member: Planned, fresh: MemberState, mirror: Mirror) -> Opened:
    """The record of a member, resumed where it was left, or new."""
    now = manifest(device_kind(), member.data_hashes, member.packages)
    left = _left(member, fresh, mirror)
    if left is None:
        runs_dir = member.directory.parent.parent
        return Opened(RunRecord.create(runs_dir, member.info, now, mirror), fresh, Standing(), 0.0)
    left.run.resume_from(int(left.state.step), now)
    timing = read(member.directory / TIMING)
    return left._replace(seconds=timing[-1]["seconds"] if timing else 0.0)


def _left(member: Planned, fresh: MemberState, mirror: Mirror) -> Opened | None:
    """What an interrupted run left, if training can go on from it."""
    if is_finished(member.directory):
        return None
    try:
        run = RunRecord.open(member.directory, mirror)
    except SeqexpError:
        return None  # Absent, half written, or of another version: start anew.
    if (read_json(member.directory / MANIFEST) or {}).get("source") != source_hash():
        return None  # Half of a run by one code and half by another would be neither's.
    saved = checkpoint.load(member.directory)
    state = None if saved is None else _restored(saved.tree["state"], fresh)
    if saved is None or state is None:
        return None
    standing = Standing(**saved.tree["standing"])
    recorded = {record["step"] for record in read(member.directory / METRICS)}
    if not {saved.step, standing.best_step or saved.step} <= recorded:
        return None  # A machine that lost its power may keep the one file and not the other.
    return Opened(run, state, standing, 0.0)


def _restored(leaves: Sequence[Any], like: MemberState) -> MemberState | None:
    """The state that was saved as these leaves; None if they are not of this model."""
    expected, structure = jax.tree.flatten(like)

    def shapes(arrays: Sequence[Any]) -> list[tuple[tuple[int, ...], np.dtype]]:
        return [(np.shape(a), np.asarray(a).dtype) for a in arrays]

    if shapes(leaves) != shapes(expected):
        return None
    return jax.tree.unflatten(structure, leaves)


def _with_costs(
    program: Program, fresh: Sequence[MemberState], first: Planned, splits: Splits
) -> tuple[Program, CostLedger]:
    """The program at the slice width that the ledger of the group names, and that ledger: the one
    it was measured with before, or measured now."""
    widths = slice_widths(program.members, program.mesh)
    try:
        known = read_json(first.directory / COST)
        ledger = None if known is None else CostLedger.from_json(known)
    except SeqexpError:
        ledger = None
    if ledger is None:
        program, ledger = measure_costs(program, fresh, splits, widths)
    else:
        program = program.at_width(min(ledger.slice_width or 1, widths[-1]))
    if first.point.config["peak_memory"] and ledger.peak_resident_bytes is None:
        peak = peak_resident_at(first.point, program.batch.inputs.shape[1])
        ledger = replace(ledger, peak_resident_bytes=peak)
    return program, ledger


def _describe(group: Group, ledger: CostLedger) -> str:
    experiment = group.experiment
    width = group.members[0].point.config["model"].get("features")
    return (
        f"width {width}, {ledger.parameters:,} parameters, "
        f"{1e3 * (ledger.step_seconds or 0):.2f} ms a step, "
        f"compiled in {ledger.compile_seconds:.1f} s; {experiment.steps:,} steps"
        f"{_describe_mesh(group, ledger)}{_describe_match(group, ledger)}"
    )


def _describe_mesh(group: Group, ledger: CostLedger) -> str:
    """What was chosen for the user, where there was a choice."""
    said = f"; batch_devices={AUTO} is {group.batch_devices}" if group.auto else ""
    tried = ledger.step_seconds_at_width or {}
    if len(tried) > 1:
        times = ", ".join(f"{1e3 * step:.2f} ms at {width}" for width, step in tried.items())
        said += f"; {ledger.slice_width} side by side (a step and member takes {times})"
    return said


def _describe_match(group: Group, ledger: CostLedger) -> str:
    """Whether a step still takes the time that its width was solved for."""
    match = group.members[0].point.match
    if match is None or not AXES[match["by"]].measured or ledger.slice_width != 1:
        return ""
    off = (ledger.step_seconds or 0) / match["budget"] - 1
    if abs(off) <= match["tolerance"]:
        return ""
    return f"; measured again it is {off:+.0%} off its budget: is the machine idle?"


def _train(program: Program, opened: Sequence[Opened], progress: SweepProgress) -> None:
    runs = [member.run for member in opened]
    seconds = np.asarray([member.seconds for member in opened])
    done = np.asarray([int(member.state.step) for member in opened])
    states = program.place([member.state for member in opened])
    standings = tuple(member.standing for member in opened)
    for chunk in train(program, states, standings):
        for m, record in chunk.records.items():
            seconds[m] += chunk.seconds
            runs[m].log(record, float(seconds[m]))
        _save(program, runs, chunk)
        for m, step in chunk.diverged.items():
            progress.say(f"{runs[m].run['name']} diverged at step {step}")
        now = np.asarray(chunk.steps)
        progress.advance(int((now - done).sum()))
        states, standings, done = chunk.states, chunk.standings, now
    _close(program, runs, states, standings)


def _save(program: Program, runs: Sequence[RunRecord], chunk: Chunk) -> None:
    """Samples and checkpoints of the members that trained."""
    snapshots = program.take(chunk.states)
    for m, record in chunk.records.items():
        step, state = int(record["step"]), snapshots[m]
        if program.experiment.task.text is not None and state.alive:
            runs[m].log_samples(step, [program.sample_text(state.params, m)])
        tree = {"state": jax.tree.leaves(state), "standing": chunk.standings[m]._asdict()}
        checkpoint.save(runs[m].directory, step, tree)


def _close(
    program: Program,
    runs: Sequence[RunRecord],
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
    test = program.evaluate(weights, scored, "test") if scored.any() else {}
    for m, (run, state, standing) in enumerate(zip(runs, members, standings, strict=True)):
        if not state.alive:
            run.diverge(int(state.step) + 1)
            continue
        if not scored[m]:
            name = run.run["score"]["name"]
            run.fail(f"no validation {name} was finite, although the training loss was")
            continue
        step = standing.best_step
        best = next(r for r in read(run.directory / METRICS) if r["step"] == step)
        valid = {k.removeprefix("valid/"): v for k, v in best.items() if k.startswith("valid/")}
        run.save_weights(step, nnx.to_pure_dict(state.best_params))
        run.finish(step, valid, {name: float(values[m]) for name, values in test.items()})
