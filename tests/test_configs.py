"""Every config of the menu composes, builds, and gives a model that fits its task."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import pytest
from flax import nnx
from hydra import compose, initialize_config_dir, initialize_config_module

from seqexp.commands.composition import Composed, points_in
from seqexp.commands.configs import config_folder
from seqexp.costs.random_task import RandomTask
from seqexp.data.download import DATA_DIR
from seqexp.layers.cell_dropout import CellDropout
from seqexp.sweeps.point import Point
from seqexp.training import Hyper
from seqexp.training.step import graph, init_member, loss_and_sums
from seqexp.types import SeqexpError, TaskSpec, Tokens
from tests.full import ARCHITECTURES, full
from tests.own_files import with_own_files

MENU = config_folder()


def menu(group: str) -> list[str]:
    return sorted(path.stem for path in (MENU / group).glob("[!_]*.yaml"))


def point(*overrides: str) -> Point:
    """The point of overrides, with files of a user's own where a task needs them."""
    overrides = with_own_files(overrides)
    with initialize_config_dir(str(MENU), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
    return points_in([Composed.of(config)])[0]


def loss_shape(composed: Point) -> tuple[int, ...]:
    """Trace the training loss of a batch that has the shapes the task's spec promises.

    Only its data has targets of the task's own: in place of their loss stands that of random data.
    """
    experiment = composed.build()
    spec = experiment.task.spec
    if spec.targets == "own":
        experiment = replace(experiment, task=RandomTask(spec, batch_size=2))
    state = jax.eval_shape(partial(init_member, experiment, Hyper.example()))

    def loss(params, batch):
        return loss_and_sums(experiment, graph(experiment), params, batch, None)[0]

    if spec.targets == "own":  # Only its data has them.
        batch = spec.example(batch_size=2)
        model = nnx.eval_shape(lambda: experiment.model(spec, rngs=nnx.Rngs(params=0)))
        outputs = jax.eval_shape(
            lambda model, batch: model(batch.inputs, batch.prefix).outputs, model, batch
        )
        assert outputs.shape == (*spec.answer_shape(batch), spec.output_size)
        return ()
    kinds = ("labels", "values") if spec.targets is None else (spec.targets,)
    for kind in kinds:
        batch = replace(spec, targets=kind).example(batch_size=2)
        try:
            return jax.eval_shape(loss, state.params, batch).shape
        except (TypeError, ValueError, SeqexpError):
            continue
    raise AssertionError("no shape of targets fits the task's loss")


ANSWERS = {"bag_of_words": "sequence", "encoder_decoder": "free"}
"""What models give that refuse every other answer."""

FREE = TaskSpec(Tokens(4), "free", 5, 4, causal=False, max_answer_length=3, start=0, end=1)


def fits(model: str, spec: TaskSpec) -> bool:
    """Whether a model of the menu can answer a task."""
    return ANSWERS.get(model, spec.answer) == spec.answer


def pairs_of_the_menu() -> list[Any]:
    """One model with every task, one of each make with a task of each kind of answer, and each
    other model, which is one layer more, with one task."""
    return [
        pair
        if model == "gru" or (model in ARCHITECTURES and task == "copy_memory")
        else full(*pair)
        for model in menu("model")
        for task in menu("task")
        for pair in [(model, task)]
        if model == "gru"
        or task == "copy_memory"
        or (model in ARCHITECTURES and task in ("digits", "multi30k", "text"))
    ]


@pytest.mark.parametrize(("model", "task"), pairs_of_the_menu())
def test_every_model_fits_every_task_or_says_that_it_is_for_others(model, task):
    composed = point(f"model={model}", f"task={task}")
    if fits(model, composed.build().task.spec):
        assert loss_shape(composed) == ()
    else:
        with pytest.raises(SeqexpError, match=r"this task has .*: use another model"):
            loss_shape(composed)


REFUSED = {
    "recurrent": ("update", {"rnn"}),
    "variational": ("hidden_rate=0", {"qrnn"}),
    "drop_connect": ("one recurrent_kernel", {"qrnn"}),
    "zoneout": ("belong together", {"slstm"}),
}
"""What members of the dropout family say to cells that don't have what they drop."""

WRAPPED = ("bag_of_words", "encoder_decoder", "mamba", "qrnn", "rnn", "slstm")
"""Models whose dropout the exhaustive tests try; other cells are wrapped in tests/cells."""


@pytest.mark.parametrize("name", menu("cell_dropout"))
@pytest.mark.parametrize("model", ["lstm", "stack", *map(full, WRAPPED)])
def test_every_dropout_wraps_a_cell_that_has_what_it_drops(model, name):
    config = point(f"model={model}").config["model"]
    if model == "bag_of_words":
        with pytest.raises(SeqexpError, match="no key model.cell_dropout"):
            point(f"model={model}", f"cell_dropout={name}")
        return
    wrapped = point(f"model={model}", f"cell_dropout={name}")
    if model == "encoder_decoder":
        net: Any = nnx.eval_shape(lambda: wrapped.build().model(FREE, rngs=nnx.Rngs(0)))
        cells = [net.encoder.layers[0].forward.cell, net.decoder.layers[0].cell]
        assert all(isinstance(cell, CellDropout) for cell in cells)
    elif "cell" not in config:
        with pytest.raises(SeqexpError, match="model.cell_dropout is for models of one cell"):
            wrapped.build().model(wrapped.build().task.spec, rngs=nnx.Rngs(0))
    elif model in REFUSED[name][1]:
        with pytest.raises(SeqexpError, match=REFUSED[name][0]):
            loss_shape(wrapped)
    else:
        assert loss_shape(wrapped) == ()


@pytest.mark.parametrize("name", menu("optimizer"))
def test_every_optimizer_builds(name):
    experiment = point(f"optimizer={name}").build()
    assert experiment.optimizer.scale.init is not None


@pytest.mark.parametrize(
    "name", [name if name == "frontier" else full(name) for name in menu("experiment")]
)
def test_every_experiment_composes_with_the_grid_that_it_names(name):
    with initialize_config_dir(str(MENU), version_base="1.3"):
        config = compose("config", [f"experiment={name}"], return_hydra_config=True)
    params = config.hydra.sweeper.params
    assert params, "an experiment is a sweep"
    assert config.study == name, "its runs go to a folder of its name"
    grid = {key: str(value).replace(" ", "").split(",") for key, value in params.items()}
    for key in ("model", "task"):  # That each file of these composes is tested above.
        assert set(grid.get(key, ())) <= set(menu(key))
    firsts = {key: choices[0] for key, choices in grid.items()}
    for key, choices in grid.items():
        for choice in choices[:1] if key in ("model", "task") else choices:
            overrides = (f"{k}={v}" for k, v in (firsts | {key: choice}).items())
            assert point(f"experiment={name}", *overrides).build()


def test_the_menu_is_found_in_the_checkout():
    assert MENU == Path(__file__).parents[1] / "conf"
    assert DATA_DIR == "SEQEXP_DATA_DIR"


def test_the_menu_is_a_package_for_programs_that_use_hydra_themselves():
    with initialize_config_module("seqexp.conf", version_base="1.3"):
        assert compose("config", ["model=gru"]).model.cell._target_ == "seqexp.cells.GRU"
