"""Layers by the names of their files: `model.layers=[lstm,gru]`."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seqexp.sweeps.nearest import nearest_name
from seqexp.types import SeqexpError, first_line

LISTS = ("model.layers", "model.encoder_layers")
"""Where a model's file may name layers."""


class Layered(NamedTuple):
    """A config whose layers are nodes, and the choices of the menu, with the layers' names."""

    config: DictConfig
    choices: Mapping[str, str]


def with_layers(config: DictConfig, runtime: Any) -> Layered:
    """A config whose `model.layers`, and `model.encoder_layers`, are nodes, in the place of names.

    A name stands for the file `layer/NAME.yaml`; `{NAME: {KEY: VALUE}}` for the file with other
    values. A node with a `_target_` stays.

    Args:
        config: of a point.
        runtime: what Hydra says of it (`hydra.runtime`): the choices, and where its files were
            found, of which the first that has a layer counts.

    Raises:
        SeqexpError: there is no such layer, or its file can't be read.
    """
    lists = [key for key in LISTS if OmegaConf.is_list(OmegaConf.select(config, key))]
    if not lists:
        return Layered(config, runtime.choices)
    folders = [Path(s.path) / "layer" for s in runtime.config_sources if s.schema == "file"]
    # Its interpolations are left to be resolved later.
    changed, choices = copy.deepcopy(config), dict(runtime.choices)
    for key in lists:
        layers = OmegaConf.to_container(OmegaConf.select(config, key), resolve=True)
        assert isinstance(layers, list)
        OmegaConf.update(changed, key, [_node(each, folders) for each in layers])
        choices[f"layer@{key}"] = ",".join(map(_shown, layers))
    return Layered(changed, choices)


def _node(asked: Any, folders: Sequence[Path]) -> Any:
    if isinstance(asked, str):
        return _read(asked, folders)
    if isinstance(asked, Mapping) and "_target_" not in asked and len(asked) == 1:
        (name, changes), *_ = asked.items()
        return OmegaConf.merge(_read(str(name), folders), changes or {})
    return asked


def _shown(asked: Any) -> str:
    """A layer for people: its name, or what else was written."""
    if isinstance(asked, Mapping) and "_target_" in asked:
        return str(asked["_target_"]).rpartition(".")[2]
    return asked if isinstance(asked, str) else json.dumps(asked).replace('"', "")


def _read(name: str, folders: Sequence[Path]) -> DictConfig:
    for folder in folders:
        path = folder / f"{name}.yaml"
        if not path.is_file():
            continue
        try:
            node = OmegaConf.load(path)
        except (OSError, YAMLError, OmegaConfBaseException) as error:
            raise SeqexpError(f"{path} can't be read: {first_line(error)}") from error
        if not isinstance(node, DictConfig) or "_target_" not in node:
            raise SeqexpError(f"{path} is no layer: it has no _target_")
        return node
    there = sorted({path.stem for folder in folders for path in folder.glob("[!_]*.yaml")})
    near = nearest_name(name, there)
    raise SeqexpError(f"model.layers: no layer {name!r}; there are {', '.join(there)}{near}")
