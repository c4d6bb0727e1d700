"""A point of a sweep: one composed config, and how to build what it describes."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import hydra.utils
import jax
from flax import nnx
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from seqexp.costs.matching import match_width
from seqexp.costs.parameters import count_parameters
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
    """

    config: dict[str, Any]
    model: str
    task: str

    @classmethod
    def of(cls, config: DictConfig, choices: Mapping[str, str]) -> Point:
        """The point of a config as Hydra composes it, its matched width solved.

        Args:
            config: with or without Hydra's own node.
            choices: the file chosen in each group of the menu.

        Raises:
            SeqexpError: if the width cannot be matched.
        """
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        plain = cast(dict[str, Any], OmegaConf.to_container(own, resolve=True))
        for key in ("study", "runs_dir"):
            if plain[key] is None:
                raise SeqexpError(f"{key} must be a name, not null")
            plain[key] = str(plain[key])
        model, task = choices["model"], choices["task"]
        try:
            return cls(_matched(plain), model, task)
        except SeqexpError as error:
            raise SeqexpError(f"{model} on {task}: {error}") from error

    @property
    def name(self) -> str:
        """Readable, for people; the identity is the hash."""
        return f"{self.model}-{self.task}-seed{self.config['seed']}"

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
        config = {k: v for k, v in self.config.items() if k not in ("seed", "match")}
        optimizer = config["optimizer"]
        config["optimizer"] = {k: v for k, v in optimizer.items() if k not in TRACED}
        return config

    def build(self) -> Experiment:
        """The experiment that the config describes.

        Raises:
            SeqexpError: for whatever is wrong with an argument, in one line.
        """
        return build(self.config)


def build(config: dict[str, Any]) -> Experiment:
    """The experiment of a plain config."""
    optimizer = _instantiate(
        {key: value for key, value in config["optimizer"].items() if key not in TRACED}
    )
    trainer = {key: value for key, value in config["trainer"].items() if key != "batch_devices"}
    try:
        return Experiment(
            model=_instantiate(config["model"]),
            task=cast(Task, _instantiate(config["task"])),
            optimizer=Optimizer(**optimizer),
            **trainer,
        )
    except TypeError as error:
        raise SeqexpError(f"trainer or optimizer: {error}") from error


def _instantiate(node: dict[str, Any]) -> Any:
    try:
        return hydra.utils.instantiate(OmegaConf.create(node), _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, SeqexpError):
            raise cause from None
        target = node.get("_target_", "config")
        raise SeqexpError(f"{target}: {cause or str(error).splitlines()[0]}") from error


def _matched(config: dict[str, Any]) -> dict[str, Any]:
    """The config with `model.features` solved for what `match` asks."""
    match = config.get("match")
    if not match:
        return config
    if match["by"] != "parameters":
        raise SeqexpError(f"match.by must be 'parameters', not {match['by']!r}")
    model = {key: value for key, value in config["model"].items() if key != "features"}
    width = _width(*(json.dumps(part) for part in (model, config["task"], match)))
    return {**config, "model": {**config["model"], "features": width}}


@functools.cache
def _width(model: str, task: str, match: str) -> int:
    """The matched width of a model on a task; all three as JSON."""
    wanted = json.loads(match)
    spec = cast(Task, _instantiate(json.loads(task))).spec

    def count(features: int) -> int:
        build = _instantiate({**json.loads(model), "features": features})
        shapes = jax.eval_shape(lambda: nnx.state(build(spec, rngs=nnx.Rngs(params=0))))
        return count_parameters(shapes).total

    return match_width(
        count, wanted["budget"], multiple=wanted["multiple"], tolerance=wanted["tolerance"]
    ).width
