"""The identity of a run: equal exactly where the results must be."""

from __future__ import annotations

import copy
import hashlib
import importlib
import inspect
import subprocess
import sys
from typing import Any

import pytest

from seqexp.runs.identity import (
    NOT_RESULT,
    RENAMED,
    canonical,
    group_identity,
    identities,
    identity,
    recorded_identity,
    with_todays_names,
)

CONFIG: dict[str, Any] = {
    "model": {"_target_": "seqexp.models.lstm", "features": 64, "layers": [1, 2], "bias": True},
    "optimizer": {"learning_rate": 1e-3, "clip_norm": None},
    "task": {"name": "adding", "length": 100},
    "seed": 0,
    "study": "first",
    "runs_dir": "runs",
}
HASHES = {"train.csv": "ab" * 32}


def test_is_sixteen_hex_digits() -> None:
    name = identity(CONFIG, HASHES, "cpu")
    assert len(name) == 16 and int(name, 16) >= 0


def test_is_the_same_in_another_process() -> None:
    """Neither hash randomization nor the order of a dict gets in."""
    program = (
        f"from seqexp.runs.identity import identity;print(identity({CONFIG!r}, {HASHES!r}, 'cpu'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == identity(CONFIG, HASHES, "cpu")


def test_needs_no_jax() -> None:
    program = "import sys, seqexp.runs.identity; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_order_of_keys_does_not_matter() -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return value

    assert list(turned(CONFIG)) != list(CONFIG)
    assert identity(turned(CONFIG), HASHES, "cpu") == identity(CONFIG, HASHES, "cpu")


@pytest.mark.parametrize("key", NOT_RESULT)
def test_what_is_no_result_does_not_matter(key: str) -> None:
    for value in ("elsewhere", {"deep": 1}, None):
        assert identity({**CONFIG, key: value}, HASHES, "cpu") == identity(CONFIG, HASHES, "cpu")


def test_is_dropped_at_the_top_only() -> None:
    model = {**CONFIG["model"], "labels": 3}
    assert identity({**CONFIG, "model": model}, HASHES, "cpu") != identity(CONFIG, HASHES, "cpu")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("model", "features"), 65),
        (("model", "features"), "64"),
        (("model", "bias"), False),
        (("model", "bias"), 1),
        (("model", "layers"), [2, 1]),
        (("model", "layers"), [1]),
        (("model", "_target_"), "seqexp.models.gru"),
        (("optimizer", "learning_rate"), 0.0010000000000000002),
        (("optimizer", "learning_rate"), float("inf")),
        (("optimizer", "clip_norm"), 0),
        (("optimizer", "clip_norm"), False),
        (("optimizer", "clip_norm"), "None"),
        (("task", "length"), 2**70),
        (("seed",), 1),
        (("new",), 0),
    ],
)
def test_every_kept_value_matters(path: tuple[str, ...], value: Any) -> None:
    changed = copy.deepcopy(CONFIG)
    *parents, last = path
    node = changed
    for parent in parents:
        node = node[parent]
    node[last] = value
    assert identity(changed, HASHES, "cpu") != identity(CONFIG, HASHES, "cpu")


def test_a_null_key_is_as_none_at_all() -> None:
    """A new option whose default is null re-hashes no run."""
    new = {**CONFIG, "new": None, "model": {**CONFIG["model"], "new": None}}
    assert identity(new, HASHES, "cpu") == identity(CONFIG, HASHES, "cpu")
    assert group_identity(new, HASHES, "cpu") == group_identity(CONFIG, HASHES, "cpu")
    listed = {**CONFIG, "list": [{"a": 1, "b": None}, None]}
    same = {**CONFIG, "list": [{"a": 1}, None]}
    assert identity(listed, HASHES, "cpu") == identity(same, HASHES, "cpu")
    assert identity({**CONFIG, "list": [{"a": 1}]}, HASHES, "cpu") != identity(same, HASHES, "cpu")


def test_the_identity_of_a_record_is_that_of_its_config() -> None:
    manifest = {"data_hashes": HASHES, "device_kind": "cpu"}
    recorded = recorded_identity(CONFIG, manifest)
    assert recorded == (identity(CONFIG, HASHES, "cpu"), group_identity(CONFIG, HASHES, "cpu"))
    secret = {**CONFIG, "task": {**CONFIG["task"], "api_key": "[redacted]"}}
    assert recorded_identity(secret, manifest) is None, "two secrets look the same"
    assert recorded_identity({}, manifest) is None
    assert recorded_identity(CONFIG, {"device_kind": "cpu"}) is None


def test_every_kept_key_matters() -> None:
    for key in set(CONFIG) - set(NOT_RESULT):
        less = {name: value for name, value in CONFIG.items() if name != key}
        assert identity(less, HASHES, "cpu") != identity(CONFIG, HASHES, "cpu")


def test_data_and_device_matter() -> None:
    one = identity(CONFIG, HASHES, "cpu")
    assert identity(CONFIG, {"train.csv": "cd" * 32}, "cpu") != one
    assert identity(CONFIG, {}, "cpu") != one
    assert identity(CONFIG, HASHES, "NVIDIA H100") != one


@pytest.mark.parametrize(
    ("one", "other"),
    [(1e-3, 0.001), (1, 1.0), (0, -0.0), (10**22, 1e22), ((1, 2), [1, 2]), (1.5, 15e-1)],
)
def test_spelling_of_a_value_does_not_matter(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        (1, "1"),
        (None, "null"),
        (float("inf"), "Infinity"),
        (float("nan"), None),
        (float("inf"), float("-inf")),
        (2**53, 2**53 + 1),
        (0.1, 0.1 + 2**-56),
        ({}, []),
        ("ä", "\\u00e4"),
    ],
)
def test_different_values_stay_apart(one: Any, other: Any) -> None:
    assert canonical(one) != canonical(other)


def test_what_is_not_plain_is_refused() -> None:
    with pytest.raises(TypeError, match="plain data only, not set"):
        identity({"model": {1, 2}}, {}, "cpu")
    with pytest.raises(TypeError, match="must be a string, not 1"):
        identity({"model": {1: 2}}, {}, "cpu")


def test_a_group_shares_everything_but_the_seed() -> None:
    seeds = [{**CONFIG, "seed": seed} for seed in range(3)]
    assert len({group_identity(config, HASHES, "cpu") for config in seeds}) == 1
    assert len({identity(config, HASHES, "cpu") for config in seeds}) == 3
    other = {**CONFIG, "optimizer": {**CONFIG["optimizer"], "learning_rate": 0.1}}
    assert group_identity(other, HASHES, "cpu") != group_identity(CONFIG, HASHES, "cpu")
    nested = {**CONFIG, "task": {**CONFIG["task"], "seed": 1}}
    assert group_identity(nested, HASHES, "cpu") != group_identity(CONFIG, HASHES, "cpu")


LSTM = "seqexp.cells.LSTM"
EARLIER: dict[str, Any] = {
    "model": {
        "_target_": "seqexp.models.SequenceModel",
        "chunk": 25,
        "cell": {"_target_": LSTM, "_partial_": True, "kernel": "cudnn"},
    },
    "task": {"_target_": "mine.Blocks", "chunk": 3, "remat": 4, "kernel": "rbf"},
    "seed": 0,
}
TODAY: dict[str, Any] = {
    "model": {
        "_target_": "seqexp.models.SequenceModel",
        "remat": 25,
        "cell": {"_target_": LSTM, "_partial_": True, "implementation": "cudnn"},
    },
    "task": EARLIER["task"],
    "seed": 0,
}


def test_an_option_that_was_renamed_counts_under_its_earlier_name() -> None:
    """So a record of before keeps its identity; other targets may use these words as they like."""
    assert identity(TODAY, HASHES, "cpu") == identity(EARLIER, HASHES, "cpu")
    assert group_identity(TODAY, HASHES, "cpu") == group_identity(EARLIER, HASHES, "cpu")
    manifest = {"data_hashes": HASHES, "device_kind": "cpu"}
    assert recorded_identity(EARLIER, manifest) == recorded_identity(TODAY, manifest)
    for other in ({"remat": 4, "chunk": 4}, {"remat": 3}):
        task = {**TODAY["task"], **other}
        assert identity({**TODAY, "task": task}, HASHES, "cpu") != identity(TODAY, HASHES, "cpu")


def test_golden_of_renamed_options() -> None:
    """What an earlier release, which knew no other names, made of these configs."""
    assert identity(EARLIER, {}, "cpu") == identity(TODAY, {}, "cpu") == "0f3bcdc0e9c32677"
    text = canonical({"config": EARLIER, "data_hashes": {}, "device_kind": "cpu"})
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "0f3bcdc0e9c32677"


def test_the_values_of_renamed_options_matter() -> None:
    cell = {**TODAY["model"]["cell"], "implementation": "scan"}
    for changed in ({"remat": 24}, {"remat": "auto"}, {"cell": cell}):
        model = {**TODAY["model"], **changed}
        assert identity({**TODAY, "model": model}, HASHES, "cpu") != identity(TODAY, HASHES, "cpu")


def test_renamed_options_are_found_wherever_they_stand() -> None:
    """In lists too; a null one is as none at all, under either name."""
    new, old = (
        {"cells": [{"_target_": LSTM, name: "scan"}]} for name in ("implementation", "kernel")
    )
    assert identity(new, {}, "cpu") == identity(old, {}, "cpu")
    model = TODAY["model"]["_target_"]
    less = {"model": {"_target_": model}}
    for name in ("remat", "chunk"):
        null = {"model": {"_target_": model, name: None}}
        assert identity(null, {}, "cpu") == identity(less, {}, "cpu")


def test_recorded_configs_are_read_under_todays_names() -> None:
    assert with_todays_names(EARLIER) == TODAY == with_todays_names(TODAY)
    assert with_todays_names({"model": None, "task": [1, "a"]}) == {"model": None, "task": [1, "a"]}
    assert with_todays_names(None) is None, "a damaged record"


def test_products_in_float32_are_what_earlier_records_say_nothing_of() -> None:
    def of(**trainer: Any) -> str:
        return identity({**CONFIG, "trainer": {"steps": 9, **trainer}}, HASHES, "cpu")

    assert of() == of(precision="float32") == of(precision=None)
    assert of(precision="bfloat16") != of()


def test_what_decays_counts_where_something_does() -> None:
    def of(weight_decay: float, **decayed: str) -> str:
        optimizer = {"weight_decay": weight_decay, **decayed}
        return identity({**CONFIG, "optimizer": optimizer}, HASHES, "cpu")

    assert of(0.0) == of(0.0, decayed="all") == of(0, decayed="matrices")
    assert of(0.1) == of(0.1, decayed="all"), "what earlier records say nothing of"
    assert of(0.1, decayed="matrices") != of(0.1)


@pytest.mark.parametrize("target", RENAMED)
def test_the_names_of_today_are_those_of_the_signature(target: str) -> None:
    module, _, name = target.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    arguments = inspect.signature(found.__init__).parameters
    for today, earlier in RENAMED[target].items():
        assert today in arguments and earlier not in arguments


def test_golden() -> None:
    """Change this only together with a note that all earlier records will be trained again."""
    text = b'{"config":{"rate":0.001,"seed":0},"data_hashes":{"a":"b"},"device_kind":"cpu"}'
    expected = hashlib.sha256(text).hexdigest()[:16]
    assert identity({"seed": 0, "rate": 1e-3}, {"a": "b"}, "cpu") == expected == "95fc53c996a8a074"


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        {},
        {"seed": 3},
        {"zoo": {"a": None}, "trainer": {"precision": "float32", "steps": 3.0}},
        {"a": [1, None, {"b": None}], "aé": '"seed":0', "seeds": 1, "seec": 2},
        {"model": {"_target_": "seqexp.cells.LSTM", "implementation": "scan"}, "task": None},
    ],
)
def test_identities_of_all_seeds_are_those_of_each(config: dict[str, Any]) -> None:
    of = identities(config, HASHES, "cpu")
    for seed in (0, 7, 2**32 - 1):
        assert of(seed) == identity({**config, "seed": seed}, HASHES, "cpu")
