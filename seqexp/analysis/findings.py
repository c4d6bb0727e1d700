"""What the analysis finds in a study, found once, for the figures, the tables and the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from seqexp.analysis.contenders import Contender, baseline_losses, field
from seqexp.analysis.efficiency import evaluations, over_seeds, to_target
from seqexp.analysis.fronts import Fronts, fronts, hypervolumes
from seqexp.analysis.further import further_scores
from seqexp.analysis.growth import exponents
from seqexp.analysis.inside import insides
from seqexp.analysis.load import Study
from seqexp.analysis.looks import Look, looks
from seqexp.analysis.ranks import rank
from seqexp.analysis.rates import rate_runs
from seqexp.analysis.tuning import sensitivity, trials, tuning_cost, windows


class Findings(NamedTuple):
    """What there is to say on a study.

    Attributes:
        study: the records.
        table: see `tabulate`.
        looks: of each label, and of each model whose costs were measured.
        rivals: of each task its contenders.
        fronts: of each task, see `fronts`.
        volumes: what each model covers on each `task`, see `hypervolumes`.
        ranks: of the contenders over all tasks, see `rank`.
        curves: of the chosen models, see `evaluations`.
        reached: what they took to learn, see `efficiency.over_seeds`.
        rates: the runs with the learning rates that were tried, see `rate_runs`.
        windows: of these rates, see `tuning.windows`.
        tuning: what trying them has cost, see `tuning_cost`.
        trials: the expected best of some runs, see `trials`.
        further: scores on further held-out splits, see `further_scores`.
        inside: what inspections tell, see `insides`.
        growth: the exponents of what was measured, see `exponents`.
    """

    study: Study
    table: pd.DataFrame
    looks: Mapping[str, Look]
    rivals: Mapping[str, list[Contender]]
    fronts: Mapping[str, Fronts]
    volumes: pd.DataFrame
    ranks: pd.DataFrame
    curves: pd.DataFrame
    reached: pd.DataFrame
    rates: pd.DataFrame
    windows: pd.DataFrame
    tuning: pd.DataFrame
    trials: pd.DataFrame
    further: pd.DataFrame
    inside: pd.DataFrame
    growth: pd.DataFrame

    def of(self, task: str) -> Findings:
        """The same with the rows of one task, where frames have a row a task or more."""
        return self._replace(
            table=self.table.loc[self.table["task"] == task],
            volumes=self.volumes.loc[self.volumes["task"] == task],
            curves=self.curves.loc[self.curves["task"] == task],
            reached=self.reached.loc[self.reached["task"] == task],
            rates=self.rates.loc[self.rates["task_label"] == task],
            windows=self.windows.loc[self.windows["task"] == task],
            tuning=self.tuning.loc[self.tuning["task"] == task],
            trials=self.trials.loc[self.trials["task"] == task],
            further=self.further.loc[self.further["task"] == task],
            inside=self.inside.loc[self.inside["task"] == task],
        )


def findings(study: Study, table: pd.DataFrame) -> Findings:
    """Analyse a study.

    Args:
        study: the records.
        table: see `tabulate`.
    """
    rivals, baselines = field(study, table), baseline_losses(study)
    curves = evaluations(study, table)
    volumes = [
        hypervolumes(found, baselines.get(task)).assign(task=task) for task, found in rivals.items()
    ]
    measured = study.growth.assign(model_label=study.growth["label"])
    return Findings(
        study=study,
        table=table,
        looks=looks(study.runs, measured),
        rivals=rivals,
        fronts={task: fronts(found) for task, found in rivals.items()},
        volumes=pd.concat(volumes, ignore_index=True),
        ranks=rank(rivals, baselines),
        curves=curves.loc[curves["status"] != "failed"],
        reached=over_seeds(to_target(study, table)),
        rates=rate_runs(study, table),
        windows=windows(sensitivity(study, table), baselines),
        tuning=tuning_cost(study, table),
        trials=trials(study, table, baselines),
        further=further_scores(study, table),
        inside=insides(study, table),
        growth=exponents(study.growth),
    )
