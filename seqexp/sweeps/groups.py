"""From points to groups; finds every mistake that can be found before training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax

from seqexp.costs.counting import training_flops
from seqexp.costs.figures import Figures
from seqexp.runs.identity import canonical, group_identity, identity
from seqexp.runs.known import KnownRuns
from seqexp.runs.plans import PlannedRun
from seqexp.runs.record import RunInfo, run_directory, study_directory
from seqexp.sweeps.arguments import explicit_nulls
from seqexp.sweeps.data import Data
from seqexp.sweeps.foreign import Foreign, foreign_code
from seqexp.sweeps.names import group_names, run_names
from seqexp.sweeps.no_effect import differences, plain, without_effect
from seqexp.sweeps.point import Point, build_model
from seqexp.training import Experiment, Hyper
from seqexp.training.batches import bucket_shares
from seqexp.training.mesh import AUTO, auto_batch_devices, group_mesh
from seqexp.training.program import require_share
from seqexp.training.settings import changed_settings
from seqexp.training.step import graph, init_member, loss_and_sums
from seqexp.types import SeqexpError, Splits, first_line


@dataclass(frozen=True)
class Planned:
    """A point and the run that it becomes.

    Attributes:
        data_hashes: what determines the result beside the config: hashes of the data and of the
            user's own code, how batches are drawn, changed settings of JAX, nulls that are no
            default.
        packages: versions of installed packages that this code is, or imports.
    """

    point: Point
    info: RunInfo
    hyper: Hyper
    data_hashes: Mapping[str, str]
    packages: Mapping[str, str]

    @property
    def directory(self) -> Path:
        runs_dir = Path(self.point.config["runs_dir"])
        return run_directory(runs_dir, self.info.study, self.info.folder or self.info.id)


@dataclass(frozen=True)
class Group:
    """Points that one compiled program trains.

    Attributes:
        name: for people, by what tells it from the other groups of the sweep.
        batch_devices: how many devices share one member's batch.
        auto: a config left that number to us.
        without_effect: options that were asked for and change nothing, such as
            "model.pooling=mean".
    """

    name: str
    experiment: Experiment
    batch_devices: int
    auto: bool
    load: Callable[[], Splits]
    members: tuple[Planned, ...]
    without_effect: tuple[str, ...] = ()

    @property
    def in_plan(self) -> list[PlannedRun]:
        """Its members, as the plan of a sweep names them."""
        steps = self.experiment.steps
        return [
            PlannedRun(member.directory.name, member.info.id, member.info.name, self.name, steps)
            for member in self.members
        ]


def device_kind() -> str:
    """What runs compute on; part of their identity."""
    return jax.local_devices()[0].device_kind


def plan(points: Sequence[Point], data: Data | None = None) -> tuple[list[Group], list[str]]:
    """Group the points, in the order of their first members; equal points become one.

    Args:
        points: their widths solved.
        data: what is loaded already.

    Returns:
        The groups, and the run id of each point.

    Raises:
        SeqexpError: naming every point whose config, shapes or data are wrong.
    """
    data = data or Data()
    ids: list[str] = []
    groups: dict[str, dict[str, Planned]] = {}
    experiments: dict[str, Experiment] = {}
    checked: dict[str, tuple[Experiment, int]] = {}
    left_to_us: set[str] = set()
    idle: dict[str, dict[str, None]] = {}
    unused: dict[str, Mapping[str, Any]] = {}
    code: dict[str, Foreign] = {}
    known: dict[Path, KnownRuns] = {}
    wrong: dict[str, list[str]] = {}
    alike = _alike(points)
    for point, name in zip(points, run_names(points), strict=True):
        asked = canonical(point.shared_config())
        try:
            if asked not in checked:
                checked[asked] = _checked(point, len(alike[asked]), data)
            if asked not in unused:
                experiment = checked[asked][0]
                unused[asked] = without_effect(experiment.model, experiment.task.spec)
            settled = replace(point, config=plain(point.config, unused[asked]))
            wanted = canonical(settled.shared_config())
            if wanted not in checked:
                members = len(alike.get(wanted, alike[asked]))
                checked[wanted] = _checked(settled, members, data)
            if wanted not in code:
                code[wanted] = foreign_code(settled.config)
            experiment, batch_devices = checked[wanted]
            resolved = _on_devices(settled, batch_devices)
            planned = _planned(resolved, name, experiment, data, code[wanted])
            planned = _found(planned, experiment, known)
        except SeqexpError as error:
            wrong.setdefault(str(error), []).append(name)
            continue
        ids.append(planned.info.id)
        key = canonical(resolved.shared_config())
        experiments.setdefault(key, experiment)
        if key != wanted:
            left_to_us.add(key)
        idle.setdefault(key, {}).update(dict.fromkeys(differences(point.config, settled.config)))
        groups.setdefault(key, {}).setdefault(planned.info.id, planned)
    if wrong:
        lines = [f"{', '.join(sorted(set(names)))}: {message}" for message, names in wrong.items()]
        raise SeqexpError("; ".join(lines))
    found = {key: tuple(members.values()) for key, members in groups.items()}
    called = group_names([members[0].point for members in found.values()])
    planned_groups = [
        Group(
            name=name,
            experiment=experiments[key],
            batch_devices=members[0].point.config["trainer"]["batch_devices"],
            auto=key in left_to_us,
            load=partial(data.load, members[0].point.config["task"], experiments[key]),
            members=members,
            without_effect=tuple(idle[key]),
        )
        for name, (key, members) in zip(called, found.items(), strict=True)
    ]
    return planned_groups, ids


def _alike(points: Sequence[Point]) -> dict[str, set[str]]:
    """The points that differ in traced values only, each of them once, by what they share."""
    alike: dict[str, set[str]] = {}
    for point in points:
        own = canonical([point.config["seed"], point.config["optimizer"]])
        alike.setdefault(canonical(point.shared_config()), set()).add(own)
    return alike


def _on_devices(point: Point, batch_devices: int) -> Point:
    trainer = {**point.config["trainer"], "batch_devices": batch_devices}
    return replace(point, config={**point.config, "trainer": trainer})


def _checked(point: Point, members: int, data: Data) -> tuple[Experiment, int]:
    """The experiment of a point, built, its data there, its shapes traced; its batch devices.

    Args:
        members: how many points share the experiment; `auto_batch_devices` asks for it.
    """
    experiment = point.build()
    splits = data.load(point.config["task"], experiment)
    splits.train.steps_per_epoch(experiment.batch_size)
    devices = point.config["trainer"]["batch_devices"]
    if devices != AUTO:
        group_mesh(1, devices)
        for bucket in splits.train.buckets(experiment.batch_size):
            require_share(bucket.batch_size, devices)
    try:
        graphdef = graph(experiment)
        state = jax.eval_shape(partial(init_member, experiment, Hyper.example()))
        jax.eval_shape(
            partial(loss_and_sums, experiment, graphdef, key=None),
            state.params,
            batch=splits.held_out["valid"][0],
        )
    except (TypeError, ValueError) as error:
        raise SeqexpError(
            f"{point.model} does not fit {point.task}: {first_line(error)}"
        ) from error
    if devices == AUTO:
        stream, size = splits.train, experiment.batch_size
        buckets = list(bucket_shares(stream, size).items())
        flops = Figures().take("flops", training_flops, experiment, graphdef, state, stream)
        # Without a number of FLOPs nobody knows whether a device would be worth it.
        a_time_step = (flops or 0) / sum(share * bucket.length for bucket, share in buckets)
        sizes = [bucket.batch_size for bucket, _ in buckets]
        devices = auto_batch_devices(members, math.gcd(*sizes), a_time_step)
    return experiment, devices


def _planned(
    point: Point, name: str, experiment: Experiment, data: Data, foreign: Foreign
) -> Planned:
    task = experiment.task
    of_data = data.hashes(point.config["task"], experiment)
    revision = data.load(point.config["task"], experiment).train.revision
    hashes = {
        **of_data,
        **({} if revision is None else {"training batches": revision}),
        **foreign.hashes,
        **changed_settings(),
        **explicit_nulls(point.config),
    }
    kind = device_kind()
    info = RunInfo(
        id=identity(point.config, hashes, kind),
        study=point.config["study"],
        name=name,
        model=point.model,
        task=point.task,
        seed=point.config["seed"],
        group=group_identity(point.config, hashes, kind),
        config=point.config,
        score=task.score,
        baselines=task.baselines,
        match=point.match,
        choices=point.choices,
    )
    run_directory(Path(point.config["runs_dir"]), info.study, info.id)
    return Planned(point, info, point.hyper, hashes, foreign.versions)


def _found(planned: Planned, experiment: Experiment, known: dict[Path, KnownRuns]) -> Planned:
    """The same run under the id and in the folder of its record, where the study has one.

    Args:
        known: the records of each study, as far as they were read.
    """
    info = planned.info
    study = study_directory(Path(planned.point.config["runs_dir"]), info.study)
    if study not in known:
        known[study] = KnownRuns(study)
    unused: dict[str, Mapping[str, Any]] = {}

    def settled(config: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = canonical(config["model"])
        try:
            if asked not in unused:
                unused[asked] = without_effect(build_model(config), experiment.task.spec)
            return plain(config, unused[asked])
        except (SeqexpError, KeyError, TypeError):
            return config  # Of another version: what it says is what it was.

    record = known[study].find(info.id, info.config, settled)
    if record is None:
        return planned
    return replace(planned, info=replace(info, id=record.id, folder=record.folder))
