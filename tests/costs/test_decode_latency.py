import time

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from seqexp.costs import decode_seconds, prefill_seconds
from seqexp.types import Prediction, SeqexpError

D = 3


class Decoder(nnx.Module):
    """Sums its inputs; a host callback keeps what it was given, and may take its time."""

    def __init__(self, seen, wait=0.0):
        self.scale = nnx.Param(jnp.full((D,), 2.0))
        self.seen = nnx.static(seen)
        self.wait = wait

    def __call__(self, inputs, lengths, key=None):
        return Prediction(inputs, ())

    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, D))

    def step(self, carry, inputs):
        carry = carry + inputs * self.scale[...]

        def record(carry):
            self.seen.append(carry.tolist())
            time.sleep(self.wait)
            return carry

        return carry, jax.pure_callback(
            record, jax.ShapeDtypeStruct(carry.shape, carry.dtype), carry
        )


class Bidirectional(Decoder):
    def step(self, carry, inputs):
        raise SeqexpError("a bidirectional model cannot decode")


def test_the_carry_is_fed_back_and_each_step_waited_for():
    seen = []
    median = decode_seconds(Decoder(seen, wait=0.01), jnp.ones((1, D)), steps=4)
    assert [step[0][0] for step in seen] == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert median is not None and 0.01 <= median < 0.2


def test_a_model_that_cannot_decode_has_no_latency():
    assert decode_seconds(Bidirectional([]), jnp.ones((1, D)), steps=2) is None


def test_sequences_side_by_side_are_one_step():
    seen = []
    decode_seconds(Decoder(seen), jnp.ones((32, D)), steps=2)
    assert [len(step) for step in seen] == [32] * 3


def test_fewer_than_one_step_is_an_error():
    with pytest.raises(SeqexpError, match="at least 1 timed step"):
        decode_seconds(Decoder([]), jnp.ones((1, D)), steps=0)


class Reader(Decoder):
    def __call__(self, inputs, lengths, key=None):
        def record(inputs, lengths):
            self.seen.append((inputs.shape, lengths.tolist()))
            time.sleep(self.wait)
            return inputs

        shape = jax.ShapeDtypeStruct(inputs.shape, inputs.dtype)
        return Prediction(jax.pure_callback(record, shape, inputs, lengths), ())


def test_prefill_reads_the_whole_sequence_each_time():
    seen = []
    reader = Reader(seen, wait=0.01)
    median = prefill_seconds(reader, jnp.ones((1, 5, D)), jnp.full(1, 5), spend=0.001)
    assert seen == [((1, 5, D), [5])] * (2 + 5)
    assert 0.01 <= median < 0.2


def test_a_short_prefill_is_timed_more_often():
    seen = []
    prefill_seconds(Reader(seen), jnp.ones((1, 5, D)), jnp.full(1, 5), spend=60)
    assert len(seen) == 2 + 100
