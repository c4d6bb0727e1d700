"""Code of a user's own that a config names: it determines a result as much as a data file does."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def foreign_code(config: Any) -> dict[str, str]:
    """sha256 of each source file, outside of installed packages, that a `_target_` lies in.

    seqexp's own code is in the manifest, and installed packages are there by version.
    """
    hashes = {}
    for target in sorted(set(_targets(config))):
        module = target.rsplit(".", 1)[0]
        if module.split(".")[0] == "seqexp":
            continue
        source = inspect.getsourcefile(importlib.import_module(module))
        if source and "site-packages" not in source:
            hashes[f"code of {module}"] = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    return hashes


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("_target_"), str):
            yield node["_target_"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _targets(child)
