"""A cell whose kernels are matrices that a step multiplies by does those products, and no more.

What others do has a closed form each in test_model_flops.py.
"""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from seqexp import cells
from seqexp.costs import count

B, T, D, H = 3, 7, 5, 4

PLAIN = ("GRU", "LSTM", "MGU", "QRNN", "UGRNN", "CoRNN", "Elman")
"""Cells that multiply by each kernel once a step."""


def build(name):
    """A cell's graph, and the shapes of its parameters, of its carry and of its inputs."""
    cell = nnx.eval_shape(lambda: getattr(cells, name)(D, H, rngs=nnx.Rngs(0)))
    graph, state = nnx.split(cell)
    carry = jax.eval_shape(lambda state: nnx.merge(graph, state).initial_carry(B), state)
    return graph, (state, carry, jax.ShapeDtypeStruct((B, T, D), jnp.float32))


def products(name, state):
    kernels = sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim == 2)
    return 2 * B * kernels


@pytest.mark.parametrize("name", PLAIN)
def test_a_step_multiplies_by_each_kernel_once(name):
    graph, (state, carry, xs) = build(name)

    def step(state, carry, xs):
        return nnx.merge(graph, state).step(carry, xs[:, 0])

    counted = count(step, state, carry, xs)
    assert counted.matmul == products(name, state)
    assert counted.conv == 0


def unroll(graph):
    return lambda state, carry, xs: nnx.merge(graph, state).unroll(
        jnp.swapaxes(xs, 0, 1), carry=carry
    )


@pytest.mark.parametrize("name", PLAIN)
def test_unrolling_multiplies_as_often_as_stepping_and_by_the_bias_as_one_more_row(name):
    graph, args = build(name)
    bias_row = 2 * B * getattr(cells, name)(D, H, rngs=nnx.Rngs(0)).bias.size
    assert count(unroll(graph), *args).matmul == T * (products(name, args[0]) + bias_row)


@pytest.mark.parametrize("name", cells.__all__)
def test_training_computes_no_product_again(name):
    graph, args = build(name)

    def loss(state, carry, xs):
        ys, _ = unroll(graph)(state, carry, xs)
        return jnp.sum(ys**2)

    # Each product once forward, and once for the gradient of either factor.
    trained = count(jax.value_and_grad(loss, (0, 1, 2)), *args)
    assert trained.matmul <= 3 * count(unroll(graph), *args).matmul
