"""What a command line says of configs: options of Hydra, and overrides, in any order."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from seqexp.commands.options import parse
from seqexp.types import SeqexpError

TEXTS = ("study", "runs_dir", "logger.project", "logger.entity")
"""Keys that are text: 2024_11 is no number there."""

QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
ODD_NUMBER = re.compile(r"(?:^|[\[({,])\s*(0\d[\d_]*|\d+_[\d_]*\d)\s*(?=$|[\])},])")
"""A whole number where text would lose letters if it were taken for one, as 007 and 2024_11 do."""


@dataclass(frozen=True)
class Asked:
    """What a command line says of configs.

    Attributes:
        overrides: parsed, in order.
        config_dir: the folder with the user's own files, absolute.
        config_name: the file that composition starts from.
        shows: options with which Hydra shows something, and nothing runs.
    """

    overrides: tuple[Override, ...]
    config_dir: Path | None
    config_name: str
    shows: tuple[str, ...]


def config_options() -> argparse.ArgumentParser:
    """Options of Hydra that every command with overrides takes; to be a parent of its parser."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config-dir", "-cd", action="append", default=[])
    parser.add_argument("--config-name", "-cn", default="config")
    return parser


def read(arguments: Sequence[str], command: str) -> Asked:
    """The command line of `seqexp run` or `seqexp sweep`.

    Raises:
        SeqexpError: for an unknown option, a folder that is none, a word that is no override.
    """
    parser = argparse.ArgumentParser(
        parents=[config_options()], add_help=False, allow_abbrev=False, exit_on_error=False
    )
    parser.add_argument("--multirun", "-m", action="store_true")  # it is anyway
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parser.add_argument("--package", "-p")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--hydra-help", action="store_true")
    parser.add_argument("--info", "-i", nargs="?", const="all")
    found, words = parse(parser, arguments, command)
    shows = [f"--{name}={value}" for name in ("cfg", "info") if (value := getattr(found, name))]
    shows += ["--hydra-help"] if found.hydra_help else []
    if found.cfg:
        shows += ["--resolve"] if found.resolve else []
        shows += [f"--package={found.package}"] if found.package else []
    return asked(found, words, shows)


def read_overrides(arguments: Sequence[str], command: str) -> Asked:
    """The command line of a command that has no other options; see `read`."""
    found, words = parse(config_options(), arguments, command)
    return asked(found, words)


def asked(found: argparse.Namespace, words: Sequence[str], shows: Sequence[str] = ()) -> Asked:
    """The overrides among a command's words, with the options of `config_options`."""
    if len(found.config_dir) > 1:
        raise SeqexpError(f"one --config-dir is all there can be, not {len(found.config_dir)}")
    folder = Path(found.config_dir[0]).absolute() if found.config_dir else None
    if folder is not None and not folder.is_dir():
        raise SeqexpError(f"--config-dir: there is no folder {found.config_dir[0]}")
    overrides = [override(word, words[i:]) for i, word in enumerate(words, start=1)]
    return Asked(tuple(overrides), folder, found.config_name, tuple(shows))


def import_from(folder: Path | None) -> None:
    """Let classes of a user's own be found: where the command is called, and beside the folder.

    They come last, so that no file there hides a package that is installed.
    """
    for place in (Path.cwd(), *([folder.parent] if folder else [])):
        if str(place) not in sys.path:
            sys.path.append(str(place))


def override(word: str, after: Sequence[str] = ()) -> Override:
    """A word as Hydra understands it.

    Args:
        word: of a command line.
        after: those after it, which belong to it where a list was written with spaces.

    Raises:
        SeqexpError: naming the word and how to write it.
    """
    try:
        (parsed,) = OverridesParser.create().parse_overrides([word])
        key = parsed.get_key_element()
        number = isinstance(parsed._value, int | float) and not isinstance(parsed._value, bool)
        if key in TEXTS and number:
            (parsed,) = OverridesParser.create().parse_overrides([f"{key}='{_value(word)}'"])
        elif odd := ODD_NUMBER.search(QUOTED.sub("", _value(word))):
            number = odd[1].replace("_", "").lstrip("0") or "0"
            raise SeqexpError(
                f"{word!r}: for a number write {number}, for text put {odd[1]} in quotes and the "
                "whole word in other ones"
            )
        return parsed
    except HydraException as error:
        raise SeqexpError(f"{word!r}: {_how_to_write(word, after, error)}") from error


def _how_to_write(word: str, after: Sequence[str], error: HydraException) -> str:
    key, equals, value = word.partition("=")
    if not equals:
        return "a setting is written KEY=VALUE, and values to try KEY=A,B without spaces"
    if value.endswith(",") or ",," in value or value.startswith(","):
        parts = value.split(",") + [next(iter(after), "")] * value.endswith(",")
        whole = ",".join(part for part in parts if part.strip() and "=" not in part)
        return f"a value is missing beside a comma; without spaces it is {key}={whole}"
    for opening, closing in ("[]", "{}", "()"):
        if value.count(opening) != value.count(closing):
            return f"an {opening} without its {closing}, or the other way round"
    if not any(quote in value for quote in "'\""):
        return f"text with such letters is written in two pairs of quotes: '{key}=\"{value}\"'"
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"that can't be read ({first}); a setting is written KEY=VALUE"


def _value(word: str) -> str:
    return word.partition("=")[2]
