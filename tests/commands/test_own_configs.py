"""A user's own files and package under --config-dir, and what overrides compose to."""

from __future__ import annotations

import itertools
import json
import logging
import re
import sys
from pathlib import Path

import pytest

from seqexp.commands.composition import points_of
from seqexp.commands.overrides import read
from seqexp.sweeps import Point
from tests.full import full
from tests.sweeps.tiny import TINY, runs, seqexp

CELL = """
import seqexp.cells


class Halved(seqexp.cells.Elman):
    def __init__(self, in_features: int, features: int, *, halves: int, rngs):
        options = {"activation": "tanh", "recurrent_init": "glorot"}
        super().__init__(in_features, features, **options, rngs=rngs)
"""


def points(*arguments: str) -> list[Point]:
    return points_of(read(arguments, "sweep"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of configs, some named as built-in ones, and a package beside it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    files = {
        "conf/model/lstm.yaml": "defaults: [_recurrent, _self_]\n"
        "cell: {_target_: ownpkg.cells.Halved, _partial_: true, halves: 2}\n",
        "conf/trainer/default.yaml": "{steps: 7, batch_size: 4, eval_every: 3, "
        "eval_batch_size: 8, batch_devices: 1}\n",
        "conf/experiment/mine.yaml": "# @package _global_\nstudy: mine\nwidth: 5\n"
        "model: {features: '${width}'}\n",
        "conf/experiment/lost.yaml": "# @package _global_\nwidth: 5\n",
        "conf/experiment/inner.yaml": "# @package _global_\nmodel: {depth: '${model.features}'}\n",
        "conf/experiment/asking.yaml": "# @package _global_\n"
        "study: a-${hydra:job.override_dirname}\n",
        "conf/experiment/broken.yaml": "model: {features: [\n",
        "ownpkg/__init__.py": "",
        "ownpkg/cells.py": CELL,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "ownpkg"]:
        del sys.modules[name]


def test_own_files_come_before_ours_and_an_own_package_is_found_beside_them(project):
    folder = str(project / "conf")
    (point,) = points("seed=3", "--config-dir", folder, "task=digits")  # anywhere among overrides
    cell = point.config["model"]["cell"]
    assert cell["_target_"] == "ownpkg.cells.Halved" and point.config["seed"] == 3
    (other,) = points("--config-dir", folder, "model=gru")
    assert other.config["model"]["cell"]["_target_"] == "seqexp.cells.GRU", "ours are there as well"
    (trainer,) = points("--config-dir", folder, "task=digits", "trainer.steps=8")
    assert trainer.config["trainer"]["eval_batch_size"] == 8


@pytest.mark.usefixtures("free")
def test_a_model_of_an_own_package_trains_without_logger(project, capsys):
    settings = [setting for setting in TINY if not setting.startswith("logger")]
    own = ["--config-dir", str(project / "conf"), f"runs_dir={project / 'runs'}"]
    assert seqexp("run", *settings, *own, "model=lstm", "trainer.steps=1", "logger=null") == 0
    study = project / "runs" / "default"
    ((run_id, run),) = runs(study).items()
    assert run["status"] == "finished" and run["config"]["model"]["cell"]["halves"] == 2
    assert run["config"]["logger"] is None and not (study / run_id / "wandb").exists()
    capsys.readouterr()
    assert seqexp("run", *TINY, *own, "model.cell.halves=yes") == 2
    assert "model.cell.halves must be a whole number, not 'yes'" in capsys.readouterr().err


def test_an_own_config_yaml_comes_before_ours(project):
    ours = Path(__file__).parents[2] / "conf" / "config.yaml"
    own = ours.read_text().replace("study: default", "study: own")
    (project / "conf" / "config.yaml").write_text(own)
    assert points("--config-dir", str(project / "conf"))[0].config["study"] == "own"


def test_a_package_in_the_working_directory_is_found(project, monkeypatch):
    monkeypatch.chdir(project)
    (point,) = points(
        "model=rnn",
        "++model.cell={_target_: ownpkg.cells.Halved, halves: 1e1}",
        "~model.cell.activation",
        "~model.cell.recurrent_init",
    )
    assert point.config["model"]["cell"]["halves"] == 10


def test_a_key_of_ones_own_may_be_used_by_others_and_not_by_none(project, capsys):
    own = ["--config-dir", str(project / "conf")]
    assert points(*own, "experiment=mine")[0].config["model"]["features"] == 5
    assert [
        p.config["model"]["features"] for p in points(*own, "experiment=mine", "width=2,3")
    ] == [
        2,
        3,
    ]
    assert seqexp("run", *own, "experiment=lost", f"runs_dir={project / 'runs'}") == 2
    assert "no key width" in capsys.readouterr().err


def test_a_key_inside_a_node_that_is_read_makes_none_of_its_name_elsewhere(project, capsys):
    own = ["model=gru", "--config-dir", str(project / "conf"), "experiment=inner"]
    assert points(*own)[0].config["model"]["depth"] == 64
    assert seqexp("run", *own, "+features=5", f"runs_dir={project / 'runs'}") == 2
    assert "no key features: did you mean model.features?" in capsys.readouterr().err


def test_a_file_that_is_no_yaml_is_one_line(project, capsys):
    own = ["--config-dir", str(project / "conf")]
    assert seqexp("run", *own, "experiment=broken", f"runs_dir={project / 'runs'}") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "broken.yaml" in err


TASK = "_target_: seqexp.tasks.Adding, length: 9, valid_examples: 9, test_examples: 9"


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        # Without its first line, the file of a task says what is in `task.task`.
        ("task", f"task: {{{TASK}}}\n", "begins with the line `# @package _global_`"),
        full("task", "", "begins with the line `# @package _global_`"),
        full(
            "task",
            "# @package _global_\ntask: {_target_: collections.Counter}\n",
            "task._target_ gives a Counter, which is no task: derive it from seqexp.types.Task",
        ),
        ("model", "", "model._target_ is missing"),
        ("model", "_target_: collections.Counter\n", "say `_partial_: true` beside it"),
    ],
)
def test_a_file_that_names_no_task_or_model_is_one_line(tmp_path, capsys, kind, text, said):
    path = tmp_path / "conf" / kind / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    asked = {"task": "adding", "model": "gru"} | {kind: "mine"}
    words = [f"{key}={value}" for key, value in asked.items()]
    own = ["--config-dir", str(tmp_path / "conf"), f"runs_dir={tmp_path / 'runs'}"]
    for command in (["run", *words], ["check", *words]):
        assert seqexp(*command, *(own if command[0] == "run" else own[:2])) != 0
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and said in err, err


def test_null_removes_a_group():
    bare, zoneout = points("cell_dropout=null,zoneout")
    assert "cell_dropout" not in bare.config["model"]
    assert zoneout.config["model"]["cell_dropout"]["rate"] == 0.1
    for said in ("logger=null", "~logger"):
        assert points(said)[0].config["logger"] is None
    assert points("match=null")[0].config.get("match") is None
    one = ["model=gru", "task=digits", "seed=0", "optimizer.learning_rate=0.01"]
    (point,) = points("experiment=frontier", "match=null", *one)
    assert point.config.get("match") is None


def test_an_option_of_a_choice_that_is_swept():
    composed = points("cell_dropout=zoneout,recurrent", "model.cell_dropout.rate=0.3")
    assert [point.config["model"]["cell_dropout"]["rate"] for point in composed] == [0.3, 0.3]
    assert [point.choices["cell_dropout"] for point in composed] == ["zoneout", "recurrent"]


def test_a_grid_of_an_experiment_is_narrowed_by_the_command_line():
    composed = points("experiment=frontier", "seed=7", "model=gru")
    assert len(composed) == 3 * 2
    assert {point.config["seed"] for point in composed} == {7}


@pytest.mark.parametrize(
    "grid",
    [
        {"model": "rnn,gru", "model.features": "3,4", "seed": "range(0,2)"},
        full({"cell_dropout": "null,zoneout", "model.dropout": "0.1,0.2"}, id="choices"),
        full({"optimizer.clip_norm": "null,1.0", "trainer.steps": "10,20"}, id="nulls"),
        # Values that others read, that are replaced as a whole, that belong together.
        full({"experiment": "inner", "model.features": "3,4"}, id="read by others"),
        full({"model.features": "3,${seed}", "seed": "5,6"}, id="interpolated"),
        full({"logger.tags": "[a,b],[c]", "seed": "0,1"}, id="lists"),
        full({"model.cell": "{reset: before},{_partial_: true}", "model": "gru"}, id="mappings"),
        full({"experiment": "asking", "seed": "0,1"}, id="asking Hydra"),
    ],
    ids=lambda grid: " ".join(grid),
)
def test_a_grid_is_what_hydra_makes_of_each_of_its_points(project, grid):
    def one_by_one():
        folder, names = project / "conf", list(grid)
        for values in itertools.product(*(_split(each) for each in grid.values())):
            said = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
            (alone,) = points("--config-dir", str(folder), *said)
            yield alone.config, alone.choices

    said = [f"{name}={values}" for name, values in grid.items()]
    together = points("--config-dir", str(project / "conf"), *said)
    assert [(point.config, point.choices) for point in together] == list(one_by_one())


def _split(values: str) -> list[str]:
    if values == "range(0,2)":
        return ["0", "1"]
    return re.split(r",(?![^\[{]*[\]}])", values)


def test_globs_and_ranges_are_tried_and_what_starts_with_an_underscore_is_no_choice():
    found = [point.model for point in points("model=glob(*rnn)")]
    assert found == ["cornn", "exprnn", "indrnn", "irnn", "qrnn", "rnn", "ugrnn"]
    assert "_recurrent" not in [point.model for point in points("model=glob(*)")]
    assert [point.config["seed"] for point in points("seed=range(3)")] == [0, 1, 2]


def test_counts_are_whole_from_then_on_and_text_is_not_read_as_a_number():
    (point,) = points("trainer.steps=1e3", "study=2024_11", "logger.tags=[2024,v1]")
    assert point.config["trainer"]["steps"] == 1000
    assert type(point.config["trainer"]["steps"]) is int
    assert point.config["study"] == "2024_11"
    assert point.config["logger"]["tags"] == ["2024", "v1"]


@pytest.mark.parametrize("tag", ["a 007", "v1_0", "1.2_3", "12:05", "2024-01", "0.05"])
def test_text_with_digits_stays_as_it_is_written(tag):
    (point,) = points(f"logger.tags=['2024_11',x{tag}]")
    assert point.config["logger"]["tags"] == ["2024_11", f"x{tag}"]


@pytest.mark.full
@pytest.mark.parametrize(
    "plugins",
    [
        ["hydra/launcher=basic", "hydra/sweeper=basic"],
        ["hydra/sweeper=basic"],
        ["hydra/launcher=basic"],
    ],
)
def test_other_launchers_and_sweepers_work(plugins, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [*TINY, "trainer.steps=1", *plugins, f"runs_dir={tmp_path / 'r'}"]
    typed = ["bin/seqexp", "run", *arguments]
    monkeypatch.setattr(sys, "argv", typed)
    assert seqexp("run", *arguments) == 0
    (name,) = runs(tmp_path / "r" / "default")
    manifest = json.loads((tmp_path / "r" / "default" / name / "manifest.json").read_text())
    assert manifest["command"] == typed


def test_what_hydra_shows(project, capsys, monkeypatch):
    # For --info Hydra adds a handler that writes to what is stdout now.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    own = ["--config-dir", str(project / "conf")]
    assert seqexp("run", "model=lstm", *own, "--cfg", "job") == 0
    assert "ownpkg.cells.Halved" in capsys.readouterr().out
    assert seqexp("run", "--info", "defaults") == 0
    assert "optimizer" in capsys.readouterr().out
    assert seqexp("sweep", "--cfg", "job", "seed=0,1") == 2
    assert "one value" in capsys.readouterr().err


def test_the_menu_and_the_version(capsys):
    assert seqexp("run", "--help") == 0
    out = capsys.readouterr().out
    assert "gru, indrnn, irnn, kda" in out and "_recurrent" not in out and "--config-dir" in out
    assert seqexp("--version") == 0
    assert capsys.readouterr().out.startswith("seqexp 0.")


def test_cost_takes_own_files_and_measures_a_program_once(project, monkeypatch, capsys):
    from seqexp.costs import CostLedger
    from seqexp.sweeps import random_costs

    seen = []

    def measured(point, length):
        seen.append((point.model, point.config["model"]["cell"]["_target_"]))
        return CostLedger(parameters=1)

    monkeypatch.setattr(random_costs, "cost_at", measured)
    monkeypatch.setattr(random_costs, "peak_resident_at", lambda point, length: None)
    command = [
        "cost",
        "model=glob([lstm,rnn])",
        "--config-dir",
        str(project / "conf"),
        "seed=range(2)",
    ]
    assert seqexp(*command, f"runs_dir={project / 'runs'}") == 0
    assert seen == [("lstm", "ownpkg.cells.Halved"), ("rnn", "seqexp.cells.Elman")]
    (folder,) = (project / "runs" / "default" / "cost").iterdir()
    assert json.loads((folder / "cost.json").read_text())["configs"]


def test_the_environment_of_wandb_comes_before_our_defaults_and_an_override_before_it(monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert points()[0].config["logger"]["mode"] == "offline"
    for name, value in (("MODE", "disabled"), ("PROJECT", "mine"), ("ENTITY", "us")):
        monkeypatch.setenv(f"WANDB_{name}", value)
    logger = points()[0].config["logger"]
    assert logger == {"mode": "disabled", "project": "mine", "entity": "us", "tags": []}
    overridden = points("logger.mode=offline", "logger.project=p")[0].config["logger"]
    assert (overridden["mode"], overridden["project"]) == ("offline", "p")


def test_a_mode_from_the_environment_is_told_or_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("seqexp.sweeps.execute", lambda points: [])
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert seqexp("run", f"runs_dir={tmp_path}") == 0
    assert "wandb is disabled, as WANDB_MODE says" in capsys.readouterr().err
    monkeypatch.setenv("WANDB_MODE", "sometimes")
    assert seqexp("run", f"runs_dir={tmp_path}") == 2
    assert "logger.mode must be one of online, offline, disabled" in capsys.readouterr().err
    monkeypatch.delenv("WANDB_MODE")
    assert seqexp("run", "logger=null", f"runs_dir={tmp_path}") == 0
    assert "WANDB_MODE" not in capsys.readouterr().err
