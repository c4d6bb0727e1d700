"""Hydra's basic sweeper, which leaves nothing on the disk.

Hydra's own writes the whole config, with whatever secrets the command line held, into a folder that
belongs to the first user of it.
"""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn


class SeqexpSweeper(BasicSweeper):
    """The product of all that is swept, as `BasicSweeper` makes it, handed to the launcher."""

    def sweep(self, arguments: list[str]) -> Any:
        assert self.hydra_context is not None and self.launcher is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        returns: list[Sequence[JobReturn]] = []
        first = 0
        for batch in self.split_arguments(overrides, self.max_batch_size):
            self.validate_batch_is_legal(batch)
            returns.append(self.launcher.launch(batch, initial_job_idx=first))
            for job in returns[-1]:
                _ = job.return_value  # raises what the job raised
            first += len(batch)
        return returns


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="seqexp",
    node=BasicSweeperConf(_target_="hydra_plugins.seqexp_launcher.sweeper.SeqexpSweeper"),
    provider="seqexp",
)
