"""What runs are called: their model and task, and the settings that tell them apart."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from seqexp.runs.identity import ONCE_ABSENT

SHORT = {"learning_rate": "lr"}
FIRST = "optimizer.learning_rate"
"""The setting that is told before all others of its kind."""
WIDTH = "model.features"
"""What a budget is met with: it differs between tasks for one and the same model."""
CHOICE = "choice of "
"""What a group of the menu begins with among the settings: "choice of optimizer"."""
PRECISION = "trainer.precision"
"""A cost of the model, in evaluation and training alike: models of two precisions are compared."""
NOTHING = "null"
DECAYED = "optimizer.decayed"
"""Told of runs with weight decay alone."""
USUAL = {f"{node}.{key}": v for node, own in ONCE_ABSENT.items() for key, v in own.items()}
"""What earlier records lack, and what they mean by it."""
_encode = json.JSONEncoder(ensure_ascii=False).encode


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
        setting: how it was trained: "lr=0.003 optimizer=rmsprop".
    """

    task: str
    model: str
    setting: str

    @property
    def whole(self) -> str:
        """The model as it was trained: "lstm units=64 lr=0.003"."""
        return f"{self.model} {self.setting}".rstrip()

    def run(self, seed: int) -> str:
        """One run of the group: "lstm adding length=100 lr=0.003 units=64 seed 0"."""
        model, _, own = self.model.partition(" ")
        return " ".join(filter(None, (model, self.task, self.setting, own, f"seed {seed}")))


def labels(settings: Mapping[Group, Mapping[str, str]]) -> dict[Group, Label]:
    """The label of each group, from its settings: see `told` and `shared`.

    A task's label adds the settings of the task that vary between its groups, since scores on
    different tasks can not be compared. A model's label adds all other settings that vary between
    the groups of that model within the task: its own, then those of its training, the learning rate
    first. Where groups chose other files of the menu, the choice stands for what is in the files.
    Groups that would still be called the same get their hash.
    """
    differing = _tell_apart(settings, lambda group: group.task, _of_task)
    task = {group: " ".join([group.task, *own.values()]) for group, own in differing.items()}
    differing = _tell_apart(
        settings, lambda group: (task[group], group.model), lambda key: not _of_task(key)
    )
    named = {}
    for group in settings:
        own = [text for key, text in differing[group].items() if of_model(key)]
        training = [text for key, text in differing[group].items() if not of_model(key)]
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


def told(settings: Mapping[str, str], run: Mapping[str, Any]) -> dict[str, str]:
    """The settings as people think of them: with what was chosen from the menu, and with a budget
    in the place of the width that was solved for it, if one was. What earlier records lack is told
    only where it changes anything.

    Args:
        settings: flattened.
        run: the run.json that they are of; records of old tell no choices.
    """
    own = without_usual(settings)
    match = run.get("match")
    if isinstance(match, Mapping) and {"by", "budget"} <= match.keys():
        own.pop(WIDTH, None)
        own[f"model.{match['by']}"] = _written(match["budget"])
    choices = run.get("choices")
    chosen = choices.items() if isinstance(choices, Mapping) else ()
    # A group may be placed: "layer@model.layer" stands for what is under model.layer.
    return own | {f"{CHOICE}{group.split('@')[-1]}": _written(choice) for group, choice in chosen}


def without_usual(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings less those that earlier records lack, where they have the values of these."""
    own = {key: value for key, value in settings.items() if USUAL.get(key) != value}
    own.pop(DECAYED, None)
    if settings.get("optimizer.weight_decay", "0") not in ("0", "0.0", "-0.0"):
        own[DECAYED] = settings.get(DECAYED, USUAL[DECAYED])
    return own


def shared(configs: list[dict[str, str]]) -> dict[str, str]:
    """What all runs of a group have in common: every setting but the seed and what follows it."""
    first, *others = configs
    return {
        key: value
        for key, value in first.items()
        if key != "seed" and all(other.get(key) == value for other in others)
    }


class _Varying(NamedTuple):
    """What tells some groups of a family from others.

    Attributes:
        key: among the settings.
        place: where in the config it stands.
    """

    key: str
    place: str


def _tell_apart(
    settings: Mapping[Group, Mapping[str, str]],
    family: Callable[[Group], Hashable],
    counts: Callable[[str], bool],
) -> dict[Group, dict[str, str]]:
    """Of each group what differs within its family, by its place: {"model.units": "units=64"}."""
    families: dict[Hashable, list[Group]] = defaultdict(list)
    for group in settings:
        families[family(group)].append(group)
    differing = {}
    for groups in families.values():
        # A run that failed before its config was resolved has none, and would vary in every key.
        varying = _varying([settings[group] for group in groups if settings[group]], counts)
        names = _short_names([each.place for each in varying])
        for group in groups:
            own = settings[group]
            differing[group] = {
                place: f"{names[place]}={_short_value(place, own[key])}"
                for key, place in varying
                # Nothing chosen is nothing to tell.
                if key in own and not (key.startswith(CHOICE) and own[key] == NOTHING)
            }
    return differing


def _varying(known: Sequence[Mapping[str, str]], counts: Callable[[str], bool]) -> list[_Varying]:
    """What differs: the learning rate, then choices, then the other settings in their order."""
    keys = list(dict.fromkeys(key for each in known for key in each))
    own = [_Varying(key, key) for key in keys if not key.startswith(CHOICE) and counts(key)]
    alone = [each for each in own if _differ(known, each.key)]
    # Where some groups do not tell what they chose, the settings do.
    choices = [
        _Varying(key, place)
        for key in keys
        if key.startswith(CHOICE)
        and all(key in each for each in known)
        and _differ(known, key)
        and (place := _place(key, [each.place for each in alone]))
    ]

    def within_choices(setting: _Varying) -> bool:
        covering = [choice.key for choice in choices if _inside(setting.place, choice.place)]
        alike: dict[Hashable, list[Mapping[str, str]]] = defaultdict(list)
        for each in known:
            alike[tuple(each[key] for key in covering)].append(each)
        return any(_differ(some, setting.key) for some in alike.values())

    rest = [setting for setting in alone if within_choices(setting)]
    rates = [setting for setting in rest if setting.key == FIRST]
    return [*rates, *choices, *(setting for setting in rest if setting.key != FIRST)]


def _differ(known: Sequence[Mapping[str, str]], key: str) -> bool:
    # What decays is no difference to those of which nothing does.
    return len({each.get(key) for each in known if key != DECAYED or key in each}) > 1


def _place(choice: str, settings: Sequence[str]) -> str | None:
    """Where in the config a choice stands, by the first of the settings that it may stand for."""
    group = choice.removeprefix(CHOICE)
    for setting in settings:
        before, found, _ = f".{setting}.".partition(f".{group}.")
        if found:
            return f"{before}.{group}".strip(".")
    return None


def _inside(setting: str, place: str) -> bool:
    return f"{setting}.".startswith(f"{place}.")


def _of_task(key: str) -> bool:
    return key.startswith("task.")


def of_model(key: str) -> bool:
    """Whether a setting says what is compared, rather than how it is trained, which validation
    chooses."""
    return key.startswith("model.") or key == PRECISION


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each key, or the whole key where two would be called the same."""
    last = {key: key.removesuffix("._target_").rsplit(".", 1)[-1] for key in keys}
    uses = Counter(last.values())
    return {key: SHORT.get(last[key], last[key]) if uses[last[key]] == 1 else key for key in keys}


def _short_value(key: str, value: str) -> str:
    return value.rsplit(".", 1)[-1] if key.endswith("_target_") else value


def _written(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value)
