"""Secrets stay out of what is written down, and nothing else does."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from seqexp.runs.redaction import REDACTED, redact, redact_arguments, redact_paths


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_key", "abc"),
        ("apiKey", "abc"),
        ("APIKey", "abc"),
        ("apikey", "abc"),
        ("api", "abc"),
        ("key", "abc"),
        ("token", "abc"),
        ("WANDB_API_KEY", "abc"),
        ("auth-token", "abc"),
        ("aws.secret_access_key", "abc"),
        ("password", "abc"),
        ("password", 1234),
        ("db_passwd", "abc"),
        ("client_secret", 7.5),
        ("credentials", "abc"),
    ],
)
def test_secret_keys(key: str, value: Any) -> None:
    assert redact({key: value}) == {key: REDACTED}


def test_innocent_keys_stay() -> None:
    config = {
        "tokens": 800_000,
        "tokens_per_second": "many",
        "input_size": 10,
        "key_size": 64,
        "key_features": 32,
        "keys": ["a", "b"],
        "num_keys": 8,
        "key": 0,
        "pad_token": 0,
        "tokenizer": "chars",
        "token_dropout": 0.1,
        "monkey": "see",
        "api_key": None,
        "password": None,
        "secret": False,
        "url": "https://example.org/data.csv?a=b",
        "rate": 1e-3,
        "deep": {"list": [1, "two", None, {"three": 3.0}]},
    }
    assert redact(config) == config


def test_secrets_are_found_at_any_depth() -> None:
    config = {
        "logger": {"wandb": {"api_key": "abc", "project": "p"}},
        "sources": [{"token": "abc"}, {"url": "u"}],
        "credentials": {"user": "me", "pass": "abc", "more": ["abc"]},
        "token": ["abc", "def"],
    }
    before = copy.deepcopy(config)
    clean = redact(config)
    assert "abc" not in repr(clean) and "def" not in repr(clean)
    assert clean["logger"]["wandb"]["project"] == "p"
    assert clean["credentials"] == {"user": REDACTED, "pass": REDACTED, "more": [REDACTED]}
    assert config == before


def test_values_of_secret_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "s3cr3t-value")
    monkeypatch.setenv("OTHER_TOKEN", "s3cr3t-value-longer")
    monkeypatch.setenv("SHORT_TOKEN", "lstm")
    monkeypatch.setenv("INNOCENT", "adding-problem")
    config = {
        "note": "use s3cr3t-value here",
        "other": "s3cr3t-value-longer",
        "model": "lstm",
        "task": "adding-problem",
    }
    assert redact(config) == {
        "note": f"use {REDACTED} here",
        "other": REDACTED,
        "model": "lstm",
        "task": "adding-problem",
    }


def test_logins_in_addresses() -> None:
    clean = redact({"url": "https://me:abc@example.org/x", "plain": "https://example.org:80/@x"})
    assert clean == {
        "url": f"https://{REDACTED}@example.org/x",
        "plain": "https://example.org:80/@x",
    }


def test_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "s3cr3t-value")
    arguments = [
        "seqexp",
        "sweep",
        "model=rnn,lstm",
        "task.tokens=800000",
        "logger.api_key=abc",
        "--token",
        "abc",
        "--password=abc",
        "note=s3cr3t-value",
        "--verbose",
        "data.url=https://me:abc@example.org/?a=b",
    ]
    clean = redact_arguments(arguments)
    assert "abc" not in " ".join(clean) and "s3cr3t" not in " ".join(clean)
    assert clean == [
        "seqexp",
        "sweep",
        "model=rnn,lstm",
        "task.tokens=800000",
        f"logger.api_key={REDACTED}",
        "--token",
        REDACTED,
        f"--password={REDACTED}",
        f"note={REDACTED}",
        "--verbose",
        f"data.url=https://{REDACTED}@example.org/?a=b",
    ]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("runs_dir=/home/al ice/runs", "runs_dir=[path]"),
        ("--xla_dump_to=/home/x/y --xla_b=1", "--xla_dump_to=[path] --xla_b=1"),
        ("dirs=[/a/b,/c]", "dirs=[[path],[path]]"),
        ('x="/a b/c"', 'x="[path]"'),
        ("file:///home/me/x", "[path]"),
        ("data:/home/me/x", "data:[path]"),
        ("C:\\Users\\me", "[path]"),
    ],
)
def test_absolute_paths_are_taken_out(text, clean):
    assert redact_paths({"a": [text]}) == {"a": [clean]}


@pytest.mark.parametrize(
    "text",
    ["runs_dir=../runs/a", "https://example.org/a/b", "3/4", "Linux-6.1-x86_64", "~/x"],
)
def test_what_is_no_absolute_path_stays(text):
    assert redact_paths(text) == text
