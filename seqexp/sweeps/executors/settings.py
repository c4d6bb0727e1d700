"""What a config's `executor` says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from seqexp.sweeps.executors.protocol import Executor
from seqexp.sweeps.nearest import suggestion
from seqexp.types import SeqexpError


def _require(where: str, at_least: int, **values: Any) -> None:
    for name, value in values.items():
        if value is not None and (type(value) is not int or value < at_least):
            raise SeqexpError(
                f"{where}.{name} must be a whole number of at least {at_least}, not {value!r}"
            )


@dataclass(frozen=True)
class Local:
    """In this process.

    Args:
        compile_ahead: compile each group while the one before it trains.
    """

    compile_ahead: bool = False
    name: ClassVar[str] = "local"


@dataclass(frozen=True)
class Submitit:
    """In jobs of SLURM, submitted by submitit.

    Args:
        partition: None for the cluster's default, as for all that is None.
        account: that is charged.
        minutes: time limit of a job.
        signal_seconds: before the limit, when a job is told of it.
        cpus: of a job.
        gpus: of a job.
        memory_gb: of a job.
        members_per_job: a larger group is split; None for never.
        parallel: jobs that run at once, at most.
        tries: how often a job is started, if it dies.
        setup: lines of shell before a job.
        parameters: further options of sbatch, by name.

    Raises:
        SeqexpError: for a number that is out of its range.
    """

    partition: str | None = None
    account: str | None = None
    minutes: int = 60
    signal_seconds: int = 90
    cpus: int = 1
    gpus: int = 0
    memory_gb: int | float | None = None
    members_per_job: int | None = None
    parallel: int = 256
    tries: int = 3
    setup: list[str] = field(default_factory=list)
    parameters: Mapping[str, Any] | None = None
    name: ClassVar[str] = "submitit"

    def __post_init__(self) -> None:
        of = f"executor={self.name}: executor"
        _require(
            of, 1, minutes=self.minutes, signal_seconds=self.signal_seconds, cpus=self.cpus,
            members_per_job=self.members_per_job, parallel=self.parallel, tries=self.tries,
        )  # fmt: skip
        _require(of, 0, gpus=self.gpus)
        if self.memory_gb is not None and not 0 < self.memory_gb < math.inf:
            raise SeqexpError(f"{of}.memory_gb must be a number above 0, not {self.memory_gb!r}")
        if self.signal_seconds >= 60 * self.minutes:
            raise SeqexpError(
                f"{of}.signal_seconds={self.signal_seconds} must be less than the time limit, "
                f"minutes={self.minutes}"
            )


@dataclass(frozen=True)
class Ray:
    """In actors of Ray.

    Args:
        address: of a cluster, or "auto"; None starts one on this machine.
        cpus: of a job.
        gpus: of a job.
        groups_per_device: jobs that share a device.
        members_per_job: a larger group is split; None for never.
        tries: how often a job is started, if it dies.

    Raises:
        SeqexpError: for a number that is out of its range.
    """

    address: str | None = None
    cpus: int = 1
    gpus: int = 0
    groups_per_device: int = 1
    members_per_job: int | None = None
    tries: int = 3
    name: ClassVar[str] = "ray"

    def __post_init__(self) -> None:
        of = f"executor={self.name}: executor"
        _require(
            of, 1, cpus=self.cpus, groups_per_device=self.groups_per_device,
            members_per_job=self.members_per_job, tries=self.tries,
        )  # fmt: skip
        _require(of, 0, gpus=self.gpus)
        if self.groups_per_device > 1 and self.gpus != 1:
            raise SeqexpError(
                f"{of}.groups_per_device={self.groups_per_device} shares one device: it needs "
                f"gpus=1, not gpus={self.gpus}"
            )


@dataclass(frozen=True)
class Processes:
    """In processes of this machine.

    Args:
        cpus: cores of a process.
        processes: that run at once; None for as many as there are cores for.
        members_per_job: a larger group is split; None for never.
        tries: how often a job is started, if it dies.

    Raises:
        SeqexpError: for a number that is out of its range.
    """

    cpus: int = 1
    processes: int | None = None
    members_per_job: int | None = None
    tries: int = 3
    name: ClassVar[str] = "processes"

    def __post_init__(self) -> None:
        _require(
            f"executor={self.name}: executor", 1, cpus=self.cpus, processes=self.processes,
            members_per_job=self.members_per_job, tries=self.tries,
        )  # fmt: skip


Settings = Local | Processes | Submitit | Ray
SETTINGS = {each.name: each for each in (Local, Processes, Submitit, Ray)}
"""By the name that `executor=` chooses."""


def settings_class(executor: Mapping[str, Any]) -> type[Settings]:
    """The class whose arguments a config's `executor` has, beside its name.

    Raises:
        SeqexpError: for an unknown name.
    """
    name = executor.get("name")
    if name not in SETTINGS:
        raise SeqexpError(f"no executor {name!r}: {suggestion(str(name), list(SETTINGS))}")
    return SETTINGS[name]


def settings_of(executor: Mapping[str, Any] | None) -> Settings:
    """The settings that a config's `executor` describes; local without one."""
    if executor is None:
        return Local()
    arguments = {key: value for key, value in executor.items() if key != "name"}
    return settings_class(executor)(**arguments)


def executor_of(settings: Settings) -> Executor | None:
    """What starts jobs elsewhere; None where groups train in this process."""
    if isinstance(settings, Submitit):
        from seqexp.sweeps.executors.slurm import Slurm

        return Slurm(settings)
    if isinstance(settings, Processes):
        from seqexp.sweeps.executors.on_processes import OnProcesses

        return OnProcesses(settings)
    if isinstance(settings, Ray):
        from seqexp.sweeps.executors.on_ray import OnRay

        return OnRay(settings)
    return None
