"""`seqexp run` and `seqexp sweep`: Hydra composes the points, seqexp trains them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig

from seqexp.commands.configs import config_folder
from seqexp.types import SeqexpError

if TYPE_CHECKING:
    from seqexp.sweeps import Outcome, Point


ONLY_SHOW = ("--cfg", "-c", "--info", "-i", "--help", "-h", "--hydra-help", "--resolve")


def run(arguments: list[str]) -> int:
    """Train one point."""
    outcomes, _ = _hydra(arguments, one=True)
    for outcome in outcomes:
        good = outcome.status in ("finished", "skipped")
        became = outcome.detail if good else f"{outcome.status} {outcome.detail}"
        print(f"{outcome.directory}: {became}")
    return int(any(outcome.status in ("failed", "elsewhere") for outcome in outcomes))


def sweep(arguments: list[str]) -> int:
    """Train every point of a multirun, and report on the study."""
    outcomes, points = _hydra(arguments, one=False)
    if any(outcome.status not in ("failed", "elsewhere") for outcome in outcomes):
        from seqexp.commands.report import report_on
        from seqexp.runs.locks import Locks
        from seqexp.runs.wandb_mirror import Mirror

        study = outcomes[0].directory.parent
        with Locks(study) as locks:
            # Of two sweeps that end together, the second must not be overwritten by the first.
            locks.wait_for("report", lambda by: print(f"waiting: {by} writes the report"))
            report_on([study], Mirror.of(points[0].config["logger"]))
    return int(any(outcome.status == "failed" for outcome in outcomes))


def _hydra(arguments: Sequence[str], one: bool) -> tuple[list[Outcome], list[Point]]:
    """Let Hydra compose, and execute what it composes; the outcomes of all points, and these.

    Args:
        arguments: overrides and flags of Hydra.
        one: refuse more than one point.
    """
    outcomes: list[Outcome] = []
    points: list[Point] = []

    def task(configs: DictConfig | list[DictConfig]) -> Any:
        """All points at once from seqexp's own launcher; one at a time from another."""
        from seqexp.sweeps import Point, execute
        from seqexp.training.start import start_jax

        start_jax()

        if isinstance(configs, list):
            if one and len(configs) > 1:
                raise SeqexpError(
                    f"run trains one point, and these are {len(configs)}: use seqexp sweep"
                )
            points.extend(Point.of(config, config.hydra.runtime.choices) for config in configs)
            outcomes.extend(execute(points))
            return [outcome.score for outcome in outcomes]
        points.append(Point.of(configs, HydraConfig.get().runtime.choices))
        outcome = execute(points[-1:])[0]
        if outcome.status == "failed":
            # This may be another process, which reports by exceptions.
            raise SeqexpError(f"{outcome.name}: {outcome.detail}")
        outcomes.append(outcome)
        return outcome.score

    show = any(argument.split("=")[0] in ONLY_SHOW for argument in arguments)
    previous = sys.argv
    sys.argv = ["seqexp", *arguments, *([] if show else ["--multirun"])]
    try:
        folder = str(config_folder())
        hydra.main(version_base="1.3", config_path=folder, config_name="config")(task)()
    except OSError as error:
        if isinstance(error, HydraException) or error.filename is None:
            raise
        raise SeqexpError(
            f"cannot write to {error.filename} ({error.strerror}); choose another folder with "
            "runs_dir=..."
        ) from error
    finally:
        sys.argv = previous
    return outcomes, points
