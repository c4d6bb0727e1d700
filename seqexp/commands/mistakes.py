"""What Hydra says of a mistaken override or file, in one line that says what to do.

Hydra's own advice is to append an unknown key with `+`, where nothing would read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seqexp.types import SeqexpError, first_line

FEW = 3
"""So many files are named of those that have a key."""


def in_one_line(
    error: Exception, config_name: str, lines: Sequence[str], loader: ConfigLoader
) -> SeqexpError:
    """The error of a composition.

    Args:
        error: Hydra's.
        config_name: the file that composition starts from.
        lines: the overrides.
        loader: knows the menu.
    """
    text = str(error)
    if isinstance(error, MissingConfigException):
        return SeqexpError(_no_such_file(error))
    if found := re.match(r"Could not override '([^']+)'", text):
        inner = str(getattr(error.__cause__, "full_key", ""))  # of a mapping the key in it
        wrong = inner if inner.startswith(f"{found[1]}.") else found[1]
        return SeqexpError(_no_such_key(wrong, config_name, lines, loader))
    if found := re.match(r"Could not delete from config\. '([^']+)' does not exist", text):
        wrong = _no_such_key(found[1], config_name, lines, loader)
        return SeqexpError(f"~{found[1]} removes nothing: {wrong}")
    if found := re.match(r"Could not delete '([^']+)'", text):
        return SeqexpError(f"~{found[1]} removes nothing: it is not chosen")
    if found := re.match(r"Could not append to config\. An item is already at '([^']+)'", text):
        return SeqexpError(f"{found[1]} is there already: write it without +")
    if found := re.match(r"Multiple values for ([\w/]+)\.", text):
        return SeqexpError(f"{found[1]} is chosen already: write {found[1]}=NAME, without +")
    if re.match(r"Config group override must be a string|Unsupported item value in defaults", text):
        return SeqexpError(
            "a choice of the menu is a boolean where a name must stand: write inspect=off, and in "
            'a file inspect: "off", for YAML reads a bare off as false'
        )
    return SeqexpError(plain(error))


def plain(error: Exception) -> str:
    """An error in one line, without Hydra's advice to append."""
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {first_line(error)}"
    lines = [line.strip() for line in str(error).splitlines()]
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        lines.append(plain(cause))
    return " ".join(line for line in lines if line and not line.startswith("To append to your"))


def choices(loader: ConfigLoader, group: str) -> list[str]:
    """The files of a group that are meant to be chosen; others are what these are made of."""
    names = loader.get_group_options(group, ObjectType.CONFIG)
    return [name for name in names if not name.startswith("_")]


def groups(loader: ConfigLoader) -> list[str]:
    """The groups of the menu."""
    names = loader.list_groups("")
    return [name for name in names if name != "hydra" and not name.startswith("_")]


def _no_such_file(error: MissingConfigException) -> str:
    from seqexp.sweeps.nearest import nearest_name

    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    names = [option for option in error.options or () if not option.startswith("_")]
    within = re.match(r"In '([^']+)'", str(error))
    place = f" (in {within[1]}.yaml)" if within and "/" in within[1] else ""
    if not group:
        return f"there is no config file {name}.yaml{place}"
    there = f"; there are {', '.join(names)}" if names else ""
    return f"{group}={name}{place}: no such {group}{nearest_name(name, names)}{there}"


def _no_such_key(key: str, name: str, lines: Sequence[str], loader: ConfigLoader) -> str:
    from seqexp.sweeps.nearest import suggestion
    from seqexp.sweeps.typed_config import dotted

    menu, chosen_of = groups(loader), set[str]()
    first = key.partition(".")[0].partition("@")[0]
    known: list[str] = []
    # What is chosen decides which keys there are; if that is mistaken as well, the menu's default.
    for chosen in ([line for line in lines if "." not in line.partition("=")[0]], []):
        with suppress(HydraException, ValueError):
            lines_left = [one for one in chosen if one.partition("=")[0] != key]
            config = compose(name, lines_left, return_hydra_config=True)
            chosen_of = set(config.hydra.runtime.choices)
            own = OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"])
            known = list(dotted(OmegaConf.to_container(own, resolve=False)))  # type: ignore
            break
    if key in menu and key not in chosen_of:
        files = ",".join(choices(loader, key))
        return (
            f"no key {key}: files of {key}/ are named by others: model=stack model.{key}s=[{files}]"
        )
    if first in menu and first not in known and "." in key:
        if inner := [one for one in known if one.endswith(f".{first}")]:
            return f"no key {key}: did you mean {inner[0]}{key.removeprefix(first)}?"
        return f"no key {key}: first choose one of {first}={', '.join(choices(loader, first))}"
    if first in known and (files := _having(key, loader)):
        return (
            f"no key {key}: choose {' or '.join(f'{first}={file}' for file in files)}, which has it"
        )
    others = [one for one in menu if one in chosen_of and one not in known]
    return f"no key {key}: {suggestion(key, [*known, *others])}"


def _having(key: str, loader: ConfigLoader) -> list[str]:
    """The files of a key's group, few of many, in which that key itself stands."""
    from seqexp.sweeps.typed_config import dotted

    group, _, inner = key.partition(".")
    menu: Any = loader
    found = []
    for name in choices(loader, group) if inner else ():
        file = menu.repository.load_config(config_path=f"{group}/{name}").config
        whole: Any = OmegaConf.to_container(file, resolve=False)
        if inner in dotted(whole):
            found.append(name)
    return found[:FEW]
