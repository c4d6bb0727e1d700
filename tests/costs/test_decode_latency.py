import time

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from seqexp.costs import Timing, decode_rounds, prefill_rounds
from seqexp.costs import decoding as decoding_module
from seqexp.types import Batch, Features, Prediction, SeqexpError, Sequences, TaskSpec

D = 3
SPEC = TaskSpec(Features(D), "step", D, max_length=5, causal=True)


class Decoder(nnx.Module):
    """Sums its inputs; a host callback keeps what it was given, and may take its time."""

    def __init__(self, seen, wait=0.0):
        self.scale = nnx.Param(jnp.full((D,), 2.0))
        self.seen = nnx.static(seen)
        self.wait = wait

    layers = ()

    def __call__(self, inputs, prefix=None, *, key=None):
        return Prediction(inputs.values, ())

    def parameter_parts(self):
        return {}

    def stepwise(self):
        return self

    def prefill(self, inputs):
        return jnp.zeros((inputs.lengths.shape[0], D))

    def step(self, carry, x):
        carry = carry + x * self.scale[...]

        def record(carry):
            self.seen.append(carry.tolist())
            time.sleep(self.wait)
            return carry

        return carry, jax.pure_callback(
            record, jax.ShapeDtypeStruct(carry.shape, carry.dtype), carry
        )


class Bidirectional(Decoder):
    def prefill(self, inputs):
        raise SeqexpError("a bidirectional model cannot decode")


def decoding(model, batch_size, steps):
    inputs = SPEC.example(batch_size).inputs
    return decode_rounds(model, inputs, jnp.ones((batch_size, D)), steps=steps)


def test_the_carry_is_fed_back_and_each_step_waited_for():
    seen = []
    a_round = decoding(Decoder(seen, wait=0.01), 1, steps=4)
    assert a_round is not None
    for took in (a_round(), a_round()):
        assert len(took) == 4 and min(took) >= 0.01
    assert [step[0][0] for step in seen] == [2.0, *2 * [4.0, 6.0, 8.0, 10.0]]


def test_a_model_that_cannot_decode_has_no_latency():
    assert decoding(Bidirectional([]), 1, steps=2) is None


def test_sequences_side_by_side_are_one_step():
    seen = []
    a_round = decoding(Decoder(seen), 32, steps=2)
    assert a_round is not None
    a_round()
    assert [len(step) for step in seen] == [32] * (1 + 2)


def test_fewer_than_one_step_is_an_error():
    with pytest.raises(SeqexpError, match="at least 1 timed step"):
        decoding(Decoder([]), 1, steps=0)


class Reader(Decoder):
    def __call__(self, inputs, prefix=None, *, key=None):
        def record(values, lengths, prefix):
            self.seen.append((values.shape, lengths.tolist(), prefix is not None))
            time.sleep(self.wait)
            return values

        values, lengths = inputs
        shape = jax.ShapeDtypeStruct(values.shape, values.dtype)
        return Prediction(jax.pure_callback(record, shape, values, lengths, prefix), ())


WHOLE = Batch(Sequences(jnp.ones((1, 5, D)), jnp.full(1, 5)), ())


def test_prefill_reads_the_whole_sequence_each_time():
    seen = []
    reader = Reader(seen, wait=0.01)
    (took,) = prefill_rounds(reader, WHOLE)()
    assert seen == [((1, 5, D), [5], False)] * (2 + 1)
    assert took >= 0.01


def test_prefill_reads_the_prefix_of_a_free_answer():
    seen = []
    prefix = Sequences(jnp.ones((1, 2), jnp.int32), jnp.full(1, 2))
    prefill_rounds(Reader(seen), WHOLE._replace(prefix=prefix))()
    assert {each[2] for each in seen} == {True}


@pytest.mark.parametrize(("pass_seconds", "passes"), [(1e-9, 100), (1e-4, 10), (0.01, 1)])
def test_a_round_of_passes_takes_a_millisecond(monkeypatch, pass_seconds, passes):
    once = Timing(pass_seconds, pass_seconds, pass_seconds, 1)
    monkeypatch.setattr(decoding_module, "seconds", lambda *_, **how: once)
    assert len(prefill_rounds(Reader([]), WHOLE)()) == passes
