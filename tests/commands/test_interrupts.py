"""Control-C, SIGTERM and SIGHUP are heard wherever they come: one line and their exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from seqexp.commands import interrupts
from seqexp.commands.interrupts import Interrupts

LINES = {
    signal.SIGINT: "interrupted; the same command goes on from here",
    signal.SIGTERM: "terminated; the same command goes on from here",
    signal.SIGHUP: "hung up; the same command goes on from here",
}


@pytest.fixture(autouse=True)
def _by_default():
    before = {number: signal.getsignal(number) for number in LINES}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN)
    for number, handler in before.items():
        signal.signal(number, handler)


class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_in_a_finalizer_comes_again_behind_it():
    """Python ignores what a finalizer raises."""
    reached = False
    with pytest.raises(KeyboardInterrupt), Interrupts():
        one = Finalized()
        del one
        reached = True
        time.sleep(60)
    assert reached


def test_an_interrupt_elsewhere_comes_at_once():
    with pytest.raises(KeyboardInterrupt), Interrupts() as heard:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError
    assert heard.number == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_is_swallowed_comes_again():
    with pytest.raises(KeyboardInterrupt), Interrupts():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            pass  # As an import may that tries one module, and then another.
        time.sleep(60)


def test_clearing_up_is_not_interrupted_again():
    cleared = False
    with pytest.raises(KeyboardInterrupt), Interrupts():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            time.sleep(10 * interrupts.AGAIN)
            cleared = True
    assert cleared


def test_what_is_ignored_stays_ignored():
    """As under nohup, or in a background job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests run under nohup
def tell(word):
    print(word, flush=True)
{before}
from seqexp.commands import main
{then}
sys.exit(main.main())
"""

# Tells of the first import of a module.
IMPORT = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            tell("now")
sys.meta_path.insert(0, Finder())
"""


def _child(before: str = "", work: str = "", *arguments: str) -> subprocess.Popen[str]:
    """A command in a process of its own; by default one that does `work`, and imports nothing."""
    then = "main._command = lambda name: command" if work else ""
    program = PROGRAM.format(
        before=before + (f"\ndef command(_):\n{work}" if work else ""), then=then
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *(arguments or ("work",))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait(child: subprocess.Popen[str]) -> None:
    """Until it says that the time has come."""
    assert child.stdout is not None
    assert child.stdout.readline() == "now\n"


def _ends(child: subprocess.Popen[str], number: signal.Signals, said: str = "") -> None:
    out, _ = child.communicate(timeout=900)
    assert out.split("\n") == [*said.splitlines(), "", LINES[number], ""]
    assert child.returncode == 128 + number


@pytest.mark.parametrize(
    ("number", "module", "command"),
    [
        (signal.SIGINT, "seqexp.commands.output", "run"),
        (signal.SIGTERM, "hydra", "run"),
        (signal.SIGHUP, "jax", "doctor"),
        (signal.SIGINT, "numpy", "report"),
    ],
)
def test_a_signal_while_libraries_are_imported(number, module, command, tmp_path):
    arguments = {"run": [f"runs_dir={tmp_path}"], "report": [str(tmp_path)]}.get(command, [])
    child = _child(IMPORT.format(module=module), "", command, *arguments)
    _wait(child)
    child.send_signal(number)
    _ends(child, number)


@pytest.mark.parametrize("number", LINES)
def test_a_signal_while_python_ends(number):
    child = _child(
        "import atexit, time\natexit.register(lambda: (tell('now'), time.sleep(60)))", " return 0"
    )
    _wait(child)
    child.send_signal(number)
    _ends(child, number)


def test_an_error_that_comes_of_a_signal_is_not_told():
    work = """
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("numpy is partially initialized") from None
"""
    _ends(_child(work=work), signal.SIGINT)


def test_the_second_interrupt_ends_what_does_not_listen():
    """A program that compiles runs no Python for as long as it takes."""
    child = _child(
        work=" import hashlib; tell('now'); hashlib.pbkdf2_hmac('md5', b'', b'', 2**31 - 1)"
    )
    _wait(child)
    while child.poll() is None:
        child.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _ends(child, signal.SIGINT)


def test_what_does_not_listen_is_ended_in_the_end():
    before = "from seqexp.commands import interrupts\ninterrupts.PATIENCE = 0.1"
    work = " import hashlib; tell('now'); hashlib.pbkdf2_hmac('md5', b'', b'', 2**31 - 1)"
    child = _child(before, work)
    _wait(child)
    child.send_signal(signal.SIGTERM)
    _ends(child, signal.SIGTERM)


def test_an_extension_that_is_being_loaded_is_not_interrupted(tmp_path):
    """jax's aborts where Python raises, with a page of C++."""
    (tmp_path / "extension.py").write_text(
        """
import os, signal
try:
    signal.raise_signal(signal.SIGINT)
except BaseException:
    os.abort()
"""
    )
    work = f" sys.path.insert(0, {str(tmp_path)!r}); import extension"
    _ends(_child(work=work), signal.SIGINT)


def test_what_ends_at_once_gives_back_what_it_holds(tmp_path):
    work = f"""
    from pathlib import Path
    from seqexp.runs.locks import Locks
    with Locks(Path({str(tmp_path)!r})) as locks:
        locks.take("run")
        tell("now")
        import hashlib
        hashlib.pbkdf2_hmac('md5', b'', b'', 2**31 - 1)
"""
    child = _child("from seqexp.commands import interrupts\ninterrupts.PATIENCE = 0.1", work)
    _wait(child)
    assert list(tmp_path.rglob("run"))
    child.send_signal(signal.SIGTERM)
    _ends(child, signal.SIGTERM)
    assert not list(tmp_path.rglob("run"))


def test_a_signal_that_is_sent_twice_leaves_time_to_clear_up():
    """`timeout` sends it to the process, and to its group."""
    work = """
    import time
    try:
        tell("now")
        time.sleep(60)
    finally:
        time.sleep(0.1)
        tell("cleared up")
"""
    child = _child(work=work)
    _wait(child)
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGTERM)
    _ends(child, signal.SIGTERM, "cleared up")
