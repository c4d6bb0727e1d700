"""seqexp: which sequence architecture gives the most performance for its cost, on my task?"""

from __future__ import annotations

TYPE_CHECKING = False  # typing takes milliseconds, in which no signal is heard yet
if TYPE_CHECKING:
    from pathlib import Path

    from seqexp.analysis.load import Study
    from seqexp.sweeps.trained import TrainedRun


def load(*studies: Path | str) -> Study:
    """The records of studies as tidy frames: `seqexp.load("runs/frontier").runs`, a row a run.

    See `seqexp.analysis.load.Study` for what there is.

    Raises:
        SeqexpError: a folder is missing, or there is no run in any of them.
    """
    from seqexp.analysis import load  # only now: pandas and matplotlib take a second to import

    return load(*studies)


def load_run(folder: Path | str) -> TrainedRun:
    """A finished run, its model with the weights that were best on validation.

        run = seqexp.load_run("runs/frontier/0123456789abcdef")
        run.predict(inputs), run.generate("ROMEO:"), run.evaluate("test")

    See `seqexp.sweeps.trained.TrainedRun` for what there is.

    Raises:
        SeqexpError: there is no finished run, or its model can't be built or has no weights.
    """
    from seqexp.sweeps.trained import load_run  # only now: jax and Hydra take a second to import

    return load_run(folder)
