"""Points made of one that was composed, by setting plain values that nothing else in it reads."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from seqexp.sweeps.point import Point
from seqexp.sweeps.typed_config import dotted, typed_nodes
from seqexp.types import SeqexpError

SCALARS = ("seed", "study", "runs_dir", "rerun", "peak_memory")
"""Top-level keys that are plain values."""

NODES = ("model", "task", "optimizer", "trainer", "logger", "match", "inspect")
"""Top-level keys in which plain values stand, and whose types depend on nothing outside them."""

LAYERS = ("layers", "encoder_layers")
"""Keys of `model` whose values are read when a config is composed."""

INTERPOLATION = re.compile(r"\$\{([^${}]*)\}")
OF_ENVIRONMENT = re.compile(r"\s*oc\.env\s*:")
WORD = re.compile(r"\w+")

Value = str | int | float | bool | None


class Derivation:
    """What makes points of one that was composed: only where composing them gives the same.

    Where a value is read by an interpolation, or may be, where a mistake is found, or where
    anything else is out of the common, there is no such point, and it is to be composed.

    Args:
        point: that was composed.
        config: of which it is, not resolved.
        configs: others that it was made from, whose interpolations count as well.
    """

    def __init__(self, point: Point, config: DictConfig, *configs: DictConfig) -> None:
        self._point = point
        self._unresolved = _plain(config, resolve=False)
        self._plain = _plain(config, resolve=True)
        self._keys = list(dotted(self._plain))
        texts = [_plain(each, resolve=False) for each in configs]
        self._read = _words_read([self._unresolved, *texts])
        self._settable: dict[str, bool] = {}
        self._own: dict[str, Value] = {}
        self._nodes: dict[Hashable, Any] = {}

    def point(self, values: Mapping[str, Value]) -> Point | None:
        """The point with other values; None where it is to be composed.

        Args:
            values: by their dotted keys, all of which the config has.
        """
        nodes: dict[str, dict[str, Value]] = {}
        for key, value in values.items():
            if not self._may_set(key) or not _is_plain(value):
                return None
            nodes.setdefault(key.partition(".")[0], {})[key] = value
        try:
            changed = {name: self._node(name, own) for name, own in nodes.items()}
        except SeqexpError:
            return None  # Composed, its first mistake is told.
        return replace(self._point, config={**self._point.config, **changed})

    def _may_set(self, key: str) -> bool:
        if key not in self._settable:
            self._settable[key] = self._is_settable(key)
        return self._settable[key]

    def _is_settable(self, key: str) -> bool:
        """Whether a plain value stands there, and nothing else in the config depends on it."""
        if self._read is None or self._read & set(WORD.findall(key)):
            return False
        first, *inner = key.split(".")
        if first not in (NODES if inner else SCALARS) or (first == "model" and inner[0] in LAYERS):
            return False
        node: Any = self._unresolved
        for name in (first, *inner):
            if not isinstance(node, dict) or name not in node:
                return False
            node = node[name]
        self._own[key] = node
        return _is_plain(node)

    def _node(self, name: str, values: Mapping[str, Value]) -> Any:
        """A top-level key with values set in it: one object for all points that agree in them."""
        # As texts: 1, 1.0 and true are equal in Python, and no two of them the same config.
        known = (name, *((key, repr(value)) for key, value in values.items()))
        if known not in self._nodes and all(
            repr(self._own[key]) == repr(value) for key, value in values.items()
        ):
            self._nodes[known] = self._point.config[name]
        if known not in self._nodes:
            node = self._plain[name]
            for key, value in values.items():
                node = _with(node, key.split(".")[1:], value)
            self._nodes[known] = typed_nodes({name: node}, self._keys, complete=False)[name]
        return self._nodes[known]


def _plain(config: DictConfig, resolve: bool) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=resolve))


def _with(node: Any, names: list[str], value: Value) -> Any:
    """A node in which a value is set; the given one stays as it is."""
    if not names:
        return value
    first, *others = names
    return {**node, first: _with(node[first], others, value)}


def _is_plain(value: Any) -> bool:
    """Whether a value is no node, and stands for itself."""
    if isinstance(value, str):
        return "${" not in value and value != "???"
    return value is None or isinstance(value, bool | int | float)


def _words_read(nodes: Any) -> set[str] | None:
    """The words of all interpolations in nodes; None where one may read anything."""
    found: set[str] = set()
    for text in _texts(nodes):
        left = INTERPOLATION.sub("", text)
        if "${" in left:
            return None  # One within another.
        for inner in INTERPOLATION.findall(text):
            if OF_ENVIRONMENT.match(inner):
                continue
            words = set(WORD.findall(inner))
            if ":" in inner or not words:
                return None
            found |= words
    return found


def _texts(node: Any) -> Iterator[str]:
    """The texts in plain data."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _texts(child)
