"""The README's commands are real: its targets exist, its overrides compose, its names are there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from seqexp.commands.main import main
from seqexp.costs import measure
from tests.hasty import TIMES
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


@pytest.mark.full
@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if re.match(r"seqexp (run|sweep) ", c) and "--" not in c]
)
def test_overrides_compose_at_every_value(command):
    keys, values = zip(*(o.split("=", 1) for o in shlex.split(command)[2:]), strict=True)
    lists = [re.split(r",(?![^\[]*\])", value) for value in values]
    for n in range(max(map(len, lists))):
        chosen = [each[n % len(each)] for each in lists]
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


PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
YAML = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
[SENSORS], [AVERAGE], [USE] = (
    [block for block in PYTHON if block.startswith(start)]
    for start in ("# sensors.py", "# average.py", "from functools")
)
[AVERAGE_YAML, SENSORS_YAML] = YAML


@pytest.mark.full
def test_python_runs_and_learns(capsys):
    exec(compile(USE, "README.md", "exec"), {})
    printed = [eval(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == 4 and len(printed[0]) == 4
    assert min(printed[-1]) < min(printed[0])


@pytest.fixture
def pasted(tmp_path, monkeypatch):
    """The README's own layer and task in a folder, as someone would paste them."""
    for group, name, config in (
        ("layer", "average", AVERAGE_YAML),
        ("task", "sensors", SENSORS_YAML),
    ):
        (tmp_path / "my_configs" / group).mkdir(parents=True)
        (tmp_path / "my_configs" / group / f"{name}.yaml").write_text(config)
    (tmp_path / "average.py").write_text(AVERAGE)
    (tmp_path / "sensors.py").write_text(SENSORS)
    for name, value in TIMES.items():
        monkeypatch.setattr(measure, name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("average", "sensors"):
        sys.modules.pop(name, None)


@pytest.fixture
def sensors(pasted):
    """With a file to read."""
    lines = [f"{i % 3},{','.join([str(i % 3 / 2)] * (1 + i % 4))}" for i in range(40)]
    Path("sensors.csv").write_text("\n".join(lines))
    return lines


FEW = ["model.features=3", "task.length=5", "trainer.steps=4", "trainer.eval_every=2"]
FEW += ["trainer.batch_size=4", "logger.mode=disabled", "--config-dir", "my_configs"]


def test_a_task_of_ones_own_trains_from_a_file(sensors, capsys):
    assert main(["run", "model=gru", "task=sensors", *FEW]) == 0
    assert "accuracy test" in capsys.readouterr().out


@pytest.mark.usefixtures("sensors")
def test_a_task_and_a_layer_of_ones_own_keep_all_laws(capsys):
    assert main(["check", "model=stack", "model.layers=[average]", "task=sensors", *FEW]) == 0
    said = capsys.readouterr().out
    assert "Average, float64: unroll is step: ok" in said
    assert "Sensors: padding weighs nothing: ok" in said


@pytest.mark.full
@pytest.mark.usefixtures("sensors")
def test_a_layer_of_ones_own_trains_with_its_width_matched(capsys):
    models = ["model=stack", "model.layers=[average]"]
    matched = ["match=params", "match.budget=300", "match.tolerance=0.2"]
    few = [setting for setting in FEW if not setting.startswith("model.features")]
    assert main(["sweep", *models, "task=sensors", *matched, *few]) == 0
    assert "1 finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2,0.1,high", "sensors.csv, line 6: could not convert string to float: 'high'"),
        (
            "3,0.1,0.2",
            "Sensors, valid split: targets, row 1 is label 3, but the spec's classes are",
        ),
        ("1,0.1,nan", "Sensors, valid split: inputs, row 1, place [1, 0] is nan, but must be"),
        ("1,1,1,1,1,1,1", "sequence 5 has 6 steps, and 5 is the most"),
    ],
)
def test_a_malformed_row_is_one_clear_line(sensors, line, said, capsys):
    sensors[5] = line
    Path("sensors.csv").write_text("\n".join(sensors))
    assert main(["run", "model=gru", "task=sensors", *FEW]) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert said in error
    assert not Path("runs").exists()


NUMBERS = range(20)
TEXTS = {
    "reviews.tsv": [
        "text\tlabel",
        *(f"a fine film {n}\tgood" for n in NUMBERS),
        *(f"too long {n}\tbad" for n in NUMBERS),
    ],
    "tags.jsonl": [f'{{"text": "the cat{n}", "label": "DET NOUN"}}' for n in NUMBERS],
    "book.txt": ["To be, or not to be, that is the question." for _ in range(60)],
    "glove.6B.100d.txt": [f"{word} " + " ".join(["0.5"] * 100) for word in ("fine", "too", "the")],
}


@pytest.mark.full
@pytest.mark.parametrize("command", [c for c in COMMANDS if "task=text" in c])
def test_text_of_ones_own_trains_from_its_file(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, lines in TEXTS.items():
        Path(name).write_text("\n".join(lines))
    for name, value in TIMES.items():
        monkeypatch.setattr(measure, name, value)
    few = ["model.features=3", "trainer.steps=2", "trainer.eval_every=1", "trainer.batch_size=4"]
    assert main([*shlex.split(command)[1:], *few, "logger.mode=disabled"]) == 0
    assert f"{2 if ',' in command else 1} finished" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_one_clear_line(sensors, capsys):
    Path("sensors.csv").unlink()
    assert main(["run", "model=gru", "task=sensors", *FEW]) == 2
    assert "Sensors cannot read its data: " in capsys.readouterr().err
