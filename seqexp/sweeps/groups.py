"""From points to groups; finds every mistake that can be found before training."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax

from seqexp.runs.identity import canonical, group_identity, identities
from seqexp.runs.known import Known, KnownRuns
from seqexp.runs.plans import PlannedRun
from seqexp.runs.record import RunInfo, run_directory, study_directory
from seqexp.sweeps.arguments import explicit_nulls
from seqexp.sweeps.checked_point import checked
from seqexp.sweeps.data import Data
from seqexp.sweeps.foreign import Foreign, foreign_code
from seqexp.sweeps.names import group_names, run_names
from seqexp.sweeps.no_effect import differences, plain, without_effect
from seqexp.sweeps.point import Point, build_model, once_each
from seqexp.training import Experiment, Hyper
from seqexp.training.settings import changed_settings
from seqexp.types import SeqexpError, Splits


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

    @cached_property
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


def plan(
    points: Sequence[Point], data: Data | None = None, job_devices: int | None = None
) -> tuple[list[Group], list[str]]:
    """Group the points, in the order of their first members; equal points become one.

    Args:
        points: their widths solved.
        data: what is loaded already.
        job_devices: how many devices a job of an executor has; None to train in this process.

    Returns:
        The groups, and the run id of each point.

    Raises:
        SeqexpError: naming every point whose config, shapes or data are wrong.
    """
    planning = _Planning(points, data or Data(), job_devices)
    ids: list[str] = []
    groups: dict[str, dict[str, Planned]] = {}
    shares: dict[str, _Shared] = {}
    placed: dict[str, str] = {}
    idle: dict[str, dict[str, None]] = {}
    wrong: dict[str, list[str]] = {}
    # Points that are the same but for their seeds share all but their identities.
    shared = once_each(points, planning.shared)
    for point, name, share in zip(points, run_names(points), shared, strict=True):
        if isinstance(share, SeqexpError):
            wrong.setdefault(str(share), []).append(name)
            continue
        planned = share.planned(point, name)
        if isinstance(planned, SeqexpError):
            wrong.setdefault(str(planned), []).append(name)
            continue
        ids.append(planned.info.id)
        # What has no effect on a run may still divide groups: its first one trains it.
        key = placed.setdefault(planned.info.id, share.key)
        shares.setdefault(key, share)
        idle.setdefault(key, {}).update(dict.fromkeys(share.without_effect))
        groups.setdefault(key, {}).setdefault(planned.info.id, planned)
    if wrong:
        lines = [f"{', '.join(sorted(set(names)))}: {message}" for message, names in wrong.items()]
        raise SeqexpError("; ".join(lines))
    found = {key: tuple(members.values()) for key, members in groups.items()}
    called = group_names([members[0].point for members in found.values()])
    planned_groups = [
        Group(
            name=name,
            experiment=shares[key].experiment,
            batch_devices=members[0].point.config["trainer"]["batch_devices"],
            auto=key in planning.left_to_us,
            load=partial(
                planning.data.load, members[0].point.config["task"], shares[key].experiment
            ),
            members=members,
            without_effect=tuple(idle[key]),
        )
        for name, (key, members) in zip(called, found.items(), strict=True)
    ]
    return planned_groups, ids


@dataclass(frozen=True)
class _Shared:
    """What points share that are the same but for their seeds.

    Attributes:
        point: one of them, its options without effect at their neutral values, its devices known.
        key: `canonical` of what its group shares.
        without_effect: the options of it that change nothing.
        info: of its run, but for what depends on the seed.
        identity: of a run, by its seed.
        record: of a run, by its identity, where the study has one.
    """

    point: Point
    experiment: Experiment
    key: str
    without_effect: tuple[str, ...]
    data_hashes: Mapping[str, str]
    packages: Mapping[str, str]
    info: RunInfo
    identity: Callable[[int], str]
    record: Callable[[str], Known | None]

    def planned(self, point: Point, name: str) -> Planned | SeqexpError:
        """A point of these, called so; under the id and in the folder of its record, if it has one.

        Where the seed, or another value that is traced, is out of its range, that mistake.
        """
        seed = point.config["seed"]
        settled = self.point.with_seed(seed, point.name)
        try:
            hyper = settled.hyper
        except SeqexpError as error:
            return error
        id = self.identity(seed)
        record = self.record(id)
        info = replace(
            self.info,
            id=id if record is None else record.id,
            folder=None if record is None else record.folder,
            name=name,
            seed=seed,
            config=settled.config,
        )
        return Planned(settled, info, hyper, self.data_hashes, self.packages)


class _Planning:
    """What is found out once for many points of a sweep.

    Args:
        points: all of them.
        data: loads what their tasks need.
        job_devices: see `plan`.

    Attributes:
        left_to_us: the keys of groups whose number of devices a config left to us.
    """

    def __init__(self, points: Sequence[Point], data: Data, job_devices: int | None) -> None:
        self.data = data
        self._job_devices = job_devices
        self.left_to_us: set[str] = set()
        self._alike = _alike(points)
        self._checked: dict[str, tuple[Experiment, int]] = {}
        self._unused: dict[str, Mapping[str, Any]] = {}
        self._code: dict[str, Foreign] = {}
        self._known: dict[Path, KnownRuns] = {}

    def shared(self, point: Point) -> _Shared | SeqexpError:
        """What a point shares with those that are the same but for their seeds, or its mistake."""
        try:
            return self._shared(point)
        except SeqexpError as error:
            return error

    def _shared(self, point: Point) -> _Shared:
        asked = canonical(point.shared_config())
        members = len(self._alike[asked])
        if asked not in self._checked:
            self._checked[asked] = checked(point, members, self.data, self._job_devices)
        if asked not in self._unused:
            experiment = self._checked[asked][0]
            self._unused[asked] = without_effect(experiment.model, experiment.task.spec)
        settled = replace(point, config=plain(point.config, self._unused[asked]))
        wanted = canonical(settled.shared_config())
        if wanted not in self._checked:
            members = len(self._alike.get(wanted, self._alike[asked]))
            self._checked[wanted] = checked(
                settled, members, self.data, self._job_devices, traced=True
            )
        if wanted not in self._code:
            self._code[wanted] = foreign_code(settled.config)
        experiment, batch_devices = self._checked[wanted]
        resolved = settled.on_devices(batch_devices)
        key = canonical(resolved.shared_config())
        if key != wanted:
            self.left_to_us.add(key)
        idle = tuple(differences(point.config, settled.config))
        return self._of(resolved, experiment, key, idle, self._code[wanted])

    def _of(
        self, point: Point, experiment: Experiment, key: str, idle: tuple[str, ...], code: Foreign
    ) -> _Shared:
        config, task = point.config, experiment.task
        of_data = self.data.hashes(config["task"], experiment)
        revision = self.data.load(config["task"], experiment).train.revision
        hashes = {
            **of_data,
            **({} if revision is None else {"training batches": revision}),
            **code.hashes,
            **changed_settings(),
            **explicit_nulls(config),
        }
        kind = device_kind()
        info = RunInfo(
            id="",
            study=config["study"],
            name="",
            model=point.model,
            task=point.task,
            seed=config["seed"],
            group=group_identity(config, hashes, kind),
            config=config,
            score=task.score,
            baselines=task.baselines,
            match=point.match,
            choices=point.choices,
        )
        record = self._records(config, experiment)
        identity = identities(config, hashes, kind)
        return _Shared(point, experiment, key, idle, hashes, code.versions, info, identity, record)

    def _records(
        self, config: Mapping[str, Any], experiment: Experiment
    ) -> Callable[[str], Known | None]:
        """The records of a study that may be of runs of a config, by their identities."""
        study = study_directory(Path(config["runs_dir"]), config["study"])
        if study not in self._known:
            self._known[study] = KnownRuns(study)
        unused: dict[str, Mapping[str, Any]] = {}

        def settled(config: Mapping[str, Any]) -> Mapping[str, Any]:
            asked = canonical(config["model"])
            try:
                if asked not in unused:
                    unused[asked] = without_effect(build_model(config), experiment.task.spec)
                return plain(config, unused[asked])
            except (SeqexpError, KeyError, TypeError):
                return config  # Of another version: what it says is what it was.

        return self._known[study].like(config, settled)


def _alike(points: Sequence[Point]) -> dict[str, set[Hashable]]:
    """The points that differ in traced values only, each of them once, by what they share."""
    alike: dict[str, set[Hashable]] = {}
    texts = once_each(
        points,
        lambda point: (canonical(point.shared_config()), canonical(point.config["optimizer"])),
    )
    for point, (shared, optimizer) in zip(points, texts, strict=True):
        alike.setdefault(shared, set()).add((point.config["seed"], optimizer))
    return alike
