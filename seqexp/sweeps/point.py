"""A point of a sweep: one composed config, and how to build what it describes."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from seqexp.sweeps.typed_config import TRACED, typed
from seqexp.training import Experiment, Hyper, Optimizer
from seqexp.types import SeqexpError, Task, first_line

T = TypeVar("T")

NOT_SHARED = ("seed", "match", "peak_memory", "inspect")
"""Top-level keys of a config in which points of one group may differ."""


@dataclass(frozen=True)
class Point:
    """One composed config.

    Attributes:
        config: resolved, plain, without Hydra's own node.
        model: the name of the model's file in conf/model.
        task: the name of the task's file in conf/task.
        choices: the file chosen in each group of the menu, null for none.
        match: what its width was solved for, and what it reached; None for a width as configured.
        executor: of the config, of which it is no part: where a run trains is none of its own.
        name: of its run, if a sweep has named it already.
    """

    config: dict[str, Any]
    model: str
    task: str
    choices: Mapping[str, str | None] = field(default_factory=dict)
    match: dict[str, Any] | None = None
    executor: dict[str, Any] | None = None
    name: str | None = None

    @classmethod
    def of(cls, config: DictConfig, choices: Mapping[str, str]) -> Point:
        """The point of a config that Hydra composed; `match_widths` solves its width.

        Args:
            config: without Hydra's own node.
            choices: the file chosen in each group of the menu.

        Raises:
            SeqexpError: if something is unknown, missing, or of another type than it must be.
        """
        plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
        unresolved = OmegaConf.to_container(config, resolve=False)
        # "layer@model" is how a model's own file includes another, and no choice of the user's.
        own_choices = {
            group: choice
            for group, choice in choices.items()
            if not group.startswith("hydra/")
            and group != "executor"
            and ("@" not in group or group.split("@")[1] not in choices)
        }
        whole = typed(plain, unresolved, choices)
        executor = whole.pop("executor")
        return cls(whole, choices["model"], choices["task"], own_choices, executor=executor)

    @property
    def hyper(self) -> Hyper:
        """The values in which the point's member differs from others of its group.

        Raises:
            SeqexpError: if one of the values is out of its range.
        """
        optimizer, seed = self.config["optimizer"], self.config["seed"]
        if not 0 <= seed < 2**32:
            raise SeqexpError(f"seed must be a whole number from 0 to 2**32 - 1, not {seed!r}")
        values = {name: optimizer[name] for name in TRACED}
        for name, value in values.items():
            if value is not None and not 0 <= value < math.inf:
                raise SeqexpError(f"optimizer.{name} must be a number of at least 0, not {value!r}")
        if values["clip_norm"] == 0:
            raise SeqexpError(
                "optimizer.clip_norm=0 leaves nothing of a gradient: write a number above 0, or "
                "null for no clipping"
            )
        return Hyper(seed=seed, **values)

    def shared_config(self) -> dict[str, Any]:
        """The config without what is traced: points where this is equal share a program."""
        config = {k: v for k, v in self.config.items() if k not in NOT_SHARED}
        optimizer = config["optimizer"]
        config["optimizer"] = {k: v for k, v in optimizer.items() if k not in TRACED}
        return config

    def but_for_seed(self) -> Hashable:
        """Equal for points that are the same but for their seeds, and their names.

        The nodes of their configs are compared as objects: while the points live this is never
        equal for two that differ, and of two that are the same it may differ.
        """
        config = tuple(
            (key, None if key == "seed" else _object(value)) for key, value in self.config.items()
        )
        others = self.choices, self.match, self.executor
        return self.model, self.task, config, tuple(map(_object, others))

    def with_seed(self, seed: int, name: str | None) -> Point:
        """The same point with another seed, and another name; it shares the nodes of this one."""
        return replace(self, config={**self.config, "seed": seed}, name=name)

    def on_devices(self, batch_devices: int) -> Point:
        """The same point with its `trainer.batch_devices` settled."""
        trainer = {**self.config["trainer"], "batch_devices": batch_devices}
        return replace(self, config={**self.config, "trainer": trainer})

    def at_width(self, features: int) -> Point:
        """The same point with other `model.features`."""
        return replace(
            self, config={**self.config, "model": {**self.config["model"], "features": features}}
        )

    def build(self) -> Experiment:
        """The experiment that the config describes.

        Raises:
            SeqexpError: for whatever is wrong with an argument, in one line.
        """
        return build(self.config)


def once_each(points: Sequence[Point], answer: Callable[[Point], T]) -> list[T]:
    """The answer for each point, asked once for those that are the same but for their seeds."""
    known: dict[Hashable, T] = {}
    answers = []
    for point in points:
        alike = point.but_for_seed()
        if alike not in known:
            known[alike] = answer(point)
        answers.append(known[alike])
    return answers


def _object(value: Any) -> Hashable:
    """A plain value as text, for 1 and true are equal; a node by which object it is."""
    scalar = value is None or isinstance(value, str | int | float)
    return repr(value) if scalar else id(value)


def build(config: Mapping[str, Any]) -> Experiment:
    """The experiment of a plain config."""
    optimizer = _instantiate(
        {key: value for key, value in config["optimizer"].items() if key not in TRACED}
    )
    trainer = {key: value for key, value in config["trainer"].items() if key != "batch_devices"}
    try:
        return Experiment(
            model=build_model(config),
            task=_build_task(config),
            optimizer=Optimizer(**optimizer),
            **trainer,
        )
    except TypeError as error:
        raise SeqexpError(f"trainer or optimizer: {error}") from error


def build_model(config: Mapping[str, Any]) -> Any:
    """What builds the model of a plain config from `(spec, rngs=...)`."""
    build = _instantiate(_node(config, "model"))
    if not callable(build):
        raise SeqexpError(
            f"model._target_ gives {_a(build)}, which builds no model: "
            "say `_partial_: true` beside it"
        )
    return build


def _build_task(config: Mapping[str, Any]) -> Task:
    task = _instantiate(_node(config, "task"))
    if not isinstance(task, Task):
        raise SeqexpError(
            f"task._target_ gives {_a(task)}, which is no task: derive it from seqexp.types.Task"
        )
    return task


def _node(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What a config says of its task or model, with the code that it names."""
    node = config[key]
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise SeqexpError(f"{key}._target_ is missing: a file of {key}/ {_SAYS[key]}")
    return dict(node)


_SAYS = {
    "task": "begins with the line `# @package _global_`, and says `_target_:` under `task:`",
    "model": "says `_target_:`, or has `defaults:` that do",
}


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _instantiate(node: dict[str, Any]) -> Any:
    try:
        return hydra.utils.instantiate(OmegaConf.create(node), _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, SeqexpError):
            raise cause from None
        target = node.get("_target_", "config")
        raise SeqexpError(f"{target}: {first_line(cause or error)}") from error
