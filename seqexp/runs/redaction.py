"""Take what looks secret out of whatever is about to be written down."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

REDACTED = "[redacted]"

_ALWAYS = {"secret", "secrets", "password", "passwd", "passphrase", "apikey", "credentials"}
"""Words that make a key's value secret, whatever it is."""

_LAST = {"key", "token", "api"}
"""Words that do so at the end of a key, for a text: `api_key`, but neither `tokens`, `key_size`
nor `pad_token: 0`."""

_SHORTEST = 8
"""Secrets in the environment that are shorter would be found in innocent text."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PATH = re.compile(
    r"""(?<![\w/.~\])}-])(?:(?:file://)?/(?!/)|[A-Za-z]:[\\/])(?:(?!\s--?\w)[^,;:'")\]}])*"""
)
"""An absolute path, spaces and all: up to the next flag or the end of a list's element."""
_LOGIN = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")


def redact(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without its secrets, each replaced by "[redacted]".

    Secret is a value whose key looks so, the value of an environment variable whose name looks so,
    and user and password in a URL.

    Example:
        >>> redact({"api_key": "abc", "tokens": 5, "input_size": 2})
        {'api_key': '[redacted]', 'tokens': 5, 'input_size': 2}
    """
    secrets = _environment_secrets()
    return {key: _redact(str(key), value, secrets) for key, value in config.items()}


def redact_arguments(arguments: Sequence[str]) -> list[str]:
    """A command line without its secrets: `key=value`, `--key=value` and `--key value`."""
    secrets = _environment_secrets()
    clean, key = [], ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals:
            clean.append(f"{_redact('', name, secrets)}={_redact(name, value, secrets)}")
        else:
            clean.append(_redact(key, argument, secrets))
        key = argument if argument.startswith("-") else ""
    return clean


def redact_paths(value: Any) -> Any:
    """The same plain data with "[path]" in the place of every absolute path in its texts.

    Example:
        >>> redact_paths(["runs_dir=/home/me/runs", "a/b", "https://example.org/c"])
        ['runs_dir=[path]', 'a/b', 'https://example.org/c']
    """
    if isinstance(value, Mapping):
        return {key: redact_paths(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [redact_paths(child) for child in value]
    return _PATH.sub("[path]", value) if isinstance(value, str) else value


def _redact(key: str, value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        inside = f"{key}." if _always(key) else ""
        return {name: _redact(f"{inside}{name}", child, secrets) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(key, child, secrets) for child in value]
    if value is None or isinstance(value, bool):
        return value
    if _always(key):
        return REDACTED
    if not isinstance(value, str):
        return value
    if value and _LAST.intersection(_words(key)[-1:]):
        return REDACTED
    for secret in secrets:
        value = value.replace(secret, REDACTED)
    return _LOGIN.sub(REDACTED, value)


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(key)]


def _always(key: str) -> bool:
    return not _ALWAYS.isdisjoint(_words(key))


def _environment_secrets() -> list[str]:
    looks_secret = (
        value
        for name, value in os.environ.items()
        if _redact(name, value, ()) == REDACTED and len(value) >= _SHORTEST
    )
    # The longest first, so that no secret is cut up by one that it contains.
    return sorted(set(looks_secret), key=len, reverse=True)
