"""Who may import whom: the arrows of the design, over the import statements themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from seqexp.runs.manifest import TRAINED_BY

PACKAGE = Path(__file__).parents[1] / "seqexp"

ALLOWED = {
    "recurrences": {"types"},
    "cells": {"types", "recurrences"},
    "layers": {"types", "recurrences", "cells"},
    "models": {"types", "recurrences", "cells", "layers"},
    "data": {"types"},
    "tasks": {"types", "data"},
    "training": {"types"},
    "laws": {"types", "data", "training", "inspection"},
    "costs": {"types", "training"},
    "matching": {"types", "training", "costs"},
    "inspection": {"types", "data", "recurrences", "cells", "layers", "models", "training"},
    # From records alone, in the style of the report's figures.
    "inspection/figures": {"types", "runs", "analysis", "inspection"},
    "runs": {"types"},
    "watch": {"runs"},
    # Of runs only what defines the records: which settings make an identity.
    "analysis": {"types", "runs"},
    "sweeps": {"types", "data", "training", "laws", "costs", "matching", "inspection", "runs"},
    "commands": None,
}
# Errors, quick compilation, cores and kinds of parameters, which all may import, the ground floor,
# and files beside it: `seqexp.load`, `seqexp.load_run` and `python -m seqexp`.
ENTRANCES = {
    "errors": set(),
    "compiling": set(),
    "cores": set(),
    "parameters": set(),
    "types": {"errors"},
    "__init__": {"analysis", "sweeps"},
    "__main__": {"commands"},
}
LIBRARIES = {
    "hydra": {"commands", "sweeps"},
    "wandb": {"runs"},
    "matplotlib": {"analysis", "inspection/figures"},
    "plotly": {"analysis"},
    "requests": {"data"},
    "rich": {"data", "sweeps", "commands"},
    "submitit": {"sweeps"},
    "ray": {"sweeps"},
}


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(path: Path) -> str:
    """The part of the package that a file belongs to: its folder, or one in it that is named."""
    parts = path.relative_to(PACKAGE).parts
    inner = "/".join(parts[:2])
    return inner if inner in ALLOWED else parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    part = part_of(path)
    names = imports(path)
    ours = {n.split(".")[1] for n in names if n.startswith("seqexp.") and n.count(".")}
    if part in ENTRANCES:
        assert ours <= ENTRANCES[part]
    elif ALLOWED[part] is not None:
        assert ours <= ALLOWED[part] | {part, "errors", "compiling", "cores", "parameters"}
    for library, where in LIBRARIES.items():
        if any(n == library or n.startswith(f"{library}.") for n in names):
            assert part in where, f"{library} belongs in {where}"


def test_every_folder_has_its_place():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__", "conf"}
    assert folders == {part.split("/")[0] for part in ALLOWED}


WATCH_OR_KEEP = {
    "laws",
    "costs",
    "matching",
    "inspection",
    "runs",
    "watch",
    "sweeps",
    "analysis",
    "commands",
    "__init__.py",
    "__main__.py",
}
"""What takes no part in what training computes; a new part must choose a side."""


def test_the_source_hash_covers_all_that_training_imports():
    """Everything reachable from training, or from a class that the menu names."""
    covered = {part.removesuffix(".py") for part in TRAINED_BY}
    for path in FILES:
        if path.relative_to(PACKAGE).parts[0].removesuffix(".py") in covered:
            names = {n.split(".")[1] for n in imports(path) if n.startswith("seqexp.")}
            assert names <= covered, path
    menu = "".join(path.read_text() for path in (PACKAGE.parent / "conf").rglob("*.yaml"))
    assert set(re.findall(r"_target_: seqexp\.(\w+)", menu)) <= covered
    parts = {path.relative_to(PACKAGE).parts[0] for path in FILES}
    assert parts == {*TRAINED_BY, *WATCH_OR_KEEP}


def test_plugins_of_hydra_import_nothing_heavy():
    names = set[str]().union(*map(imports, (PACKAGE.parent / "hydra_plugins").rglob("*.py")))
    assert names and not any(n.split(".")[0] in ("jax", "wandb", "seqexp") for n in names)


def test_files_stay_short():
    """The ground floor may be longer: whoever writes a layer or a task reads it as a whole."""
    most = {PACKAGE / "types.py": 620}
    lines = {path: path.read_text().count("\n") for path in FILES}
    long = {str(path): n for path, n in lines.items() if n > most.get(path, 350)}
    assert not long, f"does each still hold one idea? {long}"
