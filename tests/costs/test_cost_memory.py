import jax
import jax.numpy as jnp
import pytest

from seqexp.costs import carry_bytes, carry_bytes_by_layer, peak_device_bytes, program_bytes
from seqexp.types import Features, Prediction, SeqexpError, TaskSpec

SPEC = TaskSpec(Features(3), "step", 2, max_length=100, causal=True)
ONE = SPEC.example(1).inputs


class Remembers:
    """A model of which only the carry matters here."""

    layers = ()

    def __init__(self, carry):
        self.carry = carry

    def prefill(self, inputs):
        return self.carry(inputs.lengths.shape[0])

    def step(self, carry, x):
        return carry, x

    def parameter_parts(self):
        return {}

    def stepwise(self):
        return self

    def __call__(self, inputs, prefix=None, *, key=None):
        return Prediction(inputs.values, ())


def test_carry_bytes_are_those_of_one_sequence():
    def carry(batch):
        memory = jnp.zeros((batch, 4, 4), jnp.bfloat16), jnp.zeros(batch, bool)
        return {"h": jnp.zeros((batch, 10)), "memory": memory}

    assert carry_bytes(Remembers(carry), ONE) == 10 * 4 + 16 * 2 + 1


def test_nothing_is_allocated_for_the_carry():
    enormous = Remembers(lambda batch: jnp.zeros((batch, 10**13)))
    assert carry_bytes(enormous, ONE) == 4 * 10**13


def test_carry_bytes_of_each_layer():
    def carry(batch):
        h = jnp.zeros((batch, 10))
        layers = ({"c": h, "h": h}, ({"h": h}, {"h": h[:, :3]}))
        return layers, jnp.zeros((batch, 4))

    model = Remembers(carry)
    by_layer = carry_bytes_by_layer(model, ONE)
    assert by_layer == {"0.0": 80, "0.1.0": 40, "0.1.1": 12, "1": 16}
    assert sum(by_layer.values()) == carry_bytes(model, ONE)
    assert carry_bytes_by_layer(Remembers(lambda batch: ()), ONE) == {}


class Caches(Remembers):
    """Keeps all that it has read."""

    def prefill(self, inputs):
        return (inputs.values,)


def test_a_carry_that_grows_is_that_of_the_context_length():
    cache = Caches(lambda batch: ())
    contexts = [SPEC.example(1, steps).inputs for steps in (1, 50)]
    assert [carry_bytes_by_layer(cache, inputs)["0"] for inputs in contexts] == [12, 600]


class Remembering:
    """A layer of which only the carry matters here."""

    def __init__(self, carry):
        self.initial_carry = carry


class Bidirectional(Remembers):
    def prefill(self, inputs):
        raise SeqexpError("reads the whole sequence")


def test_a_model_that_cannot_decode_has_the_carries_that_its_layers_start_with():
    model = Bidirectional(lambda batch: ())
    recurrent = Remembering(lambda batch, length: jnp.zeros((batch, 10)))
    caching = Remembering(lambda batch, length: (jnp.zeros((batch, length, 2)),) * 2)
    model.layers = (recurrent, caching)  # pyright: ignore
    by_layer = carry_bytes_by_layer(model, SPEC.example(1, 7).inputs)
    assert by_layer == {"0.0": 40, "0.1.0": 7 * 8, "0.1.1": 7 * 8}


class Device:
    def __init__(self, stats):
        self.memory_stats = lambda: stats


@pytest.mark.parametrize(
    ("stats", "peak"), [(None, None), ({}, None), ({"peak_bytes_in_use": 5, "bytes_in_use": 3}, 5)]
)
def test_the_peak_of_a_device_is_its_allocators(stats, peak):
    assert peak_device_bytes(Device(stats)) == peak


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
