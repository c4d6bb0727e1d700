"""`seqexp conform`: does an architecture keep the laws, whatever the task?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from seqexp.commands.composition import points_of
from seqexp.commands.overrides import read_overrides
from seqexp.types import Features, SeqexpError, TaskSpec, Tokens

USAGE = """\
usage: seqexp conform MODEL [MODEL ...] [OVERRIDE ...] [--config-dir FOLDER]

  seqexp conform lstm mamba
  seqexp conform stack 'model.layers=[average]' --config-dir my_configs

Tries an architecture, of one's own too, with sequences that no task made. All laws that `seqexp
check` tries of a model and its layers; and each kind of layer at its limits: the carry keeps its
form, gradients are slopes (finite differences in float64), inputs that are large or all 0, one step
and 4,096 steps give finite outputs and gradients. Prints the parameters and the bytes of the carry
of one sequence of 64 and of 4,096 steps, and a line a law; exit code 1 if one is broken. Models are
4 units wide unless an override says otherwise.
"""

STEPS = 5
WAYS = {
    "tokens in, one answer a step": TaskSpec(Tokens(7), "step", 7, STEPS, causal=True),
    "features in, one answer": TaskSpec(Features(2), "sequence", 3, STEPS, causal=False),
    "features in, a free answer": TaskSpec(
        Features(2), "free", 5, STEPS, causal=False, max_answer_length=4, start=0, end=1
    ),
}
"""What a model may be for; it is tried with the first that it takes."""


def main(arguments: list[str]) -> int:
    """Try the laws of each model, and print each with what is wrong."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    names, others = _names(arguments)
    if not any(other.startswith("model.features=") for other in others):
        others.append("model.features=4")
    asked = read_overrides([f"model={','.join(names)}", *others], "conform")
    from seqexp.training.start import start_jax

    start_jax()
    broken = sum(_broken(point) for point in points_of(asked))
    print("all laws hold" if not broken else f"{broken} broken")
    return int(broken > 0)


def _names(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The models' names, and the other arguments."""
    names: list[str] = []
    rest = list(arguments)
    while rest and "=" not in rest[0] and not rest[0].startswith(("-", "+", "~")):
        names.append(rest.pop(0))
    if not names:
        raise SeqexpError("name a model: seqexp conform gru; seqexp run --help lists them")
    return names, rest


def _broken(point: Any) -> int:
    """How many laws a model breaks."""
    from seqexp.laws import check_model

    way, experiment = _fitting(point)
    print(f"{point.model}: {way}")
    for line in _figures(experiment):
        print(f"  {line}")
    broken = 0
    for about, law, problem in check_model(experiment):
        broken += problem is not None
        said = "ok" if problem is None else f"BROKEN: {problem}"
        print(f"  {about}: {law}: {said}", flush=True)
    return broken


def _fitting(point: Any) -> tuple[str, Any]:
    """What a model is for, and its experiment with a task that asks for that."""
    from flax import nnx

    from seqexp.costs.random_task import RandomTask
    from seqexp.training.step import build

    refusals: list[str] = []
    for way, spec in WAYS.items():
        experiment = replace(point.build(), task=RandomTask(spec, batch_size=2))
        try:
            nnx.eval_shape(lambda experiment=experiment: build(experiment, 0))
        except SeqexpError as error:
            refusals.append(str(error))
            continue
        return way, experiment
    raise SeqexpError(refusals[0])


def _figures(experiment: Any) -> list[str]:
    import jax
    from flax import nnx

    from seqexp.laws.everything import kinds, named
    from seqexp.laws.extremes import LONG, carry_bytes
    from seqexp.training.step import build

    model = nnx.eval_shape(lambda: build(experiment, 0))
    lines = [f"{sum(leaf.size for leaf in jax.tree.leaves(model)):,} parameters"]
    for layer in kinds(model):
        size = sum(leaf.size for leaf in jax.tree.leaves(layer))
        short, long = carry_bytes(layer, 64), carry_bytes(layer, LONG)
        kept = f"{short:,} bytes" + ("" if long == short else f" (of {LONG:,} steps {long:,})")
        lines.append(f"{named(layer)}: {size:,} parameters, carry of 64 steps {kept}")
    return lines
