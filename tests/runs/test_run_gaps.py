"""What a closed record lacks is named."""

from __future__ import annotations

import pytest

from seqexp.runs import checkpoint
from seqexp.runs.gaps import gaps, missing_steps
from seqexp.runs.store import append, write_json_atomic

TRAINER = {"steps": 9, "eval_every": 4}
FINISHED = {"status": "finished", "config": {"trainer": TRAINER}}


@pytest.mark.parametrize(
    ("run", "recorded", "expected"),
    [
        (FINISHED, [4, 8, 9], []),
        (FINISHED, [4, 8], ["its metrics end at step 8 of 9"]),
        (FINISHED, [], ["its metrics end at step 0 of 9"]),
        (FINISHED, [4, 9], ["its metrics lack step 8"]),
        ({**FINISHED, "config": {}}, [], []),
        ({**FINISHED, "status": "running"}, [], []),
        ({**FINISHED, "status": "diverged", "diverged_step": 7}, [4, 6], []),
        ({**FINISHED, "status": "diverged", "diverged_step": 9}, [4, 8, 9], []),
        ({**FINISHED, "status": "diverged", "diverged_step": 1}, [0], []),
        (
            {**FINISHED, "status": "diverged", "diverged_step": 7},
            [4],
            ["its metrics end at step 4"],
        ),
        ({**FINISHED, "status": "diverged", "diverged_step": 7}, [6], ["its metrics lack step 4"]),
    ],
)
def test_every_evaluation_is_in_the_metrics(run, recorded, expected):
    assert missing_steps(run, recorded) == expected


def test_every_file_of_a_finished_run_is_there(tmp_path):
    for step in (4, 8, 9):
        append(tmp_path / "metrics.jsonl", {"step": step})
        append(tmp_path / "timing.jsonl", {"step": step})
    run = {**FINISHED, "id": "run"}
    files = ("manifest.json", "cost.json")
    assert gaps(tmp_path, run) == [
        *(f"its {name} is missing" for name in files),
        "its weights are missing",
    ]
    for name in files:
        write_json_atomic(tmp_path / name, {})
    checkpoint.write(tmp_path / "weights.msgpack", "run", 4, {})
    assert gaps(tmp_path, run) == []
    assert gaps(tmp_path, {**run, "status": "diverged", "diverged_step": 10}) == []
    assert gaps(tmp_path, {**run, "id": "another"}) == ["its weights are another run's"]
    lines = ("timing.jsonl", "samples.jsonl", "metrics.jsonl")
    for name in (*files, *lines):
        (tmp_path / name).write_text("garbage\n")
    (tmp_path / "weights.msgpack").write_bytes(b"w")
    assert gaps(tmp_path, run) == [
        *(f"its {name} is damaged" for name in files),
        "its weights are damaged",
        *(f"its {name} is damaged" for name in lines),
    ]
