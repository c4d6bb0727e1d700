"""XLA's false alarm at each load from the cache reaches nobody; everything else does."""

from __future__ import annotations

import os
from importlib import metadata

import pytest
from jax._src import compilation_cache

import seqexp.training  # noqa: F401, which silences it
from seqexp.training.false_alarm import without_false_alarm

WHERE = b"E1125 23:44:37.937559    8287 cpu_aot_loader.cc:195] Loading XLA:CPU AOT result. "
ALARM = (
    b"Target machine feature +prefer-no-%s is not  supported on the host machine. Machine type "
    b"used for XLA:CPU compilation doesn't match the machine type for execution. Compile machine "
    b"features: [+avx2,+prefer-no-scatter,+prefer-no-gather] vs host machine features: [+avx2]. "
    b"This could lead to execution errors such as SIGILL.\n"
)
ALARMS = WHERE + ALARM % b"scatter" + WHERE + ALARM % b"gather"
TRUE = WHERE + ALARM.replace(b"+prefer-no-%s", b"+avx512f")
PRELUDE = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (ALARMS, b""),
        (PRELUDE + ALARMS, b""),
        (TRUE, TRUE),
        (PRELUDE + ALARMS + TRUE, PRELUDE + TRUE),
        (b"half a line\n" + ALARMS + b"and no end", b"half a line\nand no end"),
        (b"", b""),
    ],
)
def test_only_the_alarm_is_left_out(said, heard, capfd):
    def load(value: int, *, more: int) -> int:
        os.write(2, said)
        return value + more

    assert without_false_alarm(load)(1, more=2) == 3
    assert capfd.readouterr().err.encode() == heard


def test_what_is_said_before_a_failure_is_heard(capfd):
    def load() -> None:
        os.write(2, ALARMS + TRUE)
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        without_false_alarm(load)()
    assert capfd.readouterr().err.encode() == TRUE


def test_programs_are_loaded_without_the_alarm_where_jaxlib_has_it():
    """In a command, a notebook and a process of its own: all of them import seqexp.training."""
    faulty = metadata.version("jaxlib").startswith(("0.10.", "0.11."))
    assert hasattr(compilation_cache.get_executable_and_time, "__wrapped__") == faulty
