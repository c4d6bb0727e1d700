"""Every number of a report is recomputed from the records by code that shares none with it."""

from __future__ import annotations

import html
import json
import re
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from audit_check import Check
from page_reader import Page
from recomputed import Truth
from report_audit import Audit
from synthetic_records import PARAMETERS, TASKS, write_json, write_lines, write_run

from seqexp.analysis import canvas, report

RECORDS = Path(__file__).parents[2] / "experiments" / "budgets" / "results" / "records.tar.xz"
RATES = (0.01, 0.03, 0.1)


def planted(study: Path, seeds: int, fewest: int) -> Path:
    """Six models with three learning rates on two tasks, and all that may befall a run.

    Args:
        study: where to write it.
        seeds: of most models.
        fewest: seeds of the last model on digits.
    """
    rng = np.random.default_rng(3)
    for task, (_, goal) in TASKS.items():
        for m, (model, units) in enumerate((m, u) for m in PARAMETERS for u in (8, 16)):
            for rate in RATES:
                last = model == "lstm" and units == 16
                n = fewest if last and task == "digits" else seeds - last
                for seed in range(n):
                    # The middle rate is best but for rnn; what units do is small beside luck.
                    level = 0.02 * m + 0.3 * abs(np.log10(rate / (0.1 if model == "rnn" else 0.03)))
                    level += 0.02 * rng.exponential()
                    same = (model, units, task) == ("gru", 8, "digits")
                    best = 0.1 if same else 0.01 + level
                    test = best if same else best + 0.01 * rng.standard_normal()
                    best, test = (best, test) if goal == "min" else (1 - best, 1 - test)
                    lost = {(0.1, 1): "diverged", (0.01, 2): "failed"}.get((rate, seed), "")
                    lost = lost if (model, units) == ("gru", 16) else ""
                    lost = "diverged" if (model, rate, task) == ("lstm", 0.1, "adding") else lost
                    lost = "diverged" if (model, units, seed) == ("lstm", 8, 3) else lost
                    running = (model, units, rate, seed) == ("rnn", 8, 0.01, 0)
                    status = lost or ("running" if running else "finished")
                    _write(study, model, units, task, rate, seed, status, best, test, rng)
    _write_growth(study)
    _spoil(study)
    return study


def _spoil(study: Path) -> None:
    """A test score that is not finite, and a record that is torn: their seeds still count."""
    unscored = study / "rnn-16-digits-0.1-2" / "run.json"
    if unscored.exists():
        run = json.loads(unscored.read_text())
        run["score"]["test"] = run["test"]["accuracy"] = None
        write_json(unscored, run)
    torn = study / "rnn-8-adding-0.1-4" / "run.json"
    if torn.exists():
        torn.write_text(torn.read_text().partition('"model": {')[0])


def _write(study, model, units, task, rate, seed, status, best, test, rng) -> None:
    """One run whose validation score gets best at some step and then a little worse."""
    name, goal = TASKS[task]
    evaluations = 130 if (model, units, seed) == ("rnn", 16, 0) else 12
    peak = int(rng.integers(evaluations // 2, evaluations))
    away = 0.3 * np.abs(np.arange(evaluations) - peak) / evaluations
    curve = best + (away if goal == "min" else -away)
    steps = [10 * (i + 1) for i in range(evaluations)]
    if status != "finished":
        steps, curve = steps[:5], curve[:5]
    records = [
        {
            "step": step,
            "examples": 4 * step,
            "tokens": 40 * step,
            "train/grad_norm": None if step == steps[1] else 2.0 + seed / step,
            "train/loss": 1 / step,
            f"valid/{name}": float(value),
            "valid/loss": float(abs(value - 0.5)),
        }
        for step, value in zip(steps, curve, strict=True)
    ]
    if status == "diverged":
        records.append({"step": 60, "examples": 240, "tokens": 2400, f"valid/{name}": None})
    kept = records[peak] if status == "finished" else {}
    finished = status == "finished"
    score = {"name": name, "goal": goal, "step": kept.get("step")}
    score |= {"valid": kept.get(f"valid/{name}"), "test": test if finished else None}
    ends = {"diverged": {"diverged_step": 57}, "failed": {"error": "out of memory, 3 GB"}}
    folder = write_run(
        *(study, model, task, seed),
        id=f"{model}-{units}-{task}-{rate}-{seed}",
        group=f"{model}-{units}-{task}-{rate}",
        config={
            "seed": seed,
            "task": {"length": 10},
            "model": {"units": units},
            "optimizer": {"learning_rate": rate, "clip_norm": 2.01},
        },
        status=status,
        score=score,
        valid={k[6:]: v for k, v in kept.items() if k.startswith("valid/")},
        test={name: test, "loss": float(abs(test - 0.5))} if finished else {},
        test_targets={name: 360.0, "loss": 360.0} if finished else {},
        held_out=_further(test, seed) if finished and task == "digits" else {},
        **ends.get(status, {}),
    )
    cost = json.loads((folder / "cost.json").read_text())
    for key in ("parameters", "carry_bytes", "program_bytes"):
        cost[key] *= units // 8
    flops = ("training_flops_per_step", "training_flops_per_token", "inference_flops_per_token")
    for key in flops:
        cost[key] = cost[key] * units / 8 + 0.25
    cost["step_seconds"] *= float(rng.uniform(0.8, 1.2))
    cost["decode_seconds_per_token"] = None if model == "rnn" else 1e-6 * units
    write_json(folder / "cost.json", cost)
    write_lines(folder / "metrics.jsonl", records)
    if task == "digits" and units == 8 and seed != 1:
        _inspect(folder, model, seed)
    elapsed = np.cumsum(rng.uniform(0.1, 0.2, len(records)))
    timing = [{"step": r["step"], "seconds": s} for r, s in zip(records, elapsed, strict=True)]
    write_lines(folder / "timing.jsonl", timing)


def _inspect(folder: Path, model: str, seed: int) -> None:
    """Two inspections of one or two layers, the last of which counts; not all is finite."""
    layers = ["layer_1", "layer_2/forward"] if model == "lstm" else ["layer_1"]
    lines, lags = [], np.arange(1, 21)
    (folder / "inspection").mkdir()
    for step in (60, 120):
        line: dict[str, float | int | None] = {"step": step, "dead/layer_1": 0.5}
        arrays = {}
        for i, layer in enumerate(layers):
            half_life = 3.0 + seed / 7 + i + step / 1000
            endless = model == "gru" or (seed == 0 and i == 1)
            line[f"half_life/{layer}"] = None if endless else half_life
            line[f"memory_capacity/{layer}"] = 1.5 * half_life
            line[f"saturated/{layer}"] = seed / 16
            line[f"effective_rank/{layer}"] = 7.25 - seed / 3
            arrays[f"gradient_by_lag/{layer}"] = np.array([[1], [2], [3]]) * 0.5 ** (lags / 3)
            arrays[f"memory/{layer}"] = 0.9**lags
        np.savez(folder / "inspection" / f"{step}.npz", **arrays)
        lines.append(line)
    write_lines(folder / "inspection.jsonl", lines)


def _further(test: float, seed: int) -> dict[str, dict[str, float | None]]:
    """Scores on longer sequences and on a split of another kind; one of them is not finite."""
    loss = 0.25
    return {
        "length 16x": {"accuracy": None if seed == 1 else test / 4, "loss": loss},
        "length 2x": {"accuracy": test / 2, "loss": loss},
        "noisy": {"accuracy": test - 0.125, "loss": loss},
    }


def _write_growth(study: Path) -> None:
    """What `seqexp cost` measures, with laws that hold but for noise."""
    rng = np.random.default_rng(8)
    measured = []
    for varied, sizes in (("length", (64, 128, 256, 512, 1024, 2048)), ("width", (16, 32, 64))):
        for label in ("gru", "lstm"):
            for size in sizes:
                noise = rng.uniform(0.9, 1.1, 4)
                cost = {"step_seconds": 1e-4 * size * noise[0], "prefill_seconds": None}
                cost |= {"decode_seconds_per_token": 2e-5 * noise[1]}
                cost |= {"program_bytes": 3e4 * size**0.5 * noise[2]}
                cost |= {"training_flops_per_step": 7 * size**2}
                sides = {"length": None, "width": None} | {varied: size}
                names = {"task": "adding", "label": label, "model": label, "varied": varied}
                measured.append(names | sides | {"cost": cost})
    folder = study / "cost" / "20261124"
    folder.mkdir(parents=True)
    said = {"format": 1, "manifest": {"device_kind": "cpu"}, "measured": measured}
    write_json(folder / "cost.json", said)


@pytest.fixture(scope="module", autouse=True)
def without_drawings():
    """Drawings are not audited here, and would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "svg", lambda *_: "<svg></svg>")
        patch.setattr(canvas, "pdf", lambda *_: b"")
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = planted(tmp_path_factory.mktemp("runs") / "planted", seeds=5, fewest=3)
    report(folder)
    return folder


@pytest.fixture(scope="module")
def truth(study):
    return Truth(study)


@pytest.fixture(scope="module")
def page(study):
    return Page((study / "report" / "index.html").read_text(encoding="utf-8"))


def audit(truth: Truth, study: Path) -> Check:
    """Everything that the report of a study says."""
    found = Audit(truth)
    found.whole(study / "report")
    return found.check


def test_every_number_of_a_planted_study(study, truth):
    found = audit(truth, study)
    assert found.wrong == []
    assert set(found.checked) == {"records", "table.csv", "results.csv", "results.json"} | {
        "payload",
        "page",
        "sentence",
    }


@pytest.mark.full
def test_models_with_one_and_two_seeds(tmp_path):
    study = planted(tmp_path / "planted", seeds=2, fewest=1)
    report(study)
    assert audit(Truth(study), study).wrong == []


def test_the_whole_page_is_read(study, page):
    """No digit of the markup is lost, but those of drawings, scripts and quotations."""
    markup = (study / "report" / "index.html").read_text(encoding="utf-8")
    assert markup.count("data-value=") == sum(
        cell.value is not None for table in page.tables for row in table.rows for cell in row
    )
    for tag in ("style", "script", "svg"):
        markup = re.sub(rf"<{tag}\b.*?</{tag}>", "", markup, flags=re.DOTALL)
    visible = html.unescape(re.sub(r"<[^>]*>", "", markup))
    texts = [text.text for text in page.texts]
    for table in page.tables:
        texts += [part for heading in table.headings for part in heading]
        texts += [cell.text for row in table.rows for cell in row]
    assert Counter(re.findall(r"\d", " ".join(texts))) == Counter(re.findall(r"\d", visible))


def test_no_number_of_the_page_can_be_another(truth, page):
    """Numbers in cells, those that cells are sorted by, and those in sentences are changed."""
    changed = 0
    for table in page.tables:
        for row, i in [(cells, i) for cells in table.rows for i in range(len(cells))]:
            cell = row[i]
            others = [cell._replace(text=text) for text in _with_another_number(cell.text)]
            if cell.value:
                others.append(cell._replace(value=str(3 * float(cell.value) + 7)))
            for other in others:
                changed += 1
                if changed % 11 == 0:
                    row[i] = other
                    found = Audit(truth)
                    found.tables.audit(table)
                    assert found.check.wrong, other
            row[i] = cell
    for text in page.texts:
        for other in [] if text.quoted else _with_another_number(text.text):
            found = Audit(truth)
            found.sentences.audit(text._replace(text=other))
            assert found.check.wrong, other
    assert changed > 1000


def _with_another_number(text: str) -> list[str]:
    """The text with a 7 before one of its numbers, one after the other."""
    found = re.finditer(r"\d[\d,.]*", text)
    return [f"{text[: one.start()]}7{text[one.start() :]}" for one in found]


def test_no_number_of_the_plots_can_be_another(truth, page):
    data = json.loads(page.data)
    places = list(_numbers(data))
    assert len(places) > 5000
    for place in places[:: len(places) // 50]:
        *way, last = place
        inside = data
        for step in way:
            inside = inside[step]
        value, inside[last] = inside[last], 3 * inside[last] + 7
        found = Audit(truth)
        found.plots.audit(data)
        inside[last] = value
        assert found.check.wrong, place


def _numbers(data, place=()):
    """The places of all numbers in nested data."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _numbers(value, (*place, key))
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield place


def _in_lines(file: str, line: int, key: str):
    def change(folder: Path) -> None:
        lines = [json.loads(text) for text in (folder / file).read_text().splitlines()]
        lines[line][key] = 1.01 * lines[line][key] + 0.001
        write_lines(folder / file, lines)

    return change


def _in_json(file: str, *way: str | int):
    def change(folder: Path) -> None:
        data = json.loads((folder / file).read_text())
        inside = data
        for step in way[:-1]:
            inside = inside[step]
        inside[way[-1]] *= 1.01
        write_json(folder / file, data)

    return change


def test_a_number_of_the_records_that_is_another_is_noticed(study, tmp_path):
    """One number of each kind is changed, of another run of a chosen model each."""
    changes = [
        (
            "gru-8-adding-0.03-0",
            _in_lines("metrics.jsonl", 0, "valid/mse"),
            "payload/adding/curves",
        ),
        (
            "gru-8-adding-0.03-1",
            _in_json("cost.json", "training_flops_per_step"),
            "payload/adding/curves",
        ),
        ("gru-8-adding-0.03-2", _in_lines("metrics.jsonl", 3, "examples"), "payload/adding/curves"),
        ("gru-8-adding-0.03-3", _in_json("cost.json", "step_seconds"), "payload/adding/curves"),
        (
            "lstm-16-adding-0.03-0",
            _in_json("cost.json", "training_flops_per_step"),
            "page/adding/Windows",
        ),
        ("lstm-8-adding-0.03-0", _in_json("cost.json", "step_seconds"), "page/adding/Windows"),
        ("gru-8-adding-0.03-4", _in_json("run.json", "score", "valid"), "best on validation"),
        ("lstm-8-adding-0.03-1", _in_json("run.json", "score", "test"), "page/adding/Comparisons"),
        ("rnn-8-adding-0.1-1", _in_json("cost.json", "step_seconds"), "payload/adding/rnn units=8"),
        ("lstm-8-adding-0.03-2", _in_json("cost.json", "parameters"), "results.csv/planted/lstm-8"),
        (
            "",
            _in_json("cost/20261124/cost.json", "measured", 3, "cost", "step_seconds"),
            "payload/growth",
        ),
    ]
    copy = shutil.copytree(
        study, tmp_path / "planted", ignore=shutil.ignore_patterns("*.svg", "*.pdf")
    )
    for folder, change, _ in changes:
        change(copy / folder)
    wrong = audit(Truth(copy), copy).wrong
    for folder, _, noticed in changes:
        assert any(noticed in line for line in wrong), (folder, noticed)


@pytest.mark.full
def test_every_number_of_the_study_of_budgets(tmp_path):
    """The report of the records that experiments/budgets/pack.py packed."""
    with tarfile.open(RECORDS) as archive:
        archive.extractall(tmp_path, filter="data")
    study = tmp_path / "budgets"
    report(study)
    truth = Truth(study)
    found = audit(truth, study)
    assert found.wrong == []
    assert found.checked.total() > 50_000
    for task in truth.tasks:
        assert len(truth.field(task)) >= 6
