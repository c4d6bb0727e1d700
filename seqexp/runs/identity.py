"""A run's identity: the hash of everything that determines its result, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from seqexp.runs.redaction import REDACTED

NOT_RESULT = (
    "study",
    "runs_dir",
    "data_dir",
    "logger",
    "hydra",
    "launcher",
    "progress",
    "labels",
    "rerun",
    "peak_memory",
    "inspect",
    "match",
)
"""Top-level keys of a config that do not determine what a run computes: where and how it is kept,
what is looked at, and what was matched, for the width that it led to stands in the model's own
config."""


RENAMED = {
    "seqexp.cells.LSTM": {"implementation": "kernel"},
    "seqexp.models.SequenceModel": {"remat": "chunk"},
}
"""By `_target_`, options that had another name once: they count under it, so that a record keeps
its identity."""


ONCE_ABSENT = {"trainer": {"precision": "float32"}, "optimizer": {"decayed": "all"}}
"""Options that earlier records lack, by their nodes: with these values they count as missing."""


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode

LEAVES = (str, int, float, type(None))
"""Plain data that holds no other; booleans are whole numbers."""


def identity(config: Mapping[str, Any], data_hashes: Mapping[str, str], device_kind: str) -> str:
    """The 16 hex digits that name a run.

        sha256(canonical({config less NOT_RESULT and nulls, data_hashes, device_kind}))[:16]

    A null key counts as a missing one, so that a new option that is null by default leaves the
    identities of earlier runs as they are.

    Args:
        config: the resolved config, of plain dicts, lists, strings, numbers, booleans and None.
        data_hashes: sha256 of every data file, by name.
        device_kind: what the run computes on, such as "cpu" or "NVIDIA H100".

    Raises:
        TypeError: the config holds something that is not plain data.

    Example:
        >>> one = identity({"seed": 0, "rate": 1e-3, "study": "a"}, {}, "cpu")
        >>> one == identity({"rate": 0.001, "seed": 0, "new": None, "study": "b"}, {}, "cpu")
        True
    """
    kept = {key: value for key, value in config.items() if key not in NOT_RESULT}
    return _hash(kept, data_hashes, device_kind)


def group_identity(
    config: Mapping[str, Any], data_hashes: Mapping[str, str], device_kind: str
) -> str:
    """The identity without the top-level `seed`: runs that differ only in their seed share it."""
    return identity(
        {key: value for key, value in config.items() if key != "seed"}, data_hashes, device_kind
    )


def identities(
    config: Mapping[str, Any], data_hashes: Mapping[str, str], device_kind: str
) -> Callable[[int], str]:
    """The `identity` of a config with any `seed`, each without reading the rest of it again.

    Example:
        >>> seven = identities({"rate": 1e-3}, {}, "cpu")(7)
        >>> seven == identity({"rate": 1e-3, "seed": 7}, {}, "cpu")
        True
    """
    kept = {key: value for key, value in config.items() if key not in (*NOT_RESULT, "seed")}
    whole = _plain(_hashed(kept, data_hashes, device_kind))
    return lambda seed: _digest({**whole, "config": {**whole["config"], "seed": _plain(seed)}})


class Recorded(NamedTuple):
    """The two identities of a record."""

    run: str
    group: str


def recorded_identity(config: Any, manifest: Mapping[str, Any]) -> Recorded | None:
    """The identities of a record by today's rule, which may not be the one that it was named by.

    Args:
        config: of the record, which may be damaged.
        manifest: the object in manifest.json.

    Returns:
        None where the record does not tell: it is damaged, or a part of its config was redacted.
    """
    if not tells_identity(config, manifest):
        return None
    of = config, manifest["data_hashes"], manifest["device_kind"]
    return Recorded(identity(*of), group_identity(*of))


def tells_identity(config: Any, manifest: Mapping[str, Any]) -> bool:
    """Whether a record tells its identities; see `recorded_identity`."""
    hashes, kind = manifest.get("data_hashes"), manifest.get("device_kind")
    if not (isinstance(config, Mapping) and isinstance(hashes, Mapping) and isinstance(kind, str)):
        return False
    return bool(config) and REDACTED not in canonical(config)


def canonical(value: Any) -> str:
    """The one JSON text of a value, whatever the order of its keys and the spelling of numbers.

    As in RFC 8785 (https://www.rfc-editor.org/rfc/rfc8785) keys are sorted and a number is its
    value: 1 and 1.0 are the same, as are 1e-3 and 0.001, so that `dropout=0` and `dropout=0.0` are
    one run; booleans, numbers and strings stay apart. Unlike there, integers of any size keep all
    their digits, and infinities and NaN are allowed, written as the bare words of Python's json.
    """
    return _encode(_plain(value))


def with_todays_names(config: Any) -> Any:
    """A recorded config, its options under the names that they have today."""
    return _renamed(config, {t: {old: new for new, old in n.items()} for t, n in RENAMED.items()})


def _renamed(node: Any, names: Mapping[str, Mapping[str, str]]) -> Any:
    if isinstance(node, LEAVES):
        return node
    if isinstance(node, list | tuple):
        return [_renamed(child, names) for child in node]
    if not isinstance(node, Mapping):
        return node
    target = node.get("_target_")
    own = names.get(target, {}) if isinstance(target, str) else {}
    return {own.get(key, key): _renamed(child, names) for key, child in node.items()}


def _hash(config: Mapping[str, Any], data_hashes: Mapping[str, str], device_kind: str) -> str:
    return _digest(_plain(_hashed(config, data_hashes, device_kind)))


def _digest(plain: Any) -> str:
    return hashlib.sha256(_encode(plain).encode("utf-8")).hexdigest()[:16]


def _hashed(
    config: Mapping[str, Any], data_hashes: Mapping[str, str], device_kind: str
) -> dict[str, Any]:
    """What an identity is the hash of."""
    return {
        "config": without_nulls(_renamed(without_absent(config), RENAMED)),
        "data_hashes": data_hashes,
        "device_kind": device_kind,
    }


def without_absent(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A config less the options that earlier records lack, where they change nothing."""
    kept = dict(config)
    for name, absent in ONCE_ABSENT.items():
        if isinstance(node := kept.get(name), Mapping):
            kept[name] = {
                key: v for key, v in node.items() if key not in absent or v != absent[key]
            }
    if isinstance(node := kept.get("optimizer"), Mapping) and node.get("weight_decay") == 0:
        # Nothing decays, whatever it would reach.
        kept["optimizer"] = {key: v for key, v in node.items() if key != "decayed"}
    return kept


def without_nulls(value: Any) -> Any:
    """Mappings less their null values, however deep; a null in a list keeps its place."""
    if isinstance(value, LEAVES):
        return value
    if isinstance(value, Mapping):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(child) for child in value]
    return value


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(value)
    if isinstance(value, Mapping):
        for key in value:
            # json would write 1 and "1" alike, and two configs would share an identity.
            if not isinstance(key, str):
                raise TypeError(f"a config key must be a string, not {key!r}")
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    raise TypeError(f"a config holds plain data only, not {type(value).__name__}: {value!r}")
