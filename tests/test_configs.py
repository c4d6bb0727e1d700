"""Every config of the menu composes, builds, and gives a model that fits its task."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import pytest
from flax import nnx
from hydra import compose, initialize_config_dir, initialize_config_module

from seqexp.commands.composition import Composed, points_in
from seqexp.commands.configs import config_folder
from seqexp.data.download import DATA_DIR
from seqexp.sweeps.point import Point
from seqexp.training import Hyper
from seqexp.training.step import graph, init_member, loss_and_sums
from seqexp.types import SeqexpError

MENU = config_folder()


def menu(group: str) -> list[str]:
    return sorted(path.stem for path in (MENU / group).glob("[!_]*.yaml"))


def point(*overrides: str) -> Point:
    with initialize_config_dir(str(MENU), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
    return points_in([Composed.of(config)])[0]


def loss_shape(composed: Point) -> tuple[int, ...]:
    """Trace the training loss of a batch that has the shapes the task's spec promises."""
    experiment = composed.build()
    spec = experiment.task.spec
    state = jax.eval_shape(partial(init_member, experiment, Hyper.example()))

    def loss(params, batch):
        return loss_and_sums(experiment, graph(experiment), params, batch, None)[0]

    kinds = ("labels", "values") if spec.targets is None else (spec.targets,)
    for kind in kinds:
        batch = replace(spec, targets=kind).example(batch_size=2)
        try:
            return jax.eval_shape(loss, state.params, batch).shape
        except (TypeError, ValueError, SeqexpError):
            continue
    raise AssertionError("no shape of targets fits the task's loss")


@pytest.mark.parametrize("task", menu("task"))
@pytest.mark.parametrize("model", menu("model"))
def test_every_model_fits_every_task(model, task):
    assert loss_shape(point(f"model={model}", f"task={task}")) == ()


@pytest.mark.parametrize("name", menu("cell_dropout"))
@pytest.mark.parametrize("model", menu("model"))
def test_every_dropout_wraps_every_cell_that_has_what_it_drops(model, name):
    wrapped = point(f"model={model}", f"cell_dropout={name}")
    if model == "stack":
        with pytest.raises(SeqexpError, match="model.cell_dropout is for models of one cell"):
            wrapped.build().model(wrapped.build().task.spec, rngs=nnx.Rngs(0))
    elif name == "recurrent" and model in ("rnn", "irnn"):
        with pytest.raises(SeqexpError, match="update"):
            loss_shape(wrapped)
    else:
        assert loss_shape(wrapped) == ()


@pytest.mark.parametrize("name", menu("optimizer"))
def test_every_optimizer_builds(name):
    experiment = point(f"optimizer={name}").build()
    assert experiment.optimizer.scale.init is not None


@pytest.mark.parametrize("name", menu("experiment"))
def test_every_experiment_composes_with_the_grid_that_it_names(name):
    with initialize_config_dir(str(MENU), version_base="1.3"):
        config = compose("config", [f"experiment={name}"], return_hydra_config=True)
    params = config.hydra.sweeper.params
    assert params, "an experiment is a sweep"
    assert config.study == name, "its runs go to a folder of its name"
    for key, value in params.items():
        for choice in str(value).split(","):
            assert point(f"experiment={name}", f"{key}={choice}").build()


def test_the_menu_is_found_in_the_checkout():
    assert MENU == Path(__file__).parents[1] / "conf"
    assert DATA_DIR == "SEQEXP_DATA_DIR"


def test_the_menu_is_a_package_for_programs_that_use_hydra_themselves():
    with initialize_config_module("seqexp.conf", version_base="1.3"):
        assert compose("config", ["model=gru"]).model.cell._target_ == "seqexp.cells.GRU"
