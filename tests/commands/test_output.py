"""What a terminal can't show, and a reader who has gone, end no command."""

from __future__ import annotations

import codecs
import os
import subprocess
import sys

import pytest

from seqexp.commands.output import HANDLER, READABLE
from tests.sweeps.tiny import TINY, runs

MAIN = "import sys; from seqexp.commands.main import main; sys.exit(main())"

PRINTING = """
import sys
from seqexp.commands.output import forgiving_output
with forgiving_output() as output:
    for _ in range(20_000):
        print("(1.7 ± 1.8)·10⁻⁴ – läufe")
    print("the work is done", file=sys.stderr)
sys.exit(3 if output.lost else 0)
"""


def child(code: str, *arguments: str, shell: str = '"$@"', **environment: str):
    """Run Python code in a process of its own, its command line in a shell's."""
    command = ["bash", "-c", shell, "bash", sys.executable, "-c", code, *arguments]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, timeout=900)


@pytest.mark.full
def test_a_sweep_is_told_in_ascii(tmp_path):
    """The table has ± in it: it is printed after all is trained."""
    done = child(
        MAIN,
        *("sweep", *TINY, "model=rnn", "seed=0,1", f"runs_dir={tmp_path}", "study=a"),
        PYTHONIOENCODING="ascii",
    )
    said = done.stdout.decode("ascii") + done.stderr.decode("ascii")
    assert done.returncode == 0, said
    assert " +- " in said and "report: " in said
    assert {run["status"] for run in runs(tmp_path / "a").values()} == {"finished"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-8"])
def test_all_that_we_print_is_readable_in_any_encoding(encoding):
    text = "(1.7 ± 1.8)·10⁻⁴ – läufe"
    shown = text.encode(encoding, HANDLER).decode(encoding)
    for letter, plain in (*READABLE.items(), *zip("⁻⁴", "-4", strict=True), ("ä", r"\xe4")):
        assert letter in shown or plain in shown or letter not in text
    assert "?" not in shown
    if encoding == "ascii":
        assert shown == r"(1.7 +- 1.8)*10^-4 - l\xe4ufe"
    if encoding == "utf-8":
        assert shown == text


def test_only_what_can_not_be_encoded_is_replaced():
    with pytest.raises(UnicodeDecodeError):
        codecs.lookup_error(HANDLER)(UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"))
    assert "\udce4".encode("utf-8", HANDLER) == rb"\udce4"


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ('set -o pipefail; "$@" | head -1', 0),
        ('"$@" >&-', 0),
        ('"$@" <&- >&-', 0),
        ('"$@" > /dev/full', 3),
        ('PYTHONUNBUFFERED=1 "$@" | head -1; exit ${PIPESTATUS[0]}', 0),
        ('LC_ALL=C "$@" > /dev/null', 0),
    ],
)
def test_who_does_not_read_stops_no_work(shell, code):
    done = child(PRINTING, shell=shell)
    assert (done.returncode, done.stderr) == (code, b"the work is done\n")


def test_a_stderr_that_is_closed_is_given_to_no_record(tmp_path):
    """A file opened next would get its number, and what a library prints."""
    writing = f"""
import os
from seqexp.commands.output import forgiving_output
with forgiving_output():
    with open({str(tmp_path / "record")!r}, "w") as record:
        os.write(2, b"what a library says")
        print(record.fileno() > 2)
"""
    done = child(writing, shell='"$@" 2>&-')
    assert done.stdout == b"True\n" and done.returncode == 0
    assert (tmp_path / "record").read_bytes() == b""


def test_a_full_disk_behind_stdout_is_an_error_of_one_line():
    done = child(MAIN, "--help", shell='"$@" > /dev/full')
    assert done.returncode == 1
    assert done.stderr == b"seqexp: error: cannot write to stdout (No space left on device)\n"
