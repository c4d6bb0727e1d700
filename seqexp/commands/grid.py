"""The grid of a sweep: an experiment's own, with what the command line says in its place."""

from __future__ import annotations

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from seqexp.commands.configs import config_folder


def sweep_arguments(arguments: Sequence[str]) -> list[str]:
    """Hydra's arguments for a sweep, where an override replaces the experiment's sweep of its key.

    Hydra would multiply the two: `experiment=frontier task=adding` would still have three tasks.
    """
    overrides = [a for a in arguments if not a.startswith("-")]
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except HydraException:
        return list(arguments)  # Hydra itself says what is wrong with it.
    fixed = [o.input_line for o in parsed if not o.is_sweep_override() and o.input_line]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        try:
            params = compose("config", fixed, return_hydra_config=True).hydra.sweeper.params
        except HydraException:
            return list(arguments)
    replaced = {}
    for override, argument in zip(parsed, overrides, strict=True):
        if override.key_or_group in (params or {}):
            replaced[argument] = f"{override.key_or_group}: {_quoted(argument.split('=', 1)[1])}"
    if not replaced:
        return list(arguments)
    kept = [argument for argument in arguments if argument not in replaced]
    return [*kept, f"hydra.sweeper.params={{{', '.join(replaced.values())}}}"]


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"
