import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from seqexp.costs import Timing, compile_seconds, one_run, seconds
from seqexp.costs.timing import quietest, summarize
from seqexp.types import SeqexpError


def test_a_sleep_is_timed_right():
    timing = seconds(time.sleep, 0.02, repeats=5)
    assert timing.repeats == 5
    assert 0.02 <= timing.q25 <= timing.median <= timing.q75
    assert timing.q25 < 0.1


def test_the_first_run_is_not_timed():
    calls = []

    def slow_at_first(x):
        calls.append(x)
        time.sleep(0.5 if len(calls) == 1 else 0)

    assert seconds(slow_at_first, 1, repeats=3).q75 < 0.25
    assert calls == [1] * 4


def test_quartiles_are_those_of_the_runs():
    assert summarize([9.0, 1.0, 3.0, 5.0, 7.0]) == Timing(median=5.0, q25=3.0, q75=7.0, repeats=5)
    assert summarize([2.0]) == Timing(2.0, 2.0, 2.0, 1)


def test_each_run_is_waited_for():
    class Pending:
        """Stands for an array that is still being computed."""

        ready = 0

        def block_until_ready(self):
            time.sleep(0.01)
            Pending.ready += 1
            return self

    timing = seconds(lambda: (Pending(), [Pending()]), repeats=3)
    assert Pending.ready == 2 * 4
    assert timing.median >= 0.02
    assert one_run(Pending) >= 0.01
    assert Pending.ready == 2 * 4 + 1


def test_one_run_is_the_first():
    calls = []
    assert one_run(lambda wait: calls.append(time.sleep(wait)), 0.02) >= 0.02
    assert len(calls) == 1


def test_no_repeats_is_an_error():
    with pytest.raises(SeqexpError, match="at least 1 repeat, not 0"):
        seconds(time.sleep, 0, repeats=0)


def test_compilation_is_timed_and_the_program_runs():
    compiled, elapsed = compile_seconds(jax.jit(lambda x: jnp.sin(x) @ x).lower(jnp.ones((9, 9))))
    assert elapsed > 0.001
    np.testing.assert_allclose(compiled(jnp.ones((9, 9))), np.full((9, 9), 9 * np.sin(1)), 1e-5)


@pytest.fixture
def persistent_cache(tmp_path):
    settings = {
        "jax_enable_compilation_cache": True,
        "jax_compilation_cache_dir": str(tmp_path),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: jax.config.values[name] for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def test_the_persistent_cache_is_off_while_timing_and_on_again_after(persistent_cache):
    x = jnp.ones((9, 9))
    jax.jit(lambda x: jnp.sin(x) @ x).lower(x).compile()
    entries = set(persistent_cache.iterdir())
    assert entries, "this test no longer sees the cache"
    compile_seconds(jax.jit(lambda x: jnp.cos(x) @ x).lower(x))
    assert set(persistent_cache.iterdir()) == entries, "the timed compilation was stored"

    assert jax.config.values["jax_enable_compilation_cache"]
    jax.jit(lambda x: jnp.tan(x) @ x).lower(x).compile()
    assert set(persistent_cache.iterdir()) > entries, "the cache stayed off"


def test_a_timed_compilation_does_not_read_the_persistent_cache(persistent_cache):
    def lower():
        return jax.jit(lambda x: jnp.tanh(x) @ x).lower(jnp.ones((9, 9)))

    lower().compile()
    for entry in persistent_cache.iterdir():
        entry.write_bytes(b"no program")
    compile_seconds(lower())
    # Whoever does read it complains.
    with pytest.warns(UserWarning, match="persistent compilation cache"):
        lower().compile()


def test_the_cache_is_restored_after_a_failed_compilation(persistent_cache):
    class Broken:
        def compile(self):
            raise RuntimeError("no such device")

    with pytest.raises(RuntimeError, match="no such device"):
        compile_seconds(Broken())  # pyright: ignore[reportArgumentType]
    assert jax.config.values["jax_enable_compilation_cache"]


def test_of_rounds_the_one_that_was_disturbed_least_counts_for_each():
    """A median of all would be 5; the least of all runs would be 1, which a round can't be."""
    rounds = iter([[5.0, 5.0, 5.0], [9.0, 5.0, 1.0], [2.0, 3.0, 8.0], [7.0, 7.0, 7.0], [4.0] * 3])
    others = iter([[2.0], [1.0], [4.0], [5.0], [6.0]])
    assert quietest([lambda: next(rounds), lambda: next(others)], spend=0.0) == [3.0, 1.0]
    assert quietest([], spend=0.0) == []


def test_rounds_go_around_as_long_as_is_to_be_spent(monkeypatch):
    """By a clock that a round moves on by a second."""
    now, order = [0.0], []

    def contestant(name):
        def a_round():
            now[0] += 1.0
            order.append(name)
            return [100.0 - now[0]]

        return a_round

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    assert quietest([contestant("a"), contestant("b")], spend=12.5) == [87.0, 86.0]
    assert order == 7 * ["a", "b"]
