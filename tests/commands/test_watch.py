"""`seqexp watch`: what it says, how it ends, and what it needs."""

from __future__ import annotations

import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from seqexp.commands.main import main


def test_it_serves_until_it_is_interrupted_and_needs_no_jax(tmp_path):
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from seqexp.commands import watch\n"
        "print({'jax', 'pandas', 'hydra', 'wandb'} & {*sys.modules}, flush=True)\n"
        "from seqexp.commands.main import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program, "watch", str(tmp_path / "x"), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "set()\n"
    assert (
        process.stdout.readline() == f"{tmp_path / 'x'} is not there yet: the page waits for it\n"
    )
    said = process.stdout.readline()
    assert said.startswith(f"watching {tmp_path / 'x'} at http://127.0.0.1:")
    with urlopen(said.split(" at ")[1].split()[0]) as page:
        assert b"<title>" in page.read()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "\ninterrupted; the same command goes on from here\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", "b"], "name one study"),
        (["x", "--port", "no"], "argument --port: invalid int value: 'no'"),
        (["x", "--open"], "no option --open"),
        (["x", "--port", "-1"], "no port -1: they go from 1 to 65535"),
        (["file"], "file is a file: name the folder of a study"),
        (["runs/study/a"], "runs/study/a is a run: name its study, runs/study"),
        (["study"], "no study in study: did you mean runs/study?"),
        (["wandb:me/project/study"], "name a folder of this machine"),
    ],
)
def test_mistakes_are_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "study" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "study" / "a" / "run.json").write_text("{}")
    (tmp_path / "file").write_text("")
    assert main(["watch", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("seqexp: error: ") and said in line


def test_help(capsys):
    assert main(["watch", "--help"]) == 0
    assert "usage: seqexp watch STUDY" in capsys.readouterr().out
    assert main(["watch"]) == 2
    assert "usage: seqexp watch STUDY" in capsys.readouterr().err
