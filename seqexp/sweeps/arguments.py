"""Every argument that a config gives, checked against the signature that it is given to.

Python would take `no` for true and `true` for one step; so what a function asks for is read from
its own type hints, ours as anybody's, before anything is built.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, get_type_hints

from seqexp.sweeps.nearest import nearest_name, suggestion
from seqexp.sweeps.values import described, fit, says_none, shown
from seqexp.types import SeqexpError, reason

OF_HYDRA = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
MISSING = "???"
"""What a config says of a value that must be given."""


class Argument(NamedTuple):
    """What a signature says of an argument.

    Attributes:
        hint: its type; None if that can't be read.
        required: it has no default.
        default: if it has one.
    """

    hint: Any
    required: bool = True
    default: Any = inspect.Parameter.empty


class Signature(NamedTuple):
    """The arguments of a callable by name, and whether it takes others as well."""

    arguments: Mapping[str, Argument]
    open: bool = False


def fit_targets(node: Any, key: str, keys: Sequence[str]) -> Any:
    """A node of a config in which the arguments of all `_target_`s have their types.

    Args:
        node: plain data.
        key: where it stands in the config, dotted.
        keys: all that the config has, dotted, from which a misspelt one is guessed.

    Raises:
        SeqexpError: for a target that is not found, and an argument that is unknown, of another
            type, or required and not given.
    """
    if isinstance(node, list):
        return [fit_targets(child, f"{key}[{i}]", keys) for i, child in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    whole = {name: fit_targets(child, f"{key}.{name}", keys) for name, child in node.items()}
    if "_target_" not in node:
        return whole
    if not isinstance(node["_target_"], str):
        raise SeqexpError(f"{key}._target_ must be a dotted name, not {shown(node['_target_'])}")
    if not isinstance(whole.get("_partial_", False), bool):
        raise SeqexpError(f"{key}._partial_ must be true or false, not {shown(node['_partial_'])}")
    signature = signature_of(_located(whole["_target_"], f"{key}._target_"))
    if signature is None:
        return whole
    given = {name: value for name, value in whole.items() if name not in OF_HYDRA}
    # Whoever calls a partial one, or gives arguments by their places, gives the others.
    complete = not whole.get("_partial_") and "_args_" not in whole
    fitted = fit_node(given, signature, key, keys, complete, of=whole["_target_"])
    return {name: fitted.get(name, value) for name, value in whole.items()}


def explicit_nulls(node: Any, key: str = "") -> dict[str, str]:
    """The nulls of a config that are no default: where the key is missing another value is taken.

    An identity leaves out nulls, and would be that of a config without them.

    Returns:
        What to hash beside the config, by the dotted key.
    """
    if isinstance(node, list):
        parts = [explicit_nulls(child, f"{key}[{i}]") for i, child in enumerate(node)]
        return {name: said for part in parts for name, said in part.items()}
    if not isinstance(node, Mapping):
        return {}
    start = f"{key}." if key else ""
    found = {}
    for name, child in node.items():
        found |= explicit_nulls(child, f"{start}{name}")
    target = node.get("_target_")
    signature = signature_of(_located(target, f"{start}_target_")) if target else None
    arguments = signature.arguments if signature else {}
    for name, child in node.items():
        if child is None and name in arguments and arguments[name].default is not None:
            found[f"null {start}{name}"] = "given"
    return found


def fit_node(
    node: Mapping[str, Any],
    signature: Signature,
    key: str,
    keys: Iterable[str],
    complete: bool = True,
    of: str = "",
) -> dict[str, Any]:
    """The values of a node as the arguments that they are; see `fit_targets`.

    Args:
        node: arguments by name.
        signature: what takes them.
        key: the node's in the config, dotted; "" for the config itself.
        keys: all that the config has.
        complete: whether all required ones must be there.
        of: who asks for them, for messages.
    """
    start = f"{key}." if key else ""
    arguments = signature.arguments
    if not signature.open:
        for name in node.keys() - arguments.keys():
            there = [f"{start}{one}" for one in arguments]
            asked = f" ({of} takes no {name})" if of else ""
            raise SeqexpError(
                f"no key {start}{name}{asked}: {suggestion(f'{start}{name}', [*there, *keys])}"
            )
    if complete:
        for name, argument in arguments.items():
            if argument.required and name not in node:
                asked = f", which {of} needs" if of else ""
                raise SeqexpError(f"no {start}{name}{asked}: it must be {_asks(argument)}")
    return {
        name: _fitted(value, arguments[name], f"{start}{name}") if name in arguments else value
        for name, value in node.items()
    }


def _fitted(value: Any, argument: Argument, key: str) -> Any:
    if isinstance(value, str) and value == MISSING:
        raise SeqexpError(f"{key} must be given: it is {_asks(argument)}")
    if argument.hint is None or (
        type(value) is type(argument.default) and value == argument.default
    ):
        return value
    fits, made = fit(value, argument.hint)
    if says_none(value, argument.hint):
        raise SeqexpError(f"{key}={value} is text: for none write {key}=null")
    if not fits:
        raise SeqexpError(f"{key} must be {_asks(argument)}, not {shown(value)}")
    return made


def _asks(argument: Argument) -> str:
    return "a value" if argument.hint is None else described(argument.hint)


@functools.cache
def signature_of(function: Any) -> Signature | None:
    """The arguments of a class or function; None if Python can't tell."""
    first = 0
    if isinstance(function, type):
        # Not the class's own signature: a metaclass may hide the one of `__init__`.
        first = 1
        made = function.__init__ is object.__init__
        function = function.__new__ if made else function.__init__
        if function is object.__new__:
            return Signature({})
    try:
        parameters = list(inspect.signature(function).parameters.values())[first:]
    except (TypeError, ValueError):
        return None
    hints = _hints(function)
    return Signature(
        {
            one.name: Argument(hints.get(one.name), one.default is one.empty, one.default)
            for one in parameters
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        },
        open=any(one.kind is one.VAR_KEYWORD for one in parameters),
    )


def _hints(function: Any) -> dict[str, Any]:
    """The type hints that can be read; one that can't be leaves the others readable."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    names = getattr(function, "__globals__", {})
    hints = {}
    for name, hint in getattr(function, "__annotations__", {}).items():
        try:
            hints |= get_type_hints(SimpleNamespace(__annotations__={name: hint}), names)
        except Exception:  # Annotations are code of a user's own, and may do anything.
            continue
    return hints


@functools.cache
def _located(target: str, key: str) -> Any:
    """What a `_target_` names.

    Raises:
        SeqexpError: if there is no such thing, or importing it fails.
    """
    parts = target.split(".")
    try:
        found = importlib.import_module(parts[0])
        for n, part in enumerate(parts[1:], start=1):
            if not hasattr(found, part) and inspect.ismodule(found):
                importlib.import_module(".".join(parts[: n + 1]))
            found = getattr(found, part)
    except (ModuleNotFoundError, AttributeError) as error:
        raise SeqexpError(f"{key}={target}: {_not_found(parts, error)}") from error
    except Exception as error:
        raise SeqexpError(f"{key}={target}: {reason(error)}") from error
    if not callable(found):
        raise SeqexpError(f"{key}={target}: it is no class or function")
    return found


def _not_found(parts: Sequence[str], error: ModuleNotFoundError | AttributeError) -> str:
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    if name == parts[0]:
        return (
            f"there is no package {name}; one of your own must be installed, or lie in the "
            "directory where seqexp is called or beside the folder of --config-dir"
        )
    if name is not None and not ".".join(parts).startswith(name):
        return f"it imports {name}, which is not installed"
    for n in range(len(parts) - 1, 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:n]))
        except Exception:
            continue
        missing = parts[n]
        there = [one for one in dir(module) if not one.startswith("_")]
        return f"{module.__name__} has no {missing}{nearest_name(missing, there)}"
    return str(error)
