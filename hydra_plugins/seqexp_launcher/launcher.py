"""Hands the points of a Hydra multirun to seqexp, which trains them in groups.

Hydra imports every module of this namespace at each call, so nothing heavy may be imported here.
"""

from collections.abc import Sequence

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SeqexpLauncher(Launcher):
    """Composes each point's config, and calls the task function once, with all of them."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.config = config
        self.loader = hydra_context.config_loader
        self.task_function = task_function

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        configs = [self.loader.load_sweep_config(self.config, list(o)) for o in job_overrides]
        scores = self.task_function(configs)
        return [
            _returned(config, overrides, score)
            for config, overrides, score in zip(configs, job_overrides, scores, strict=True)
        ]


def _returned(config: DictConfig, overrides: Sequence[str], score: float | None) -> JobReturn:
    # Failures are in the closing table and in the exit code; a failed status here would make
    # Hydra report the first of them again, and only that one.
    job = JobReturn(overrides=overrides, cfg=config, status=JobStatus.COMPLETED)
    job.return_value = score
    return job


ConfigStore.instance().store(
    group="hydra/launcher",
    name="seqexp",
    node={"_target_": "hydra_plugins.seqexp_launcher.launcher.SeqexpLauncher"},
    provider="seqexp",
)
