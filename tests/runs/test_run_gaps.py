"""What a closed record lacks is named."""

from __future__ import annotations

import pytest
from flax import serialization

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
    for other, said in {"run": [], "another": ["its weights are another run's"]}.items():
        assert gaps(tmp_path, {**run, "id": other}, thorough=False) == said
    lines = ("timing.jsonl", "samples.jsonl", "metrics.jsonl")
    for name in (*files, *lines):
        (tmp_path / name).write_text("garbage\n")
    (tmp_path / "weights.msgpack").write_bytes(b"w")
    for thorough in (True, False):
        assert gaps(tmp_path, run, thorough) == [
            *(f"its {name} is damaged" for name in files),
            "its weights are damaged",
            *(f"its {name} is damaged" for name in lines),
        ]


def test_weights_are_hashed_only_where_it_is_asked(tmp_path, monkeypatch):
    """Of hundreds of large models that takes long."""
    path = tmp_path / "weights.msgpack"
    checkpoint.write(path, "run", 4, {"w": [0.0] * 1000})
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"x")
    run = {**FINISHED, "id": "run", "config": {}}
    assert "its weights are damaged" in gaps(tmp_path, run)
    monkeypatch.setattr(checkpoint, "read", lambda path: pytest.fail("it was read as a whole"))
    assert not any("weights" in gap for gap in gaps(tmp_path, run, thorough=False))
    content = serialization.msgpack_serialize({"step": 4, "tree": {}})
    path.write_bytes(checkpoint._seal(content) + content)  # Of an earlier version.
    assert not any("weights" in gap for gap in gaps(tmp_path, run, thorough=False))
