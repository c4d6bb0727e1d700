"""The whole of a config in the types that it must have; the first mistake in it, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_type_hints

from seqexp.inspection.settings import Settings
from seqexp.matching.budgets import Budget
from seqexp.runs.wandb_mirror import Mirror
from seqexp.sweeps.arguments import Argument, Signature, fit_node, fit_targets, signature_of
from seqexp.sweeps.executors.settings import settings_class, settings_of
from seqexp.sweeps.nearest import suggestion
from seqexp.training import Experiment, Hyper, Optimizer
from seqexp.training.mesh import AUTO
from seqexp.types import SeqexpError

TRACED = {name: hint for name, hint in get_type_hints(Hyper).items() if name != "seed"}
"""The keys of `optimizer` that enter a group's program as values, as `seed` does."""

RERUN = Literal["never", "stale", "always"]


def _own(function: Any, leave_out: Iterable[str] = (), **others: Any) -> Signature:
    """A node whose values are arguments of ours, and of what beside them has a type."""
    signature = signature_of(function)
    assert signature is not None
    arguments = {k: v for k, v in signature.arguments.items() if k not in leave_out}
    return Signature({**arguments, **{name: Argument(hint) for name, hint in others.items()}})


NODES = {
    "trainer": _own(
        Experiment, ("model", "task", "optimizer"), batch_devices=int | Literal["auto"]
    ),
    "optimizer": _own(Optimizer, **TRACED),
    "logger": _own(Mirror),
    "match": _own(Budget),
    "inspect": _own(Settings),
}
assert AUTO == "auto"

_OPTIONAL = ("logger", "match", "inspect", "executor")

WHOLE = Signature(
    {
        "seed": Argument(int),
        "study": Argument(str),
        "runs_dir": Argument(str),
        "rerun": Argument(RERUN),
        "peak_memory": Argument(bool),
        **{name: Argument(Mapping) for name in ("model", "task", "optimizer", "trainer")},
        **{name: Argument(Mapping | None, False, None) for name in _OPTIONAL},
    }
)


def typed(
    config: Mapping[str, Any], unresolved: Any, choices: Mapping[str, str | None]
) -> dict[str, Any]:
    """A config in which everything has the type that it must have.

    Args:
        config: resolved, plain.
        unresolved: the same with its interpolations, for a key of a user's own that only they use.
        choices: the file chosen in each group of the menu.

    Raises:
        SeqexpError: for the first key that is unknown, missing or of another type.
    """
    keys = [key for key in dotted(config) if key.split(".")[0] in WHOLE.arguments]
    own, others = {}, {}
    for key, value in config.items():
        if key in WHOLE.arguments:
            own[key] = value
        elif _is_read(key, unresolved):
            others[key] = value
        elif key in choices:
            raise SeqexpError(_of_a_group(key, value, keys))
        else:
            key = next(iter(dotted({key: value})), key)
            raise SeqexpError(f"no key {key}: {suggestion(key, keys)}")
    for group in ("model", "task", "optimizer", "trainer"):
        if not isinstance(own.get(group), Mapping):
            raise SeqexpError(f"no {group} is chosen: {group}=NAME chooses one of the menu")
    return {"logger": None, **typed_nodes(own, keys), **others}


def typed_nodes(
    own: Mapping[str, Any], keys: Sequence[str], complete: bool = True
) -> dict[str, Any]:
    """The top-level keys of a config in the types that they must have: each by itself.

    Args:
        own: these keys, or some of them, with their values.
        keys: all that the config has, dotted.
        complete: whether none may be missing.

    Raises:
        SeqexpError: for the first value that is unknown, missing or of another type.
    """
    fitted = fit_node(own, WHOLE, "", keys, complete)
    for key, value in fitted.items():
        if key in NODES and value is not None:
            value = fit_node(value, NODES[key], key, keys)
        if key == "executor" and value is not None:
            value = fit_node(value, _own(settings_class(value), name=str), key, keys)
            settings_of(value)
        fitted[key] = fit_targets(value, key, keys)
    return fitted


def dotted(node: Mapping[str, Any], start: str = "") -> Iterator[str]:
    """The keys of a config, those of its nodes too, without what is Hydra's."""
    for name, value in node.items():
        if not str(name).startswith("_"):
            yield f"{start}{name}"
            if isinstance(value, Mapping):
                yield from dotted(value, f"{start}{name}.")


def _is_read(key: str, node: Any) -> bool:
    """Whether an interpolation anywhere in a config uses a top-level key."""
    if isinstance(node, Mapping):
        return any(_is_read(key, child) for child in node.values())
    if isinstance(node, list):
        return any(_is_read(key, child) for child in node)
    # Not behind a single dot: `${model.features}` reads no top-level `features`.
    written = rf"\$\{{[^}}]*(?<![\w.])(?:\.{{2,}})?{re.escape(key)}\b"
    return isinstance(node, str) and bool(re.search(written, node))


def _of_a_group(group: str, value: Any, keys: Iterable[str]) -> str:
    """What to say of a key that stands where a group's name does, and the group's keys don't."""
    inner = next(iter(dotted(value)), "") if isinstance(value, Mapping) else ""
    wrong = f"{group}.{inner}" if inner else group
    for key in keys:
        if key.endswith(f".{group}"):
            return f"no key {wrong}: did you mean {key}{wrong.removeprefix(group)}?"
    return f"no key {wrong}: first choose one of the menu with {group}=NAME"
