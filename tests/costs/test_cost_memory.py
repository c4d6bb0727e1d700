import jax
import jax.numpy as jnp
import pytest

from seqexp.costs import carry_bytes, program_bytes
from seqexp.types import Prediction


class Remembers:
    """A model of which only the carry matters here."""

    def __init__(self, carry):
        self.carry = carry

    def initial_carry(self, batch_size):
        return self.carry(batch_size)

    def step(self, carry, inputs):
        return carry, inputs

    def __call__(self, inputs, lengths, key=None):
        return Prediction(inputs, ())


def test_carry_bytes_are_those_of_one_sequence():
    def carry(batch):
        memory = jnp.zeros((batch, 4, 4), jnp.bfloat16), jnp.zeros(batch, bool)
        return {"h": jnp.zeros((batch, 10)), "memory": memory}

    assert carry_bytes(Remembers(carry)) == 10 * 4 + 16 * 2 + 1


def test_nothing_is_allocated_for_the_carry():
    enormous = Remembers(lambda batch: jnp.zeros((batch, 10**13)))
    assert carry_bytes(enormous) == 4 * 10**13


def test_program_bytes_are_arguments_and_outputs():
    compiled = jax.jit(lambda x: x + 1).lower(jnp.zeros(1000)).compile()
    assert program_bytes(compiled) == 2 * 4000


def test_program_bytes_include_temporaries():
    def through_a_product(x):
        return jnp.sum(jnp.sin(x @ x.T) @ x)

    compiled = jax.jit(through_a_product).lower(jnp.zeros((500, 2))).compile()
    bytes_used = program_bytes(compiled)
    assert bytes_used is not None and bytes_used >= 4 * (500 * 2 + 500 * 500 + 1)


def test_a_donated_argument_counts_once():
    donating = jax.jit(lambda x: x + 1, donate_argnums=0).lower(jnp.zeros(1000)).compile()
    assert program_bytes(donating) == pytest.approx(4000, abs=64)
