"""Two precisions in one sweep: compared as models are, recorded, and loaded back as trained."""

from __future__ import annotations

import numpy as np
import pytest

import seqexp as package
from seqexp.analysis.table import tabulate
from tests.sweeps.tiny import TINY, runs, seqexp


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    precisions = "trainer.precision=float32,bfloat16"
    rates = "optimizer.learning_rate=1e-3,1e-2"
    code = seqexp("sweep", *TINY, "model=gru", precisions, rates, f"runs_dir={place}", "study=a")
    assert code == 0
    return place / "a"


def test_validation_chooses_within_a_precision_and_not_among_them(study):
    table = tabulate(package.load(study))
    chosen = table.loc[table["chosen"], "name"].to_list()
    assert len(table) == 4 and len(chosen) == 2
    assert sorted(chosen) == ["gru", "gru precision=bfloat16"]


def test_a_runs_name_tells_the_precision_where_it_is_not_the_usual_one(study):
    names = {run["name"] for run in runs(study).values()}
    assert names == {
        f"gru digits lr={rate}{precision} seed 0"
        for rate in ("0.001", "0.01")
        for precision in ("", " precision=bfloat16")
    }


def test_each_has_costs_of_its_own_and_other_weights(study):
    by_precision = {}
    for id, run in runs(study).items():
        key = run["config"]["trainer"]["precision"], run["config"]["optimizer"]["learning_rate"]
        by_precision[key] = study / id
    assert len(by_precision) == 4
    low, high = (by_precision[precision, 1e-2] for precision in ("bfloat16", "float32"))
    assert (low / "cost.json").read_bytes() != (high / "cost.json").read_bytes()
    assert (low / "weights.msgpack").read_bytes() != (high / "weights.msgpack").read_bytes()


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_loaded_run_computes_in_the_precision_that_it_was_trained_in(study, split):
    for id, run in runs(study).items():
        loaded = package.load_run(study / id)
        assert loaded.evaluate(split) == run[split]
        part = next(iter(loaded.task.load().held_out[split]))
        outputs = loaded.predict(part.inputs.values, part.inputs.lengths)
        accuracy = np.mean(outputs.argmax(-1) == np.asarray(part.targets))
        assert accuracy == pytest.approx(run[split]["accuracy"])
