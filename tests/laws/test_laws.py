"""What keeps the laws passes, and what breaks one is told which, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.laws import check, check_quickly, everything
from seqexp.laws.differences import difference
from seqexp.layers import Recurrent
from seqexp.tasks import Adding
from seqexp.types import Mean, SeqexpError
from tests.laws.own_cells import Carryless
from tests.sweeps.tiny import seqexp
from tests.test_configs import point

SMALL = ["model=gru", "model.features=3", "trainer.batch_size=4", "logger.mode=disabled"]
ADDING = ["task=adding", "task.length=6", "task.valid_examples=10", "task.test_examples=10"]
COPY = ["task=copy_memory", "task.blanks=2", "task.digits=2"]
COPY += ["task.valid_examples=10", "task.test_examples=10"]


def own(cell: str, *overrides: str):
    return [*SMALL, *overrides, f"model.cell._target_=tests.laws.own_cells.{cell}"]


def broken(experiment) -> dict[str, str]:
    verdicts = check(experiment, experiment.task.load())
    return {f"{v.about}: {v.law}": v.problem for v in verdicts if v.problem}


@pytest.mark.full
@pytest.mark.parametrize(
    "overrides", [ADDING, pytest.param(COPY, marks=pytest.mark.full)], ids=["adding", "copy"]
)
def test_what_is_on_the_menu_keeps_them_all(overrides):
    assert broken(point(*SMALL, *overrides).build()) == {}


def test_a_cell_that_doubles_its_input_is_found():
    found = broken(point(*own("Doubled", *ADDING)).build())
    assert "off by" in found["SequenceModel, float64: steps are the whole"]
    assert found["Recurrent of Doubled, float64: unroll is step"].startswith("outputs: ")


@pytest.mark.full
def test_a_cell_that_reads_padding_is_found():
    found = broken(point(*own("Padded", *ADDING)).build())
    said = found["Recurrent of Padded, float64: unroll is step"]
    assert " of padded sequences: " in said
    assert "Recurrent of Padded, float64: no carry is an empty past" not in found


def test_a_number_differs_from_one_that_is_not_finite():
    one, other = np.array([1.0, 2.0]), np.array([1.0, np.nan])
    assert difference(one, one) is None
    assert difference(other, one) == "is not finite"
    assert "is finite, and not where" in str(difference(one, other))
    assert "is finite, and not where" in str(difference(one, np.array([1.0, np.inf])))


@pytest.mark.full
def test_a_cell_that_looks_ahead_is_found():
    found = broken(point(*own("Ahead", *COPY)).build())
    assert "SequenceModel, float64: causal is causal" in found
    said = found["Recurrent of Ahead, float64: causal is causal"]
    assert said == "the output of step 0 has a gradient by steps [1]"


@dataclass(frozen=True, kw_only=True)
class Wrong(Adding):
    """A task whose metrics are means already, of padding too."""

    def measure(self, prediction, batch):
        error = jnp.square(prediction.outputs - batch.targets).mean()
        return {"loss": Mean(error, jnp.ones(())), "mse": Mean(error, jnp.ones(()))}


@pytest.mark.full
def test_a_task_whose_metrics_do_not_pool_is_found():
    import dataclasses

    small = point(*SMALL, *ADDING).build()
    wrong = dataclasses.replace(small, task=Wrong(length=6, valid_examples=10, test_examples=10))
    found = broken(wrong)
    assert {"Wrong: metrics pool over batches", "Wrong: padding weighs nothing"} <= set(found)


def test_the_quick_one_takes_the_model_in_form_alone(monkeypatch):
    check_quickly(point(*SMALL, *COPY).build())
    with pytest.raises(SeqexpError, match="breaks a law, steps are the whole: .*off by"):
        check_quickly(point(*own("Doubled", *ADDING)).build())
    with pytest.raises(SeqexpError, match="SequenceModel breaks a law, "):
        check_quickly(point(*own("Ahead", *COPY)).build())


def test_own_code_that_breaks_a_law_is_not_trained(tmp_path, capsys):
    few = ["trainer.steps=2", "trainer.eval_every=2", f"runs_dir={tmp_path}", "study=own"]
    assert seqexp("run", *own("Doubled", *ADDING), *few) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "breaks a law, steps are the whole" in said
    assert not list(tmp_path.glob("own/*/metrics.jsonl"))


def test_a_cell_that_has_no_carry_is_found():
    layer = nnx.eval_shape(lambda: Recurrent(Carryless(2, 3, rngs=nnx.Rngs(0))))
    [verdict] = everything._layer_verdicts(layer)
    expected = "Recurrent of Carryless", "it can be unrolled", "ZeroDivisionError: no batch"
    assert verdict == expected


def test_data_that_is_not_there_is_one_line(monkeypatch, capsys):
    def load(task):
        raise FileNotFoundError("sensors.csv")

    monkeypatch.setattr(Adding, "load", load)
    assert seqexp("check", *SMALL, *ADDING) == 2
    assert capsys.readouterr().err == ("seqexp: error: Adding cannot read its data: sensors.csv\n")


def test_the_command_prints_a_line_a_law(capsys):
    assert seqexp("check", *own("Doubled", *ADDING)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "  SequenceModel, float64: padding never matters: ok" in lines
    assert any("steps are the whole: BROKEN: " in line for line in lines)
    assert lines[-1].endswith(" broken")
    assert jax.config.values["jax_enable_x64"] is False
