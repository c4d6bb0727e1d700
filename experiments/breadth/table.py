"""The short table of the README: on each task the test score of each model, and the best baseline.

`python experiments/breadth/table.py runs/breadth` prints it as Markdown.
"""

from __future__ import annotations

import sys
from pathlib import Path

from seqexp.analysis import load
from seqexp.analysis.notation import digits, spoken
from seqexp.analysis.table import tabulate

MODELS = ("rnn", "lstm", "gru")


def main(folder: Path) -> None:
    """Print the table of a study."""
    study = load(folder)
    table = tabulate(study)
    chosen = table.loc[table["chosen"]].set_index(["task", "model"])
    print(f"| task | score | {' | '.join(MODELS)} | best baseline |")
    print("|---|---" + "|---" * len(MODELS) + "|---|")
    for task in dict.fromkeys(table["task"]):
        rows = chosen.loc[task]
        name, goal = rows[["score", "goal"]].dropna().iloc[0]
        better = max if goal == "max" else min
        scores = {model: float(rows["test"].get(model, float("nan"))) for model in MODELS}
        best = better(score for score in scores.values() if score == score)
        cells = [
            f"**{digits(score)}**" if score == best else digits(score) for score in scores.values()
        ]
        baselines = study.baselines(str(task))
        told = "–"
        if baselines:
            which = better(baselines, key=lambda key: baselines[key])
            told = f"{digits(baselines[which])} {which}"
        arrow = "↑" if goal == "max" else "↓"
        print(f"| {task} | {spoken(name)} {arrow} | {' | '.join(cells)} | {told} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
