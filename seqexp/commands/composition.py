"""From overrides to the configs of all points, composed by Hydra.

Each point is composed with all that is asked of it. Hydra's own multirun first composes what is not
swept, and so refuses an option of a choice that is. Points that differ in plain values alone are
composed once, for Hydra takes a quarter of a second each time, and resolved once where nothing else
reads these values, for OmegaConf takes some milliseconds.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seqexp.commands.configs import config_folder
from seqexp.commands.layer_files import with_layers
from seqexp.commands.mistakes import choices, in_one_line
from seqexp.commands.overrides import Asked, import_from
from seqexp.types import SeqexpError

if TYPE_CHECKING:
    from seqexp.sweeps import Point

OWN = "seqexp"
"""The name of our launcher and of our sweeper in Hydra's groups."""


class Composed(NamedTuple):
    """The config of a point; several points may share one, and differ in plain values.

    Attributes:
        own: without Hydra's node.
        whole: with it.
        values: of the point, by their keys, where they are not those of the config; no mappings and
            no lists.
    """

    own: DictConfig
    whole: DictConfig
    values: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def of(cls, whole: DictConfig) -> Composed:
        """The config of a point, with Hydra's node."""
        return cls(OmegaConf.masked_copy(whole, [str(k) for k in whole if k != "hydra"]), whole)

    def config(self) -> DictConfig:
        """The config with the point's values in it."""
        if not self.values:
            return self.own
        config = copy.deepcopy(self.own)
        for key, value in self.values.items():
            OmegaConf.update(config, key, value, merge=True)
        return config


def points_of(asked: Asked) -> list[Point]:
    """The points that overrides describe, in the order in which Hydra would try them.

    Raises:
        SeqexpError: for whatever is wrong with an override or a file, in one line.
    """
    return points_in(configs_of(asked, anyhow=True) or ())


def points_in(configs: Sequence[Composed]) -> list[Point]:
    """The points of configs."""
    from seqexp.sweeps.derived_points import Derivation

    points, known = [], None
    bases: dict[int, tuple[Point, DictConfig, DictConfig]] = {}
    derivations: dict[int, Derivation] = {}
    for config in configs:
        base, point = id(config.own), None
        if config.values and base in bases:
            if base not in derivations:
                derivations[base] = Derivation(*bases[base])
            point = derivations[base].point(config.values)
        if point is None:
            if config.whole is not known:
                # What a config asks of Hydra itself, `${hydra:...}`, is read from here.
                HydraConfig.instance().set_config(config.whole)
                known = config.whole
            point, layered = _point(config)
            if not config.values:
                bases[base] = point, layered, config.own
        points.append(point)
    return points


def _point(config: Composed) -> tuple[Point, DictConfig]:
    """A point, and its config as it was resolved, its layers in the place of their names."""
    from seqexp.sweeps import Point

    layered = with_layers(config.config(), config.whole.hydra.runtime)
    return Point.of(*layered), layered.config


def configs_of(asked: Asked, anyhow: bool = False) -> list[Composed] | None:
    """The configs of all points.

    Args:
        asked: by a command line.
        anyhow: also where another launcher or sweeper is chosen, for which it is else None.
    """
    import_from(asked.config_dir)
    with _menu(asked) as loader:
        chosen = [each for each in asked.overrides if not _is_inner(each)]
        fixed = [each for each in chosen if not each.is_sweep_override()]
        master = _compose(asked.config_name, _spelled(fixed, loader), loader)
        plugins = [master.hydra.runtime.choices.get(f"hydra/{p}") for p in ("launcher", "sweeper")]
        if plugins != [OWN, OWN] and not anyhow:
            return None
        grid = [f"{key}={value}" for key, value in (master.hydra.sweeper.params or {}).items()]
        values: dict[str, list[Override]] = {}
        parser = OverridesParser.create(config_loader=loader)
        # What was parsed without the menu is parsed again with it, which `glob(*)` asks.
        lines = [*grid, *(str(each.input_line) for each in asked.overrides)]
        for each in parser.parse_overrides(lines):
            values[each.get_key_element()] = parser.parse_overrides(list(_values(each)))
        plain = _plain(values, loader)
        composed: dict[tuple[str, ...], Composed] = {}
        found = []
        for one in itertools.product(*values.values()):
            others = [each for each in one if each.key_or_group not in plain]
            key = tuple(str(each.input_line) for each in others)
            if key not in composed:
                whole = _compose(asked.config_name, _spelled(one, loader), loader)
                found.append(Composed.of(whole))
                if not _asks_hydra(found[-1].own):
                    composed[key] = found[-1]
                continue
            own = {each.key_or_group: each.value() for each in one if each.key_or_group in plain}
            found.append(composed[key]._replace(values=own))
        return found


def _plain(values: Mapping[str, Sequence[Override]], loader: ConfigLoader) -> set[str]:
    """The keys that are given values one after another, and that nothing else has to do with.

    Hydra sets values after all choices are made, so that these may stand above.
    """

    def chooses(override: Override) -> bool:
        return bool(loader.get_group_options(override.key_or_group, ObjectType.CONFIG))

    settings = {key: overrides for key, overrides in values.items() if not chooses(overrides[0])}
    return {
        key
        for key, overrides in settings.items()
        if len(overrides) > 1
        and key == overrides[0].key_or_group
        and not key.startswith("hydra")
        # A mapping would be merged into the one before.
        and not any(isinstance(each.value(), dict | list) for each in overrides)
        and not any(_related(key, other) for other in settings if other != key)
    }


def _related(key: str, other: str) -> bool:
    """Whether one of two keys, as they are written in overrides, may be within the other."""
    key, other = (f"{each.strip('+~').replace('/', '.')}." for each in (key, other))
    return key.startswith(other) or other.startswith(key)


def _asks_hydra(config: DictConfig) -> bool:
    """Whether an interpolation reads Hydra's node, which holds the overrides of each point."""
    return "hydra" in OmegaConf.to_yaml(config)


def spelled(asked: Asked) -> list[str]:
    """The overrides as Hydra takes them, for its own command line."""
    with _menu(asked) as loader:
        return _spelled(asked.overrides, loader)


@contextmanager
def _menu(asked: Asked) -> Iterator[ConfigLoader]:
    """Hydra with our files, before them the user's own, which win."""
    with initialize_config_dir(str(config_folder()), version_base="1.3", job_name=OWN):
        loader: Any = GlobalHydra.instance().config_loader()
        if asked.config_dir is not None:
            path = loader.get_search_path()
            path.prepend("--config-dir", f"file://{asked.config_dir}", "main")
            loader.repository.initialize_sources(path)
        yield loader


def _is_inner(override: Override) -> bool:
    """Whether it sets something within what a choice may bring."""
    return "." in override.key_or_group and not override.is_hydra_override()


def _values(override: Override) -> Iterator[str]:
    """The override for each value that is tried."""
    if not override.is_sweep_override():
        yield str(override.input_line)
        return
    if not override.is_discrete_sweep():
        raise SeqexpError(
            f"{override.input_line}: only values that can be listed are tried: A,B or range(0,3)"
        )
    for value in override.sweep_string_iterator():
        if isinstance(override._value, Glob) and value.startswith("_"):
            continue
        yield f"{override.get_key_element()}={value}"


def _spelled(overrides: Sequence[Override], loader: ConfigLoader) -> list[str]:
    """Overrides as Hydra takes them: to choose null of a group is to remove it."""
    lines = []
    for each in overrides:
        group = each.key_or_group
        if loader.get_group_options(group, ObjectType.CONFIG) and not each.is_delete():
            value = each._value
            if value is None:
                lines.append(f"~{group}")
                continue
            if str(value).startswith("_"):
                raise SeqexpError(
                    f"{each.input_line}: no such {group}; there are "
                    f"{', '.join(choices(loader, group))}"
                )
            if isinstance(value, list):
                names = ",".join(map(str, value))
                raise SeqexpError(
                    f"{each.input_line} chooses several of {group} at once; to try each of them "
                    f"write {group}={names}"
                )
        lines.append(str(each.input_line))
    return lines


def _compose(name: str, lines: Sequence[str], loader: ConfigLoader) -> DictConfig:
    try:
        config = compose(name, list(lines), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError, YAMLError) as error:
        raise in_one_line(error, name, lines, loader) from error
    with open_dict(config):
        for line in lines:
            # An experiment's file may set keys of a group that was removed.
            if line.startswith("~") and "=" not in line:
                config.pop(line[1:], None)
    return config
