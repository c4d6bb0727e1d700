"""What is left to Hydra: to show configs, and to run other launchers and sweepers than ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from seqexp.commands.composition import Composed, points_in, points_of, spelled
from seqexp.commands.configs import config_folder
from seqexp.commands.overrides import Asked, import_from
from seqexp.types import SeqexpError

if TYPE_CHECKING:
    from seqexp.sweeps import Outcome, Point


def through_hydra(asked: Asked) -> tuple[list[Outcome], list[Point]]:
    """Let Hydra show what is asked for, or launch it; the outcomes of all points, and these."""
    outcomes: list[Outcome] = []
    points: list[Point] = []

    def task(configs: DictConfig | list[DictConfig]) -> Any:
        """All points at once from seqexp's own launcher; one at a time from another."""
        import_from(asked.config_dir)
        if isinstance(configs, list):
            done = trained([Composed.of(config) for config in configs])
        else:
            with open_dict(configs):
                configs.hydra = HydraConfig.get()
            done = trained([Composed.of(configs)])
            for outcome in done[0]:
                if outcome.status == "failed":
                    # This may be another process, which reports by exceptions.
                    raise SeqexpError(f"{outcome.name}: {outcome.detail}")
        outcomes.extend(done[0])
        points.extend(done[1])
        scores = [outcome.score for outcome in done[0]]
        return scores if isinstance(configs, list) else scores[0]

    if asked.shows and any(each.is_sweep_override() for each in asked.overrides):
        raise SeqexpError(f"{asked.shows[0]} shows one point: give each key one value")
    # The first folder wins, so the user's own comes before ours.
    first, then = asked.config_dir or config_folder(), []
    if asked.config_dir is not None:
        then = ["--config-dir", str(config_folder())]
    words = [*(asked.shows or ["--multirun"]), *then, *spelled(asked)]
    failure = None
    try:
        _run_application(words, task, first, asked.config_name)
    except Exception as error:
        failure = error  # Of one point as a rule, and then in its record as well.
    if asked.shows or points:
        if failure is not None:
            raise failure
        return outcomes, points
    # Other processes have trained them, if any did: what is known of that is in the records.
    if failure is None:
        return _recorded(asked)
    try:
        found = _recorded(asked)
    except Exception:
        raise failure from None
    said = str(failure) or type(failure).__name__
    print(f"seqexp: {said.splitlines()[0]}", file=sys.stderr)
    return found


def _run_application(
    words: Sequence[str], task: Callable[[Any], Any], folder: Path, config_name: str
) -> None:
    """Run Hydra's own application, as its decorator `main` does for the words of `sys.argv`.

    Args:
        words: of its command line.
        task: called with what is composed.
        folder: of the configs.
        config_name: the file that composition starts from.
    """
    version.setbase("1.3")
    parser = get_args_parser()
    # By itself it would take the name of this process.
    parser.prog = "seqexp"
    _run_hydra(
        args=parser.parse_args(words),
        args_parser=parser,
        task_function=task,
        config_path=str(folder),
        config_name=config_name,
    )


def _recorded(asked: Asked) -> tuple[list[Outcome], list[Point]]:
    """The outcomes of all points of a grid by their records, and these."""
    from seqexp.sweeps import recorded
    from seqexp.training.start import start_jax

    start_jax()
    points = points_of(asked)
    return recorded(points), points


def trained(configs: Sequence[Composed]) -> tuple[list[Outcome], list[Point]]:
    """Train the points of composed configs; their outcomes, and they."""
    from seqexp.sweeps import execute
    from seqexp.training.start import start_jax

    start_jax()
    points = points_in(configs)
    mode = (points[0].config["logger"] or {}).get("mode")
    if mode not in (None, "offline") and mode == os.environ.get("WANDB_MODE"):
        print(f"wandb is {mode}, as WANDB_MODE says", file=sys.stderr)
    return execute(points), points
