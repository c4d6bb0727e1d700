"""The README's commands are real: its targets exist, its overrides compose, its names are there."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest

from seqexp.commands.main import main
from tests.test_configs import point

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip().replace("\\\n", " ")
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip() and not line.startswith("#")
]


def test_the_two_commands_stand_at_the_top():
    top = "\n".join(README.splitlines()[:25])
    assert "make frontier" in top and "make test" in top


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_targets_exist(command):
    makefile = (ROOT / "Makefile").read_text()
    for target in command.split()[1:]:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if re.match(r"seqexp (run|sweep) ", c) and "--" not in c]
)
def test_overrides_compose_at_every_value(command):
    keys, values = zip(*(o.split("=", 1) for o in shlex.split(command)[2:]), strict=True)
    for chosen in itertools.product(*(value.split(",") for value in values)):
        assert point(*(f"{k}={v}" for k, v in zip(keys, chosen, strict=True))).build()


def test_nothing_is_left_to_fill_in():
    for page in (ROOT / "README.md", *(ROOT / "experiments").rglob("*.md")):
        assert "@@" not in page.read_text(), page


@pytest.mark.parametrize(
    "name", re.findall(r"`((?:seqexp|conf|tests|experiments)/[\w./]+)`", README)
)
def test_paths_exist(name):
    assert (ROOT / name).exists()


def test_every_command_of_the_usage_is_in_the_readme(capsys):
    assert main(["--help"]) == 0
    for command in re.findall(r"^  (\w+) ", capsys.readouterr().out, re.MULTILINE):
        assert f"seqexp {command}" in README


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_runs_and_learns(block, capsys):
    exec(compile(block, "README.md", "exec"), {})
    printed = [eval(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == 4 and len(printed[0]) == 4
    assert min(printed[-1]) < min(printed[0])
