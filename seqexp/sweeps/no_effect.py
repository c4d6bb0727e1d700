"""Options that a task, or another option, makes meaningless: no part of a run's identity."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqexp.runs.identity import canonical
from seqexp.types import SeqexpError, TaskSpec


def without_effect(model: Any, spec: TaskSpec) -> Mapping[str, Any]:
    """The arguments of a model that change nothing on a task, each with its neutral value.

    A model says so itself by a static method `without_effect(spec, **arguments)`; one that has
    none has none of these.

    Args:
        model: builds the model: a partial of a class, or another factory.
        spec: of the task.

    Raises:
        SeqexpError: the model's own method can't be called so.
    """
    arguments: Mapping[str, Any] = {}
    if isinstance(model, functools.partial):
        model, arguments = model.func, model.keywords
    says = getattr(model, "without_effect", None)
    try:
        return {} if says is None else says(spec, **arguments)
    except TypeError as error:
        name = getattr(model, "__qualname__", model)
        raise SeqexpError(f"{name}.without_effect(spec, **arguments): {error}") from error


def plain(config: Mapping[str, Any], of_model: Mapping[str, Any]) -> dict[str, Any]:
    """A config with each option that changes nothing about its run at its neutral value.

    Args:
        config: of a run.
        of_model: the arguments of its model without effect.
    """
    model, trainer = config["model"], config["trainer"]
    changed = {key: value for key, value in of_model.items() if key in model}
    # Beyond the last step nothing is evaluated.
    every = min(trainer["eval_every"], trainer["steps"])
    return {
        **{key: _off(value) if key == "task" else value for key, value in config.items()},
        "model": {**model, **changed},
        "trainer": {**trainer, "eval_every": every},
    }


def _off(task: Any) -> Any:
    """A task of ours that is not stateful, as the menu says so: a null is in no identity."""
    ours = isinstance(task, Mapping) and str(task.get("_target_")).startswith("seqexp.tasks.")
    return {**task, "stateful": None} if ours and task.get("stateful") is False else task


def differences(asked: Mapping[str, Any], settled: Mapping[str, Any]) -> list[str]:
    """The options of a model that `plain` changed, as they were asked for: `model.pooling=mean`."""
    return [
        f"model.{key}={'null' if value is None else value}"
        for key, value in asked["model"].items()
        if canonical(value) != canonical(settled["model"][key])
    ]


def told(asked: Iterable[tuple[str, str, Sequence[str]]]) -> str:
    """One line for people; empty where there is nothing to say.

    Models are named where another one, or another setting of the same one, heeds the option.

    Args:
        asked: tasks, models, and options that have no effect on the two, as they were asked for.

    >>> told([("digits", "gru", ["model.merge=sum"]), ("digits", "tcn", []), ("copy", "gru", [])])
    'model.merge=sum has no effect on digits (gru): trained once'
    """
    total: Counter[tuple[str, str]] = Counter()
    idle: dict[str, Counter[tuple[str, str]]] = {}
    for task, model, options in asked:
        total[task, model] += 1
        for option in options:
            idle.setdefault(option, Counter())[task, model] += 1
    said = []
    for option, counts in idle.items():
        places = []
        for task in dict.fromkeys(task for task, _ in counts):
            models = [model for at, model in total if at == task]
            named = [
                model if counts[task, model] == total[task, model] else f"some {model}"
                for model in models
                if counts[task, model]
            ]
            places.append(task if named == models else f"{task} ({', '.join(named)})")
        said.append(f"{option} has no effect on {', '.join(places)}")
    return "; ".join(said) + (": trained once" if said else "")
