"""What a page is told of a study that grows between two questions."""

from __future__ import annotations

import json
import shutil
from datetime import datetime

import pytest
from growing_study import STARTED, add, at, hold, write_run

from seqexp.runs.attempts import Attempt, write
from seqexp.watch import study as watched
from seqexp.watch.study import WatchedStudy


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch):
    monkeypatch.setattr(watched, "LOOK", 0.0)


class Page:
    """Keeps what it was told, as the page does."""

    def __init__(self, study: WatchedStudy) -> None:
        self.study, self.token, self.version = study, "", 0
        self.rows: dict[str, dict] = {}

    def look(self) -> set[str]:
        """Returns the runs that something new is told of."""
        told = json.loads(json.dumps(self.study.changes(self.token, self.version)))
        self.token, self.version, self.problem = told["token"], told["version"], told["problem"]
        self.told = told
        for name in told["gone"]:
            self.rows.pop(name, None)
        self.rows |= {row["run"]: row for row in told["runs"]}
        return {row["run"] for row in told["runs"]} | {*told["gone"]}


def test_only_what_is_new_is_told(tmp_path):
    study = tmp_path / "study"
    a, b = (write_run(study, id) for id in "ab")
    page = Page(WatchedStudy(study))
    assert page.look() == {"a", "b"} and page.look() == set()
    add(a, at(10, 0.5, 0.4))
    assert page.look() == {"a"}
    assert page.rows["a"]["step"] == 10 and page.rows["a"]["steps"] == 100
    assert page.rows["a"]["score"] == {"name": "mse", "goal": "min", "value": 0.4, "step": 10}
    add(a, at(20, 0.3, None))  # not finite
    write_run(study, "c")
    assert page.look() == {"a", "c"}
    assert page.rows["a"]["step"] == 20 and page.rows["a"]["score"]["value"] == 0.4
    shutil.rmtree(b)
    assert page.look() == {"b"} and set(page.rows) == {"a", "c"}
    write_run(study, "b")
    assert page.look() == {"b"} and set(page.rows) == {"a", "b", "c"}
    # The versions of another process say nothing.
    late = Page(WatchedStudy(study))
    late.token, late.version = page.token, page.version + 100
    assert late.look() == {"a", "b", "c"}


def test_pieces_of_a_curve_make_the_curve(tmp_path):
    study = tmp_path / "study"
    folder = write_run(study, "a")
    watch = WatchedStudy(study)
    add(folder, at(10, 0.5, 0.4), at(20, 0.4, 0.3))
    first = watch.curves("mse", {"a": (0, 0), "no such": (0, 0)})
    assert first == {"a": (0, 0, [10, 20], [0.5, 0.4], [0.4, 0.3])}
    add(folder, at(30, 0.3, None))
    assert watch.curves("mse", {"a": (0, 2)})["a"] == (0, 2, [30], [0.3], [None])
    # It trains again from the start: nothing that was told counts.
    (folder / "metrics.jsonl").unlink()
    add(folder, at(10, 9, 8))
    assert watch.curves("mse", {"a": (0, 3)})["a"] == (1, 0, [10], [9], [8])


def test_how_far_runs_are(tmp_path):
    study = tmp_path / "study"
    for id, changes in {
        "done": {
            "status": "finished",
            "valid": {"mse": 0.25},
            "score": {"name": "mse", "goal": "min", "step": 90, "valid": 0.25, "test": 0.5},
        },
        "lost": {"status": "diverged", "diverged_step": 43},
        "failed": {"status": "failed", "error": "no memory"},
        "old": {"format": 0},
        "trains": {},
        "stopped": {},
    }.items():
        add(write_run(study, id, **changes), at(40, 0.5, 0.5))
    (study / "torn").mkdir()
    (study / "torn" / "run.json").write_text('{"format": 1, "id"')
    (study / "report").mkdir()
    hold(study, "trains")
    page = Page(WatchedStudy(study))
    page.look()
    seen = {id: (row["status"], row["why"], row["step"]) for id, row in page.rows.items()}
    assert seen == {
        "done": ("finished", "", 100),
        "lost": ("diverged", "at step 43", 43),
        "failed": ("failed", "no memory", 40),
        "old": ("unreadable", "run.json: format 0 is not 1, the one known here", 40),
        "torn": ("unreadable", "run.json is damaged or can't be read", 0),
        "trains": ("running", "", 40),
        "stopped": ("waiting", "no process trains it", 40),
    }
    assert page.rows["done"]["score"]["value"] == 0.25
    assert page.told["began"] == datetime.fromisoformat(STARTED).timestamp()
    write(study / "trains", Attempt(0, 0, "measuring costs", None))
    shutil.rmtree(study / ".locks")
    hold(study, "stopped")
    assert page.look() == {"trains", "stopped"}
    assert page.rows["trains"]["status"] == "waiting"
    hold(study, "trains")
    page.look()
    assert page.rows["trains"]["why"] == "measuring costs"


def test_a_finished_run_is_read_when_its_curves_are_asked_for(tmp_path):
    study = tmp_path / "study"
    score = {"name": "mse", "goal": "min", "step": 10, "valid": 0.4, "test": 0.4}
    folder = write_run(study, "a", status="finished", score=score, valid={"mse": 0.4})
    add(folder, at(10, 0.5, 0.4) | {"train/grad_norm": 2.0})
    page = Page(WatchedStudy(study))
    page.look()
    assert page.rows["a"]["metrics"] == ["mse"]
    assert page.study.curves("mse", {"a": (0, 0)})["a"].valid == [0.4]
    assert page.look() == {"a"} and page.rows["a"]["metrics"] == ["grad_norm", "mse"]
    # Trained again, it is followed again.
    write_run(study, "a")
    add(folder, at(20, 0.3, 0.2))
    page.look()
    assert page.rows["a"]["status"] == "waiting" and page.rows["a"]["step"] == 20


def test_what_a_run_last_showed(tmp_path):
    study = tmp_path / "study"
    folder = write_run(study, "a")
    watch = WatchedStudy(study)
    nothing = watch.detail("a")
    assert nothing is not None and not any(nothing.values())
    assert watch.detail("b") is None
    (folder / "pictures").mkdir()
    for step in (10, 20):
        path = f"pictures/roll-{step}.png"
        (folder / path).write_bytes(b"")
        shown = {"step": step, "texts": [f"text {step}"], "pictures": {"roll": path}}
        add(folder, shown, file="samples.jsonl")
        detail = watch.detail("a")
        assert detail is not None
        assert (detail["step"], detail["texts"]) == (step, [f"text {step}"])
        [picture] = detail["pictures"]
        assert (picture["name"], picture["path"]) == ("roll", path)
    with open(folder / "samples.jsonl", "a") as file:
        file.write('{"step": 30, "te')  # torn
    add(folder, {"step": 20, "warnings": ["saturated"], "x": 1}, file="inspection.jsonl")
    (folder / "inspection" / "figures").mkdir(parents=True)
    for name in ("hidden.png", "hidden.svg", "step.npz"):
        (folder / "inspection" / "figures" / name).write_bytes(b"")
    detail = watch.detail("a")
    assert detail is not None
    assert (detail["step"], detail["inspected"], detail["warnings"]) == (20, 20, ["saturated"])
    assert [f["path"] for f in detail["figures"]] == ["inspection/figures/hidden.png"]


def test_a_study_that_is_not_there_yet_and_goes_again(tmp_path):
    study = tmp_path / "study"
    page = Page(WatchedStudy(study))
    assert page.look() == set() and "is not there yet" in page.problem
    study.mkdir()
    assert page.look() == set() and page.problem == ""
    write_run(study, "a")
    assert page.look() == {"a"}
    shutil.rmtree(study)
    assert page.look() == {"a"} and page.rows == {} and "is not there" in page.problem


def test_a_link_out_of_the_study_is_left_out(tmp_path):
    study = tmp_path / "study"
    write_run(study, "a")
    write_run(tmp_path / "other", "b")
    (study / "link").symlink_to(tmp_path / "other" / "b")
    page = Page(WatchedStudy(study))
    assert page.look() == {"a"} and page.problem.endswith("links out of the study: link")


def test_nothing_is_written(tmp_path):
    study = tmp_path / "study"
    folder = write_run(study, "a")
    add(folder, at(10, 0.5, 0.4))
    hold(study, "a")
    (study / ".locks" / "dead").mkdir()
    (study / ".locks" / "dead" / "token").write_text("{}")

    def state():
        return {p: (p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in tmp_path.rglob("*")}

    before = state()
    watch = WatchedStudy(study)
    watch.changes("", 0)
    watch.curves("mse", {"a": (0, 0)})
    watch.detail("a")
    assert state() == before
