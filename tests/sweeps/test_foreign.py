"""A user's own code is a part of a run's identity, wherever it lies and however it is named."""

from __future__ import annotations

import importlib
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from seqexp.runs.manifest import PACKAGES
from seqexp.sweeps import foreign
from seqexp.sweeps.foreign import DEPENDENCIES, foreign_code, has_own_code
from seqexp.sweeps.groups import plan
from seqexp.types import SeqexpError
from tests.test_configs import MENU, point

CELLS = """
import beside
from mine.helpers import gain
from seqexp.cells import GRU

class Cell(GRU):
    @classmethod
    def small(cls, *sizes, **options):
        return cls(*sizes, **options)
"""


@pytest.fixture
def own(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder to import from: a package whose cells import from it and from beside it."""
    write(tmp_path / "mine" / "__init__.py", "")
    write(tmp_path / "mine" / "cells.py", CELLS)
    write(tmp_path / "mine" / "helpers.py", "gain = 1\n")
    write(tmp_path / "beside.py", "import os.path\n")
    write(tmp_path / "unrelated.py", "")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] in ("mine", "beside")]:
        del sys.modules[name]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    importlib.invalidate_caches()


def hashes(target: str = "mine.cells.Cell") -> dict[str, str]:
    return foreign_code({"model": {"cell": [{"_target_": target}]}}).hashes


def test_the_whole_package_and_what_it_imports(own):
    first = hashes()
    assert set(first) == {"code of mine", "code of beside"}
    write(own / "unrelated.py", "changed = True\n")
    assert hashes() == first
    seen = [first]
    for changed in ("mine/helpers.py", "mine/cells.py", "mine/deep/new.py", "beside.py"):
        write(own / changed, "import beside\n" + "changed = True\n")
        assert hashes() not in seen, changed
        seen.append(hashes())


@pytest.mark.parametrize(
    "target", ["mine.cells.Cell.small", "mine.cells.make", "mine.Cell", "mine.cells.Cell"]
)
def test_any_factory(own, target):
    assert set(hashes(target)) == {"code of mine", "code of beside"}


def test_a_helper_that_changed_makes_another_run(own):
    one = point("task=adding", "task.length=6", "model=gru", "model.features=3")
    cell = {**one.config["model"]["cell"], "_target_": "mine.cells.Cell.small"}
    one = replace(one, config={**one.config, "model": {**one.config["model"], "cell": cell}})
    (first,) = plan([one])[1]
    assert plan([one])[1] == [first]
    write(own / "mine" / "helpers.py", "gain = 2\n")
    assert plan([one])[1] != [first]


def test_what_hydra_gets_by_its_path(own):
    getter = {"_target_": "hydra.utils.get_method", "path": "mine.cells.Cell.small"}
    assert set(foreign_code({"cell": getter}).hashes) == {"code of mine", "code of beside"}


def test_the_same_wherever_it_lies(own, tmp_path_factory, monkeypatch):
    first = hashes()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("mine", "beside.py"):
        (own / name).rename(elsewhere / name)
    monkeypatch.syspath_prepend(str(elsewhere))
    importlib.invalidate_caches()
    assert hashes() == first
    assert not re.search(r"[/\\]", "".join(first))


def test_a_folder_without_init_and_a_single_module(own):
    (own / "mine" / "__init__.py").unlink()
    importlib.invalidate_caches()
    first = hashes()
    assert set(first) == {"code of mine", "code of beside"}
    write(own / "mine" / "helpers.py", "gain = 2\n")
    assert hashes() != first
    assert set(hashes("unrelated.Cell")) == {"code of unrelated"}


def test_an_installed_package_is_hashed_with_its_version(own, monkeypatch):
    """As if the folder were site-packages: what it imports there is known by its version."""
    monkeypatch.setattr(foreign.sysconfig, "get_path", lambda kind: str(own))
    monkeypatch.setattr(
        foreign, "_distributions", lambda: {"mine": ["mine-cells"], "beside": ["b"]}
    )
    monkeypatch.setattr(metadata, "version", lambda name: f"{name} 1")
    found = foreign_code({"_target_": "mine.cells.Cell"})
    assert set(found.hashes) == {"code of mine"}
    assert found.versions == {"b": "b 1", "mine-cells": "mine-cells 1"}
    write(own / "mine" / "helpers.py", "gain = 2\n")
    assert foreign_code({"_target_": "mine.cells.Cell"}).hashes != found.hashes


def test_of_an_installed_namespace_only_the_package_inside(own, monkeypatch):
    write(own / "shared" / "ours" / "__init__.py", "")
    write(own / "shared" / "theirs" / "__init__.py", "")
    monkeypatch.setattr(foreign.sysconfig, "get_path", lambda kind: str(own))
    assert set(hashes("shared.ours.Cell")) == {"code of shared.ours"}


def test_code_that_no_file_holds_is_refused(own, monkeypatch):
    monkeypatch.setitem(sys.modules, "typed", types.ModuleType("typed"))
    with pytest.raises(SeqexpError, match="the code of typed can't be read"):
        hashes("typed.Cell")


def test_the_laws_are_tried_on_a_model_or_task_of_ones_own():
    model = {"_target_": "seqexp.models.SequenceModel", "cell": {"_target_": "seqexp.cells.GRU"}}
    assert not has_own_code({"model": model, "task": None, "optimizer": {"_target_": "mine.f"}})
    getter = {"_target_": "hydra.utils.get_method", "path": "mine.cells.make"}
    assert has_own_code({"model": {**model, "cell": getter}, "task": None})
    assert has_own_code({"model": model, "task": {"_target_": "mine.Task"}})


def test_the_menu_names_only_what_the_manifest_tells():
    menu = "".join(path.read_text() for path in MENU.rglob("*.yaml"))
    targets = re.findall(r"_target_: (\S+)", menu)
    assert {target.split(".")[0] for target in targets} <= DEPENDENCIES
    assert foreign_code([{"_target_": target} for target in targets]) == ({}, {})
    told = {name for d in PACKAGES for name in tops(d)} | {"seqexp"}
    assert told >= DEPENDENCIES


def tops(distribution: str) -> set[str]:
    return {top for top, names in foreign._distributions().items() if distribution in names}
