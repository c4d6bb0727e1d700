"""`seqexp check`: do models and tasks, one's own too, keep the laws?"""

from __future__ import annotations

from seqexp.commands.composition import points_of
from seqexp.commands.overrides import read_overrides
from seqexp.types import SeqexpError, first_line

USAGE = """\
usage: seqexp check [OVERRIDE ...] [--config-dir FOLDER]

  seqexp check model=gru task=digits
  seqexp check model=mgu task=adding --config-dir my_configs

Tries the laws that results depend on. Of a model and each kind of its layers, in float64: unroll
is step after step (outputs, carry, gradients), padding never matters, what is causal does not look
ahead, halves of a sequence are the whole, gradients are finite, evaluation is deterministic. Of a
task: data is as its spec says, metrics pool over batches, padding weighs nothing, batches follow
the key and the step. Prints a line a law; exit code 1 if one is broken. The most important are
tried before own code is trained.
"""


def main(arguments: list[str]) -> int:
    """Try the laws, and print each with what is wrong."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    asked = read_overrides(arguments, "check")
    from seqexp.laws import check
    from seqexp.sweeps.data import loaded
    from seqexp.training.start import start_jax

    start_jax()
    points = points_of(asked)

    broken = 0
    for point in points:
        experiment = point.build()
        print(f"{point.model} on {point.task}")
        splits = loaded(experiment.task)
        try:
            for about, law, problem in check(experiment, splits):
                broken += problem is not None
                said = "ok" if problem is None else f"BROKEN: {problem}"
                print(f"  {about}: {law}: {said}", flush=True)
        except (TypeError, ValueError) as error:
            raise SeqexpError(
                f"{point.model} does not fit {point.task}: {first_line(error)}"
            ) from error
    print("all laws hold" if not broken else f"{broken} broken")
    return int(broken > 0)
