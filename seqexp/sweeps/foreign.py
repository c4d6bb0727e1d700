"""Code of a user's own that a config names: it determines a result as much as a data file does."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.machinery
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from seqexp.types import SeqexpError

DEPENDENCIES = frozenset(
    {"seqexp", "flax", "hydra", "jax", "jaxlib", "numpy", "omegaconf", "optax", "scipy", "sklearn"}
)
"""Packages whose code is no user's: the manifest has their versions, and our own source's hash."""

GETTERS = "hydra.utils.get_"
"""`_target_: hydra.utils.get_method` and its kin name code by their `path`."""

_SUFFIXES = tuple(importlib.machinery.SOURCE_SUFFIXES + importlib.machinery.EXTENSION_SUFFIXES)


class Foreign(NamedTuple):
    """The code that a config names beside ours.

    Attributes:
        hashes: sha256 of each package as a whole, by "code of PACKAGE".
        versions: of the installed distributions among the packages and what they import.
    """

    hashes: dict[str, str]
    versions: dict[str, str]


def foreign_code(config: Any) -> Foreign:
    """The code that the `_target_`s of a config come from, as it is on the disk.

    Of each target that is the whole package, or the single module, wherever it lies, and what of
    the user's own it imports; of what it imports from installed packages, their versions. Imports
    are read in the source: one that a program makes up as it runs is not seen.

    Args:
        config: plain.

    Raises:
        SeqexpError: the code of a target can't be read from files.
    """
    hashes: dict[str, str] = {}
    versions: dict[str, str] = {}
    left = [_located(target) for target in sorted(set(_targets(config))) if not _known(target)]
    while left:
        name, files = left.pop()
        entry = f"code of {name}"
        if entry in hashes:
            continue
        if not files:
            raise SeqexpError(
                f"the code of {name} can't be read, so a change of it would go unnoticed: put it "
                "into a module, a file that Python can import"
            )
        hashes[entry] = _hash(files)
        versions |= _versions(name)
        for imported in _imports(files.values()):
            if _known(imported):
                continue
            package, found = _located(imported)
            if any(map(_is_installed, found.values())):
                versions |= _versions(package)
            elif found:
                left.append((package, found))
    return Foreign(dict(sorted(hashes.items())), dict(sorted(versions.items())))


def has_own_code(config: Mapping[str, Any]) -> bool:
    """Whether the model or the task of a config is made by code of a user's own, at any depth."""
    targets = _targets([config.get("model"), config.get("task")])
    return not all(map(_known, targets))


def _known(path: str) -> bool:
    top = path.partition(".")[0]
    return top in DEPENDENCIES or (top in sys.stdlib_module_names and top != "__main__")


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        target = node.get("_target_")
        if isinstance(target, str):
            yield target
            if target.startswith(GETTERS) and isinstance(node.get("path"), str):
                yield node["path"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _targets(child)


def _located(path: str) -> tuple[str, dict[str, Path]]:
    """The package or module that a dotted path begins with, and its files by their names in it.

    Of an installed namespace, which many may share, it is the first package inside.
    """
    parts = path.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):  # ValueError: __main__, or a module made by hand.
            spec = None
        folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
        origin = spec.origin if spec else getattr(sys.modules.get(name), "__file__", None)
        if not folders:
            file = Path(origin or "")
            return name, {file.name: file} if file.is_file() else {}
        if origin is not None or not any(map(_is_installed, folders)):
            files = [(file, folder) for folder in folders for file in folder.rglob("*")]
            return name, {
                file.relative_to(folder).as_posix(): file
                for file, folder in files
                if file.name.endswith(_SUFFIXES) and file.is_file()
            }
    return path, {}


def _is_installed(path: Path) -> bool:
    if not {"site-packages", "dist-packages"}.isdisjoint(path.parts):
        return True  # A user's own site too, and that of the system.
    return any(path.is_relative_to(sysconfig.get_path(kind)) for kind in ("purelib", "platlib"))


def _hash(files: dict[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        content = file.read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _imports(files: Iterable[Path]) -> set[str]:
    """What Python files import from other packages, by the dotted names that they say."""
    found: set[str] = set()
    for file in files:
        if file.suffix != ".py":
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            continue  # A template, say; what is imported of it would have failed before.
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return found


def _versions(module: str) -> dict[str, str]:
    """The version of what a module was installed from, by the name of the distribution, if any."""
    top = module.partition(".")[0]
    return {name: metadata.version(name) for name in _distributions().get(top, ())}


@functools.cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return {top: sorted(set(names)) for top, names in metadata.packages_distributions().items()}
