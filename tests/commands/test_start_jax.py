"""A platform that isn't there and the number of devices, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from seqexp.commands import main
from tests.full import full


def python(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment | settings, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("platform", "command"),
    [("cuda", ["run", "task=adding", "model=rnn"]), ("gpu", ["doctor"]), full("moon", ["cost"])],
)
def test_a_platform_that_is_not_there_is_one_line(platform, command, tmp_path):
    more = [f"runs_dir={tmp_path}"] if command != ["doctor"] else []
    done = python("-m", "seqexp", *command, *more, JAX_PLATFORMS=platform)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"JAX_PLATFORMS={platform}" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (["run", "task=adding"], "JAX_ENABLE_X64"),
        (["doctor"], "JAX_ENABLE_X64"),
        (["doctor"], "JAX_DEFAULT_MATMUL_PRECISION"),
        (["doctor"], "JAX_LOG_COMPILES"),
    ],
)
def test_a_setting_that_jax_does_not_take_is_one_line(command, setting):
    done = python("-m", "seqexp", *command, **{setting: "perhaps"})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and setting in done.stderr.upper(), done.stderr


def test_another_error_that_names_jax_keeps_its_traceback(monkeypatch):
    """It is a mistake in the code, and no setting's."""

    def mistaken(name):
        raise ValueError("JAX_ENABLE_X64 is too much for this")

    monkeypatch.setenv("JAX_ENABLE_X64", "0")
    monkeypatch.setattr(main, "_command", mistaken)
    with pytest.raises(ValueError, match="too much"):
        main.main(["doctor"])


DEVICES = "from seqexp.training.start import start_jax; start_jax(); import jax; "
DEVICES += "print(len(jax.devices()))"


def test_the_users_number_of_devices_wins():
    assert python("-c", DEVICES, JAX_NUM_CPU_DEVICES="3").stdout == "3\n"


@pytest.mark.parametrize(
    "setting",
    [
        {"JAX_NUM_CPU_DEVICES": "1"},
        full({"XLA_FLAGS": "--xla_force_host_platform_device_count=1"}),
    ],
)
def test_a_single_device_is_refused(setting):
    """Its programs round otherwise, and no record would say so."""
    done = python("-m", "seqexp", "doctor", **setting)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "a single CPU device" in done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_a_single_core_is_two_devices():
    """So that its programs are those of more cores, which round otherwise than for one device."""
    one_core = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    assert python("-c", one_core + DEVICES).stdout == "2\n"
