"""Whether a config's model or task is a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def has_own_code(config: Mapping[str, Any]) -> bool:
    """Whether a `_target_` of the model or the task lies outside of seqexp, at any depth."""
    return any(_foreign(config.get(part)) for part in ("model", "task"))


def _foreign(node: Any) -> bool:
    if isinstance(node, Mapping):
        target = node.get("_target_")
        if isinstance(target, str) and target.split(".")[0] != "seqexp":
            return True
        node = list(node.values())
    return isinstance(node, list) and any(map(_foreign, node))
