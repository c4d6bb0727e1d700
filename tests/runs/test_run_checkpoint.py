"""Checkpoints: bitwise, atomic, and one step back where the newest is damaged."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.runs import checkpoint


def _tree() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "params": [
            jnp.asarray(rng.standard_normal((3, 4)), jnp.bfloat16),
            rng.standard_normal((2, 0, 5)).astype(np.float32),
            rng.standard_normal(7),
            np.asarray([np.nan, -0.0, np.inf, 1e-45], np.float32),
        ],
        "key": jax.random.key_data(jax.random.key(7)),
        "count": np.asarray(2**40, np.int64),
        "mask": np.asarray([True, False]),
        "complex": np.asarray([1 + 2j], np.complex64),
        "scalar": np.float32(0.1),
        "best": 0.25,
        "names": ["a", None],
    }


def _same(restored: Any, saved: Any) -> None:
    left, structure = jax.tree.flatten(restored)
    right, expected = jax.tree.flatten(saved)
    assert structure == expected
    for one, other in zip(left, right, strict=True):
        if isinstance(other, str | float | int) and not isinstance(other, np.generic):
            assert one == other and type(one) is type(other)
        else:
            other = np.asarray(other)
            one = np.asarray(one)
            assert one.dtype == other.dtype and one.shape == other.shape
            assert one.tobytes() == other.tobytes()


def test_round_trip_is_bitwise(tmp_path: Path) -> None:
    tree = _tree()
    dtypes = {np.asarray(leaf).dtype.name for leaf in jax.tree.leaves(tree)}
    assert {"bfloat16", "uint32", "float64", "float32", "int64"} <= dtypes
    checkpoint.save(tmp_path, "run", 250, tree)
    loaded = checkpoint.load(tmp_path, "run")
    assert loaded is not None and loaded.step == 250
    _same(loaded.tree, tree)


def test_the_same_arrays_are_the_same_bytes(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "a", "run", 1, _tree())
    checkpoint.write(tmp_path / "b", "run", 1, _tree())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, "run", step, {"x": np.full(3, step)})
    assert sorted(os.listdir(tmp_path)) == [checkpoint.CURRENT, checkpoint.PREVIOUS]
    assert checkpoint.read(tmp_path / checkpoint.CURRENT).step == 3
    assert checkpoint.read(tmp_path / checkpoint.PREVIOUS).step == 2


def test_a_step_that_is_saved_again_is_written_again(tmp_path: Path) -> None:
    """Orbax keeps the old arrays and says so only in its return value."""
    for value in (1.0, 2.0):
        checkpoint.save(tmp_path, "run", 5, {"x": np.asarray([value])})
    loaded = checkpoint.load(tmp_path, "run")
    assert loaded is not None and loaded.tree["x"] == 2.0


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _flip_digest(data: bytes) -> bytes:
    return data[:5] + bytes([data[5] ^ 1]) + data[6:]


def _empty(data: bytes) -> bytes:
    return b""


def _zeros(data: bytes) -> bytes:
    return bytes(len(data))


@pytest.mark.parametrize("damage", [_cut, _flip, _flip_digest, _empty, _zeros])
def test_a_damaged_checkpoint_falls_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    for step in (1, 2):
        checkpoint.save(tmp_path, "run", step, {"x": np.full(100, step)})
    newest = tmp_path / checkpoint.CURRENT
    newest.write_bytes(damage(newest.read_bytes()))
    with caplog.at_level(logging.WARNING):
        loaded = checkpoint.load(tmp_path, "run")
    assert loaded is not None and loaded.step == 1 and (loaded.tree["x"] == 1).all()
    assert [record.message.count("is damaged") for record in caplog.records] == [1]
    assert checkpoint.CURRENT in caplog.records[0].message


def test_both_damaged_is_none_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (1, 2):
        checkpoint.save(tmp_path, "run", step, {"x": np.zeros(3)})
    for name in (checkpoint.CURRENT, checkpoint.PREVIOUS):
        (tmp_path / name).write_bytes(b"rubbish")
    with caplog.at_level(logging.INFO):
        assert checkpoint.load(tmp_path, "run") is None
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3
    assert checkpoint.CURRENT in messages[0] and checkpoint.PREVIOUS in messages[1]
    assert "no whole checkpoint" in messages[2]


def test_absent_is_none_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load(tmp_path, "run") is None
    assert not caplog.records


def test_a_crash_at_any_rename_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace
    for allowed in range(4):
        folder = tmp_path / str(allowed)
        folder.mkdir()
        for step in (1, 2):
            checkpoint.save(folder, "run", step, {"x": np.full(10, step)})
        done = []

        def limited(source: Any, target: Any, done: list = done, allowed: int = allowed) -> None:
            if len(done) == allowed:
                raise KeyboardInterrupt
            done.append(target)
            replace(source, target)

        monkeypatch.setattr(os, "replace", limited)
        if allowed < 3:
            with pytest.raises(KeyboardInterrupt):
                checkpoint.save(folder, "run", 3, {"x": np.full(10, 3)})
        else:
            checkpoint.save(folder, "run", 3, {"x": np.full(10, 3)})
        monkeypatch.undo()
        loaded = checkpoint.load(folder, "run")
        assert loaded is not None and loaded.step == (3 if allowed == 3 else 2)
        assert (loaded.tree["x"] == loaded.step).all()


def test_what_would_come_back_changed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path, "run", 1, {"state": (np.zeros(1), np.zeros(1))})
    assert checkpoint.load(tmp_path, "run") is None


def test_another_run_s_checkpoint_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint.save(tmp_path, "run", 1, {"x": np.zeros(1)})
    checkpoint.save(tmp_path, "sibling", 2, {"x": np.ones(1)})
    with caplog.at_level(logging.WARNING):
        loaded = checkpoint.load(tmp_path, "run")
    assert loaded is not None and (loaded.run, loaded.step) == ("run", 1)
    assert "is of run sibling, not of run run" in caplog.text


def test_a_folder_in_place_of_a_checkpoint_is_damage(tmp_path: Path) -> None:
    for step in (1, 2):
        checkpoint.save(tmp_path, "run", step, {"x": np.zeros(1)})
    (tmp_path / checkpoint.CURRENT).unlink()
    (tmp_path / checkpoint.CURRENT).mkdir()
    loaded = checkpoint.load(tmp_path, "run")
    assert loaded is not None and loaded.step == 1
