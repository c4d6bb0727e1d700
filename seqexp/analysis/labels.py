"""Names for what is compared: a model's name, and the settings that tell its groups apart."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

SHORT = {"learning_rate": "lr"}
WIDTH = "model.features"
"""What a budget is met with: it differs between tasks for one and the same model."""


class Group(NamedTuple):
    """Runs that differ in nothing but their seed: `hash` is that of their config without it."""

    task: str
    model: str
    hash: str


class Label(NamedTuple):
    """What a group is called, with the settings that vary.

    Attributes:
        task: "adding length=100".
        model: what it is, however it was trained: "lstm units=64".
        setting: how it was trained: "lr=0.003".
    """

    task: str
    model: str
    setting: str

    @property
    def whole(self) -> str:
        """The model as it was trained: "lstm units=64 lr=0.003"."""
        return f"{self.model} {self.setting}".rstrip()


def labels(settings: Mapping[Group, Mapping[str, str]]) -> dict[Group, Label]:
    """The label of each group, from its settings: see `flatten` and `shared`.

    A task's label adds the settings of the task that vary between its groups, since scores on
    different tasks can not be compared. A model's label adds all other settings that vary between
    the groups of that model within the task: its own, then those of its training. Groups that would
    still be called the same get their hash.
    """
    told = _tell_apart(settings, lambda group: group.task, _of_task)
    task = {group: " ".join([group.task, *varying.values()]) for group, varying in told.items()}
    told = _tell_apart(
        settings, lambda group: (task[group], group.model), lambda key: not _of_task(key)
    )
    named = {}
    for group in settings:
        varying = told[group].items()
        own = [text for key, text in varying if key.startswith("model.")]
        training = [text for key, text in varying if not key.startswith("model.")]
        named[group] = Label(task[group], " ".join([group.model, *own]), " ".join(training))
    uses = Counter(named.values())
    return {
        group: label
        if uses[label] == 1
        else label._replace(setting=f"{label.setting} #{group.hash[:6]}".lstrip())
        for group, label in named.items()
    }


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested config as dotted keys with written values: {"optimizer.learning_rate": "0.003"}."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = _written(value)
    return flat


def budgeted(settings: Mapping[str, str], run: Mapping[str, Any]) -> dict[str, str]:
    """The settings with the budget in the place of the width that was solved for it, if one was.

    Args:
        settings: flattened.
        run: the run.json that they are of.
    """
    match = run.get("match")
    if not (isinstance(match, Mapping) and {"by", "budget"} <= match.keys()):
        return dict(settings)
    told = {key: value for key, value in settings.items() if key != WIDTH}
    return told | {f"model.{match['by']}": _written(match["budget"])}


def shared(configs: list[dict[str, str]]) -> dict[str, str]:
    """What all runs of a group have in common: every setting but the seed and what follows it."""
    first, *others = configs
    return {
        key: value
        for key, value in first.items()
        if key != "seed" and all(other.get(key) == value for other in others)
    }


def _tell_apart(
    settings: Mapping[Group, Mapping[str, str]],
    family: Callable[[Group], Hashable],
    counts: Callable[[str], bool],
) -> dict[Group, dict[str, str]]:
    """Of each group, the settings in which it differs within its family: {key: "lr=0.003"}."""
    families: dict[Hashable, list[Group]] = defaultdict(list)
    for group in settings:
        families[family(group)].append(group)
    told = {}
    for groups in families.values():
        # A run that failed before its config was resolved has none, and would vary in every key.
        known = [settings[group] for group in groups if settings[group]]
        keys = [
            key
            for key in dict.fromkeys(key for each in known for key in each)
            if counts(key) and len({each.get(key) for each in known}) > 1
        ]
        names = _short_names(keys)
        for group in groups:
            own = settings[group]
            told[group] = {
                key: f"{names[key]}={_short_value(key, own[key])}" for key in keys if key in own
            }
    return told


def _of_task(key: str) -> bool:
    return key.startswith("task.")


def _short_names(keys: list[str]) -> dict[str, str]:
    """The last part of each key, or the whole key where two would be called the same."""
    last = {key: key.removesuffix("._target_").rsplit(".", 1)[-1] for key in keys}
    uses = Counter(last.values())
    return {key: SHORT.get(last[key], last[key]) if uses[last[key]] == 1 else key for key in keys}


def _short_value(key: str, value: str) -> str:
    return value.rsplit(".", 1)[-1] if key.endswith("_target_") else value


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
