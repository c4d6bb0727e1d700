"""The points of Hydra's overrides and flags, composed and nothing more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig

from seqexp.commands.configs import config_folder

if TYPE_CHECKING:
    from seqexp.sweeps import Point


def composed(arguments: Sequence[str]) -> list[Point]:
    """Every point of a multirun, `--config-dir` and lists of values included; JAX is started.

    Args:
        arguments: as of `seqexp sweep`.
    """
    points: list[Point] = []

    def task(configs: list[DictConfig]) -> Any:
        from seqexp.sweeps import Point
        from seqexp.training.start import start_jax

        start_jax()
        points.extend(Point.of(config, config.hydra.runtime.choices) for config in configs)
        return [None] * len(configs)

    previous = sys.argv
    sys.argv = ["seqexp", *arguments, "--multirun"]
    try:
        folder = str(config_folder())
        hydra.main(version_base="1.3", config_path=folder, config_name="config")(task)()
    finally:
        sys.argv = previous
    return points
