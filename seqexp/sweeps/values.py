"""Does a value of a config fit the type that a signature asks for?"""

from __future__ import annotations

import collections.abc
import json
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from seqexp.types import is_number

NULL_WORDS = ("none", "null")
"""What people write for null, and would be text."""


def fit(value: Any, hint: Any) -> tuple[bool, Any]:
    """Whether a value fits a type hint, and the value as it is from then on: 1e3 is 1000 to `int`.

    A type that no value of a config can be tested against is fitted by all.

    Args:
        value: plain data, or a node with a `_target_`, which may become anything.
        hint: as `typing.get_type_hints` gives it.
    """
    hint, origin = _bare(hint)
    if isinstance(value, Mapping) and "_target_" in value:
        return True, value
    if hint is None or hint is types.NoneType:
        return value is None, value
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in get_args(hint)), value
    if origin in (Union, types.UnionType):
        return _fit_one_of(value, _members(hint))
    kind = origin or hint
    if not isinstance(kind, type):
        return True, value
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if _is_built(kind):
        return False, value
    if _is_array(kind):
        return isinstance(value, list) or is_number(value), value
    if issubclass(kind, Mapping):
        return _fit_mapping(value, get_args(hint))
    if _is_sequence(kind):
        return _fit_sequence(value, kind, get_args(hint))
    return True, value


def says_none(value: Any, hint: Any) -> bool:
    """Whether null was meant: a text like "None" where the type allows null and no such word."""
    if not isinstance(value, str) or value.lower() not in NULL_WORDS:
        return False
    members = list(_members(hint))
    literals = [one for member in members for one in get_args(member) if isinstance(one, str)]
    return types.NoneType in members and value not in literals


def described(hint: Any) -> str:
    """What a type hint asks for, in words."""
    hint, origin = _bare(hint)
    if hint is None or hint is types.NoneType:
        return "null"
    if origin is Literal:
        ones = [one if isinstance(one, str) else shown(one) for one in get_args(hint)]
        return ones[0] if len(ones) == 1 else f"one of {', '.join(ones)}"
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(map(described, _members(hint))))
        return " or ".join(w for w in words if (w, "a number" in words) != (_WORDS[int], True))
    kind = origin or hint
    if isinstance(kind, type) and _is_built(kind):
        return "a choice from the menu, or a node with a _target_"
    if kind in _WORDS:
        return _WORDS[kind]
    if isinstance(kind, type) and _is_array(kind):
        return "a number"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return "names with values, like {a: 1}"
    if isinstance(kind, type) and _is_sequence(kind):
        inner = [one for one in get_args(hint) if one is not ...]
        return f"a list (each {described(inner[0])})" if len(set(inner)) == 1 else "a list"
    return str(getattr(kind, "__name__", kind))


def shown(value: Any) -> str:
    """A value as one would write it in a config, text in quotes."""
    return repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _bare(hint: Any) -> tuple[Any, Any]:
    """A hint and its origin, without what is only said about it."""
    while True:
        if get_origin(hint) in (typing.Annotated, typing.Final, typing.Required):
            hint = get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):  # NewType
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # `type X = ...` of Python 3.12
            hint = hint.__value__
        elif isinstance(hint, TypeVar):
            hint = hint.__bound__ or Any
        else:
            return hint, get_origin(hint)


def _members(hint: Any) -> Iterable[Any]:
    """The alternatives of a union, nested ones too; of another hint itself.

    What takes a complex number or an array is a number, true and false are none (`ArrayLike`).
    """
    hint, origin = _bare(hint)
    if origin not in (Union, types.UnionType):
        return [hint]
    members = [one for member in get_args(hint) for one in _members(member)]
    if complex in members:
        members = [one for one in members if getattr(one, "__name__", "") not in ("bool", "bool_")]
    return members


def _fit_one_of(value: Any, members: Iterable[Any]) -> tuple[bool, Any]:
    fits = [made for fitting, made in (fit(value, member) for member in members) if fitting]
    # What is of a type already stays as it is, whatever else it could become.
    same = [made for made in fits if type(made) is type(value)]
    return bool(fits), (same or fits or [value])[0]


def _fit_mapping(value: Any, inner: tuple[Any, ...]) -> tuple[bool, Any]:
    if not isinstance(value, Mapping):
        return False, value
    if len(inner) != 2:
        return True, value
    made = {name: fit(child, inner[1]) for name, child in value.items()}
    return all(ok for ok, _ in made.values()), {name: child for name, (_, child) in made.items()}


def _fit_sequence(value: Any, kind: type, inner: tuple[Any, ...]) -> tuple[bool, Any]:
    if not isinstance(value, list | tuple):
        return False, value
    if kind is tuple and inner and inner[-1] is not ...:
        if len(inner) != len(value):
            return False, value
        made = [fit(child, hint) for child, hint in zip(value, inner, strict=True)]
    else:
        made = [fit(child, inner[0] if inner else Any) for child in value]
    return all(ok for ok, _ in made), [child for _, child in made]


def _is_built(kind: type) -> bool:
    """Whether only a `_target_` makes one: a function, or a tuple of them as optax's."""
    return kind is collections.abc.Callable or hasattr(kind, "_fields")


def _is_array(kind: type) -> bool:
    """Arrays and their scalars, which only numbers become; not their types, which have names."""
    of_arrays = kind.__module__.split(".")[0] in ("jax", "jaxlib", "numpy")
    return of_arrays and "dtype" not in kind.__name__.lower()


def _is_sequence(kind: type) -> bool:
    return issubclass(kind, list | tuple | set | frozenset) or kind in (
        collections.abc.Sequence,
        collections.abc.Iterable,
        collections.abc.Collection,
        collections.abc.MutableSequence,
    )


def _fit_whole(value: Any) -> tuple[bool, Any]:
    if isinstance(value, float) and value.is_integer():
        return True, int(value)
    return type(value) is int, value


def _fit_text(value: Any) -> tuple[bool, Any]:
    # A year or a version is written without quotes; of other numbers one can't tell how.
    return (True, str(value)) if type(value) is int else (isinstance(value, str), value)


_SCALARS: dict[Any, Any] = {
    bool: lambda value: (isinstance(value, bool), value),
    int: _fit_whole,
    float: lambda value: (is_number(value), value),
    complex: lambda value: (is_number(value), value),
    str: _fit_text,
}
_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    complex: "a number",
    str: "text",
}
