"""A point of a sweep: one composed config, and how to build what it describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from seqexp.training import Experiment, Hyper, Optimizer
from seqexp.types import SeqexpError, Task

TRACED = ("learning_rate", "weight_decay", "clip_norm")
"""The keys of `optimizer` that enter a group's program as values, as `seed` does."""


@dataclass(frozen=True)
class Point:
    """One composed config.

    Attributes:
        config: resolved, plain, without Hydra's own node.
        model: the name of the model's file in conf/model.
        task: the name of the task's file in conf/task.
        choices: the file chosen in each group of the menu, null for none.
        match: what its width was solved for, and what it reached; None for a width as configured.
    """

    config: dict[str, Any]
    model: str
    task: str
    choices: Mapping[str, str | None] = field(default_factory=dict)
    match: dict[str, Any] | None = None

    @classmethod
    def of(cls, config: DictConfig, choices: Mapping[str, str]) -> Point:
        """The point of a config as Hydra composes it; `match_widths` solves its width.

        Args:
            config: with or without Hydra's own node.
            choices: the file chosen in each group of the menu.

        Raises:
            SeqexpError: if the study or the folder of runs has no name, or `peak_memory` is neither
                true nor false.
        """
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        plain = cast(dict[str, Any], OmegaConf.to_container(own, resolve=True))
        for key in ("study", "runs_dir"):
            if plain[key] is None:
                raise SeqexpError(f"{key} must be a name, not null")
            plain[key] = str(plain[key])
        if not isinstance(plain["peak_memory"], bool):
            raise SeqexpError(f"peak_memory must be true or false, not {plain['peak_memory']!r}")
        own_choices = {g: c for g, c in choices.items() if not g.startswith("hydra/")}
        return cls(plain, choices["model"], choices["task"], own_choices)

    @property
    def hyper(self) -> Hyper:
        """What the point's member has of its own in its group.

        Raises:
            SeqexpError: if one of the values is not a number in its range.
        """
        optimizer = self.config["optimizer"]
        clip = optimizer["clip_norm"]
        seed = self.config["seed"]
        if not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise SeqexpError(f"seed must be a whole number from 0 to 2**32 - 1, not {seed!r}")
        values = {name: optimizer[name] for name in TRACED} | {
            "clip_norm": float("inf") if clip is None else clip
        }
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise SeqexpError(f"optimizer.{name} must be a number of at least 0, not {value!r}")
        return Hyper(seed=seed, **values)

    def shared_config(self) -> dict[str, Any]:
        """The config without what is traced: points where this is equal share a program."""
        config = {k: v for k, v in self.config.items() if k not in ("seed", "match", "peak_memory")}
        optimizer = config["optimizer"]
        config["optimizer"] = {k: v for k, v in optimizer.items() if k not in TRACED}
        return config

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


def build(config: Mapping[str, Any]) -> Experiment:
    """The experiment of a plain config."""
    optimizer = _instantiate(
        {key: value for key, value in config["optimizer"].items() if key not in TRACED}
    )
    trainer = {key: value for key, value in config["trainer"].items() if key != "batch_devices"}
    try:
        return Experiment(
            model=build_model(config),
            task=cast(Task, _instantiate(config["task"])),
            optimizer=Optimizer(**optimizer),
            **trainer,
        )
    except TypeError as error:
        raise SeqexpError(f"trainer or optimizer: {error}") from error


def build_model(config: Mapping[str, Any]) -> Any:
    """What builds the model of a plain config from `(spec, rngs=...)`."""
    return _instantiate(config["model"])


def _instantiate(node: dict[str, Any]) -> Any:
    try:
        return hydra.utils.instantiate(OmegaConf.create(node), _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, SeqexpError):
            raise cause from None
        target = node.get("_target_", "config")
        raise SeqexpError(f"{target}: {cause or str(error).splitlines()[0]}") from error
