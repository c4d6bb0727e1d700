"""The speed study: its rows and tables, and that everybody computes the same."""

from __future__ import annotations

import copy
import functools
import importlib.util
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.full import full

FOLDER = Path(__file__).parents[2] / "experiments" / "speed"


def row(**changes: Any) -> dict[str, Any]:
    values = {
        "level": "cell",
        "cell": "LSTM",
        "pass": "forward+backward",
        "shape": [32, 100, 64, 128],
        "ragged": False,
        "layers": 1,
        "bidirectional": False,
        "members": 1,
        "threads": 2,
        "opponent": "torch",
        "ours_how": "2 devices",
        "ours_devices": 2,
        "theirs_how": "1 thread",
        "ours_ms": 2.0,
        "theirs_ms": 4.0,
        "roofline_fraction": 0.75,
        "runs": 9,
    } | changes
    return values | {"ratio": values["theirs_ms"] / values["ours_ms"]}


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    header = {
        "machine": {"cpu": "a processor", "cores": 2, "system": "a system"},
        "versions": {"python": "3"},
        "command": "make speed",
        "date": "2026-01-02",
        "quick": False,
        "repeats": {},
        "minutes": 20.0,
        "left_out": [],
        "failures": [],
    }
    return {"header": header, "rows": list(rows)}


def test_a_geometric_mean_is_that_of_the_logarithms(study):
    assert math.isclose(study("aims").geometric_mean([0.5, 1, 4, 8]), 2.0)


def test_an_aim_takes_the_worst_and_the_mean_of_its_own_rows(study):
    aims = study("aims")
    (aim,) = [aim for aim in aims.AIMS if aim.what == "LSTM layer against torch"]
    rows = [
        row(theirs_ms=1.8),
        row(theirs_ms=5.0, shape=[32, 100, 16, 64]),
        row(theirs_ms=0.1, ragged=True, opponent="torch packed"),
        row(theirs_ms=0.1, layers=2),
        row(theirs_ms=0.1, bidirectional=True),
        row(theirs_ms=0.1, threads=1),
        row(theirs_ms=0.1, opponent="flax"),
        row(theirs_ms=0.1, cell="GRU"),
        row(theirs_ms=0.1, level="sweep"),
        row(theirs_ms=0.1, **{"pass": "forward"}),
    ]
    found = aims.reached(aim, rows)
    assert found.worst == 0.9 and found.where is rows[0] and found.count == 2
    assert math.isclose(found.mean, 1.5)
    assert not aims.met(aim, found)
    assert aims.met(aim, aims.reached(aim, rows[1:2]))
    assert aims.reached(aim, rows[2:]) is None


def test_the_fraction_of_the_limit_is_that_of_wide_layers(study):
    aims = study("aims")
    (aim,) = [aim for aim in aims.AIMS if aim.of == "roofline_fraction"]
    narrow = row(shape=[32, 100, 16, 64], roofline_fraction=0.1)
    assert aims.reached(aim, [narrow, row(), row(roofline_fraction=None)]).worst == 0.75


def test_rows_that_lack_a_key_or_contradict_themselves_are_refused(study):
    check = study("rows").check
    check(results(row()))
    for spoil in (
        lambda r: r["rows"][0].pop("threads"),
        lambda r: r["rows"][0].update(ours_ms="2"),
        lambda r: r["rows"][0].update(ratio=3.0),
        lambda r: r["rows"][0].update(more=1),
        lambda r: r["header"].pop("versions"),
    ):
        spoilt = copy.deepcopy(results(row()))
        spoil(spoilt)
        with pytest.raises(ValueError, match="row 0|header"):
            check(spoilt)


def test_results_are_saved_whole_or_not_at_all(study, tmp_path):
    rows = study("rows")
    file = tmp_path / "results.json"
    rows.save(results(row(), row(opponent="flax")), file)
    assert rows.load(file) == results(row(), row(opponent="flax"))
    with pytest.raises(ValueError):
        rows.save(results({"level": "cell"}), file)
    assert rows.load(file) == results(row(), row(opponent="flax"))
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(not (FOLDER / "results.json").exists(), reason="the study has not been run")
def test_the_results_in_the_folder_have_every_key(study):
    study("rows").load()


def test_the_tables_say_what_the_rows_say(study, tmp_path):
    tables = study("tables")
    found = results(
        row(),
        row(opponent="flax", theirs_ms=6.0),
        row(cell="GRU", theirs_ms=8.2, shape=[16, 50, 8, 32]),
        row(level="loop", members=8, opponent="seqexp, one core", theirs_ms=3.9),
    )
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{tables.START}\nold\n{tables.END}\nafter\n")
    tables.write(found, readme)
    page = readme.read_text()
    assert page.startswith("before") and page.endswith("after\n") and "old" not in page
    assert "| (32, 100, 64, 128) | 2 (2) | 2.00 | 3.00 | 0.75 | – | – | – |" in page
    assert "| (16, 50, 8, 32) | – | – | – | – | 2 (2) | 4.10 | 0.75 |" in page
    assert "| LSTM layer against torch | 1 | 2.00 |" in page
    assert "| 1.85 | 1.95 |" in page
    assert "2026-01-02" in page and "a processor" in page
    assert page.count(tables.START) == page.count(tables.END) == 1


def test_the_readme_has_the_markers(study):
    tables = study("tables")
    text = tables.README.read_text()
    assert text.index(tables.START) < text.index(tables.END)


def test_the_fastest_way_of_each_name_counts(study, monkeypatch):
    """By a clock that only the contestants move."""
    timing, now = study("timing"), [0.0]

    def takes(seconds: float) -> Callable[[], None]:
        def run() -> None:
            now[0] += seconds

        return run

    monkeypatch.setattr(
        timing, "time", SimpleNamespace(perf_counter=lambda: now[0], sleep=lambda _: None)
    )
    ways = [
        timing.Contestant("one", "slow", takes(0.02)),
        timing.Contestant("one", "fast", takes(0.002)),
        timing.Contestant("other", "", takes(0.004)),
    ]
    best = timing.interleaved(ways, timing.Budget(0.0, 3))
    assert set(best) == {"one", "other"} and best["one"].how == "fast"
    assert best["one"].seconds == pytest.approx(0.002)
    assert best["other"].seconds == pytest.approx(0.004)
    assert best["other"].runs >= 3


def cases(study) -> list[Any]:
    shapes = study("shapes")
    small = shapes.Shape(4, 6, 3, 5)
    found = []
    for cell in shapes.CELLS:
        plain = shapes.Case(cell, True, small)
        found += [plain, replace(plain, layers=2, bidirectional=True, ragged=True)]
    first = found[0]
    return [*found, replace(first, backward=False), replace(first, ragged=True)]


@functools.cache
def computed(study, number: int) -> tuple[Any, Any]:
    """The problem of a case, and our answer on one device."""
    drawn = study("problem").draw(cases(study)[number])
    return drawn, study("ours").Ours(drawn, 1).answer()


@pytest.mark.parametrize("number", [n if n in (0, 6) else full(n) for n in range(8)])
def test_two_devices_and_flax_give_what_one_device_gives(study, number):
    require_equal, flax = study("problem").require_equal, study("flax_layers")
    drawn, answer = computed(study, number)
    assert (answer.weights is not None) == drawn.case.backward
    require_equal(answer, study("ours").Ours(drawn, 2).answer(), "two devices")
    for kind in flax.KINDS[drawn.case.cell][: 1 if drawn.case.layers > 1 else None]:
        require_equal(answer, flax.Flax(drawn, kind).answer(), kind.__name__)


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed (extra: speed)"
)
@pytest.mark.parametrize("number", range(8))
def test_torch_gives_what_we_give(study, number):
    require_equal, torch = study("problem").require_equal, study("torch_layers").Torch
    drawn, answer = computed(study, number)
    require_equal(answer, torch(drawn, 1).answer(), "torch")
    if not drawn.case.bidirectional:
        require_equal(answer, torch(drawn, 2, packed=False).answer(), "torch, padded")


def test_another_answer_is_an_error(study):
    problem = study("problem")
    _, answer = computed(study, 0)
    with pytest.raises(ValueError, match="differs .* outputs"):
        problem.require_equal(answer, answer._replace(outputs=answer.outputs * 1.001), "it")
    with pytest.raises(ValueError, match="differs .* gradient of the input"):
        problem.require_equal(answer, answer._replace(input=answer.input * np.nan), "it")
    with pytest.raises(ValueError, match="no gradients|gradients where"):
        problem.require_equal(answer, answer._replace(weights=None, input=None), "it")
    first = answer.weights[0][0]
    other = first._replace(recurrent=first.recurrent + 1e-3)
    with pytest.raises(ValueError, match="gradient of recurrent, layer 0"):
        problem.require_equal(answer, answer._replace(weights=[[other]]), "it")


def test_the_limit_counts_every_product_of_a_layer(study):
    """2 B T (D + H) N operations forward, three times that with the backward pass, less d/dx_1."""
    shapes, roofline = study("shapes"), study("roofline")
    shape = shapes.Shape(32, 7, 16, 64)
    for cell, gates in shapes.GATES.items():
        for backward in (False, True):
            case = shapes.Case(cell, backward, shape, layers=2, bidirectional=True)
            products = [ways[0] for ways in roofline.products(case, shape.batch)]
            work = sum(p.rows * p.inner * p.columns * p.times for p in products)
            columns = gates * shape.hidden
            layers = [(16 + 64) * columns, (128 + 64) * columns]
            assert work == (3 if backward else 1) * 2 * 32 * 7 * sum(layers)


def test_the_cases_cover_the_shapes(study):
    shapes = study("shapes")
    for threads in (1, 2):
        found = shapes.cell_cases("full", threads)
        assert len(set(found)) == len(found)
        for cell in shapes.CELLS:
            plain = {
                (c.shape, c.backward)
                for c in found
                if (c.cell, c.ragged, c.layers, c.bidirectional) == (cell, False, 1, False)
            }
            assert plain == {(shape, b) for shape in shapes.SHAPES for b in (False, True)}
        for scope in ("quick", "training"):
            assert set(shapes.cell_cases(scope, threads)) <= set(found)
    training = shapes.cell_cases("training", 2)
    assert {c.shape for c in training} == set(shapes.SHAPES)
    assert all(c.backward and c.layers == 1 and not c.bidirectional for c in training)
