"""Programs are dropped once they take many mappings of memory."""

from __future__ import annotations

import gc
import weakref

import jax
import jax.numpy as jnp
import pytest

from seqexp.training import compiled
from seqexp.training.compiled import drop_programs, mappings
from seqexp.training.start import start_jax

linux = pytest.mark.skipif(not mappings(), reason="the kernel does not tell a process's mappings")


def programs(count: int):
    """Programs that were compiled for sizes of their own, and what they give."""
    program = jax.jit(lambda x: jnp.sin(x).sum() + jnp.sort(x)[0])
    return program, [float(program(jnp.arange(1.0, n))) for n in range(3, 3 + count)]


@linux
def test_programs_take_mappings_that_are_given_back():
    drop_programs(0)
    before = mappings()
    program, given = programs(12)
    taken = mappings() - before
    assert taken >= 12
    assert drop_programs(many=before)
    assert mappings() - before < taken / 2
    assert [float(program(jnp.arange(1.0, n))) for n in range(3, 15)] == given


@linux
def test_few_are_kept_and_many_dropped():
    """By how often a program is traced: threads of others take mappings and give them back, too."""
    traced = []

    @jax.jit
    def program(x):
        traced.append(x)
        return jnp.sin(x)

    program(1.0)
    assert not drop_programs(many=10**9)
    program(2.0)
    assert len(traced) == 1
    assert drop_programs(many=0)
    program(3.0)
    assert len(traced) == 2


def test_elsewhere_nothing_is_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "MAPPINGS", tmp_path / "none")
    assert mappings() == 0 and not drop_programs(0)


def test_what_was_frozen_at_the_start_can_still_be_dropped():
    """A circle that was frozen before it was garbage."""

    class Circle:
        def __init__(self):
            self.itself = self

    start_jax()
    circle = Circle()
    gone = weakref.ref(circle)
    gc.freeze()
    del circle
    gc.collect()
    assert gone() is not None and gc.get_freeze_count() > 0
    assert drop_programs(many=-1)
    assert gone() is None and gc.get_freeze_count() > 0


def test_a_process_that_starts_jax_for_each_job_freezes_nothing_of_them():
    start_jax()
    before = gc.get_freeze_count()
    jobs = [[job] for job in range(1000)]
    start_jax()
    assert 0 < gc.get_freeze_count() <= before and len(jobs) == 1000
