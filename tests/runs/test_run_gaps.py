"""What a closed record lacks is named."""

from __future__ import annotations

import pytest

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
    assert gaps(tmp_path, FINISHED) == ["its manifest.json is missing", "its weights are missing"]
    write_json_atomic(tmp_path / "manifest.json", {})
    (tmp_path / "weights.msgpack").write_bytes(b"w")
    assert gaps(tmp_path, FINISHED) == []
    assert gaps(tmp_path, {**FINISHED, "status": "diverged", "diverged_step": 10}) == []
    (tmp_path / "manifest.json").write_text("{")
    (tmp_path / "metrics.jsonl").write_text("garbage\n")
    assert gaps(tmp_path, FINISHED) == [
        "its manifest.json is damaged",
        "its metrics.jsonl is damaged",
    ]
