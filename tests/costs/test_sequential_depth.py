"""The longest chain of dependent operations, against closed forms and unrolled programs."""

from __future__ import annotations

import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from jax.experimental import rnn
from jax.sharding import Mesh, PartitionSpec

from seqexp import cells
from seqexp.cells import GRU, LSTM, Elman
from seqexp.costs import sequential_depth
from seqexp.models import SequenceModel
from seqexp.recurrences import cudnn, linear, lstm
from seqexp.types import Features, SeqexpError, TaskSpec

B, D, H = 2, 3, 4


def shape(*dims: int, dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(dims, dtype)


def test_operations_in_a_row_and_side_by_side():
    x = shape(3, 3)
    assert sequential_depth(lambda x: x, x) == 0
    assert sequential_depth(lambda x: jnp.tanh(x @ x), x) == 2
    assert sequential_depth(lambda x: (x @ x, jnp.exp(x), jnp.sum(x)), x) == 1
    assert sequential_depth(lambda x: jnp.tanh(x @ x) + jnp.exp(x), x) == 3


def test_what_is_free_takes_no_time():
    def move(x: jax.Array) -> Any:
        chosen = jnp.where(x > 0, x[::-1].T, jnp.zeros_like(x))
        return jnp.concatenate([chosen, chosen])[jnp.argsort(x[:, 0])].astype(jnp.int32) + 1

    assert sequential_depth(move, shape(3, 3)) == 0
    assert sequential_depth(lambda n: n * n + 1, shape(dtype=jnp.int32)) == 0
    assert sequential_depth(lambda x: x[:0] * 2, shape(3)) == 0, "nothing to compute"


@pytest.mark.parametrize("wrap", [jax.jit, jax.checkpoint, jax.named_call])
def test_calls_are_as_long_as_their_body(wrap):
    assert sequential_depth(lambda x: wrap(lambda x: jnp.tanh(x @ x))(x) + 1, shape(3, 3)) == 3


def test_a_scan_repeats_the_way_from_carry_to_carry():
    def step(h: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = jnp.tanh(h + jnp.exp(x) * 2)
        return h, h * h

    run = partial(lax.scan, step)
    # exp, mul before the first sum; then sum and tanh of each turn; the last output's square.
    assert sequential_depth(run, shape(), shape(9)) == 2 + 2 * 9 + 1


def test_turns_that_do_not_wait_for_each_other_take_the_time_of_one():
    assert sequential_depth(lambda xs: lax.map(lambda x: jnp.tanh(x @ x), xs), shape(9, 3, 3)) == 2

    def constant(c: Any, x: Any) -> Any:
        return c, jnp.tanh(x + c)

    assert sequential_depth(lambda c, xs: lax.scan(constant, c, xs), shape(), shape(9)) == 2


def test_nested_scans_multiply():
    def inner(x: Any, _: Any) -> Any:
        return jnp.tanh(x * 2), None

    def outer(x: Any, _: Any) -> Any:
        return lax.scan(inner, x, None, length=3)[0] + 1, None

    assert sequential_depth(lambda x: lax.scan(outer, x, None, length=5), shape()) == 5 * (
        3 * 2 + 1
    )
    assert sequential_depth(lambda x: lax.scan(outer, x, None, length=0), shape()) == 0


def swapping(carry: Any, x: Any) -> Any:
    """One way around takes two turns and three operations; another waits for the inputs."""
    a, b, c = carry
    return (b + x, jnp.tanh(a * 2), jnp.exp(c)), a * c


@pytest.mark.parametrize("turns", [1, 2, 3, 8, 13])
def test_carries_that_cross_are_followed_as_in_the_unrolled_program(turns):
    def loop(carry: Any, xs: Any) -> Any:
        ys = []
        for t in range(turns):
            carry, y = swapping(carry, xs[t])
            ys.append(y)
        return carry, jnp.stack(ys)

    arguments = (shape(), shape(), shape()), shape(turns)
    scanned = sequential_depth(partial(lax.scan, swapping), *arguments)
    assert scanned == sequential_depth(loop, *arguments)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", cells.__all__)
def test_a_scanned_cell_is_as_deep_as_the_unrolled_one(name, reverse):
    graph, state = nnx.split(nnx.eval_shape(lambda: getattr(cells, name)(D, H, rngs=nnx.Rngs(0))))
    steps = 6

    def scanned(state: Any, carry: Any, xs: Any) -> Any:
        return lax.scan(nnx.merge(graph, state).step, carry, xs, reverse=reverse)

    def looped(state: Any, carry: Any, xs: Any) -> Any:
        cell = nnx.merge(graph, state)
        ys = []
        for t in range(steps):
            carry, y = cell.step(carry, xs[t])
            ys.append(y)
        return carry, ys

    carry = jax.eval_shape(lambda state: nnx.merge(graph, state).initial_carry(B), state)
    arguments = state, carry, shape(steps, B, D)
    assert sequential_depth(scanned, *arguments) == sequential_depth(looped, *arguments)


def depth_of(cell: Any, steps: int, **changes: Any) -> int:
    """The depth of a forward pass of a model that reads out at each step."""
    settings: dict[str, Any] = {
        "features": H,
        "depth": 1,
        "bidirectional": False,
        "merge": "concat",
        "dropout": 0.0,
        "residual": False,
        "norm": "none",
        "pooling": "last",
    }
    spec = TaskSpec(Features(D), "step", 2, steps, causal=False)
    build = partial(SequenceModel, spec, cell=cell, **(settings | changes))
    graph, state = nnx.split(nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0))))

    def forward(state: Any, inputs: Any) -> Any:
        return nnx.merge(graph, state)(inputs).outputs

    return sequential_depth(forward, state, spec.example(B).inputs)


READOUT = 2
"""A product and a sum."""


@pytest.mark.parametrize("steps", [1, 7, 64])
@pytest.mark.parametrize(
    ("cell", "operations", "output"),
    [
        # h U, sum, tanh
        (Elman, 3, 0),
        # h U, sum, sigmoid, i g, sum, tanh, o tanh(c)
        (LSTM, 7, 0),
        # h U, sum, sigmoid, r h, (r h) U, sum, tanh, (1 - z) n, sum
        (GRU, 9, 0),
        # h U, sum, sigmoid, r (h U), sum, tanh, (1 - z) n, sum; its output is n + z (h - n)
        (partial(GRU, reset="after"), 8, 1),
    ],
    ids=["elman", "lstm", "gru before", "gru after"],
)
def test_a_recurrent_layer_takes_its_steps_one_after_the_other(cell, operations, output, steps):
    assert depth_of(cell, steps) == operations * steps + output + READOUT


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_layers_of_a_stack_wait_for_each_other(layers):
    assert depth_of(Elman, 7, depth=layers) == layers * 3 * 7 + READOUT


def test_directions_do_not_wait_for_each_other():
    assert depth_of(LSTM, 7, bidirectional=True) == 7 * 7 + READOUT


def test_checkpointed_segments_are_as_deep_as_the_whole():
    assert depth_of(LSTM, 9, remat=3) == depth_of(LSTM, 9)


@pytest.mark.parametrize("steps", [2, 16, 128])
def test_a_linear_recurrence_needs_logarithmically_many(steps):
    a, b, h = shape(steps, B, H), shape(steps, B, H), shape(B, H)

    def run(how: Any) -> Any:
        return lambda a, b, h: linear.unroll(a, b, h, None, False, how)

    assert sequential_depth(run("sequential"), a, b, h) == 2 * steps
    # Twice a product and a sum in each of log2 T rounds: halving, and filling in.
    assert sequential_depth(run("associative"), a, b, h) == 4 * math.log2(steps)


def test_training_goes_there_and_back():
    """Elman: 3 operations a step, and against time the sum, the slope, the product."""

    def loss(w: Any, u: Any, b: Any, xs: Any) -> Any:
        from seqexp.recurrences import elman

        hs, _ = elman.unroll(xs, w, u, b, jnp.zeros((B, H)), None, "tanh", False)
        return jnp.sum(hs)

    def trained(steps: int) -> int:
        arguments = shape(D, H), shape(H, H), shape(H), shape(steps, B, D)
        return sequential_depth(jax.grad(loss, (0, 1, 2)), *arguments)

    assert trained(21) - trained(20) == 3 + 3


def test_branches_and_devices():
    def choose(x: Any, index: Any) -> Any:
        return lax.switch(index, [lambda x: x, lambda x: jnp.tanh(x @ x), jnp.sin], x)

    assert sequential_depth(choose, shape(3, 3), shape(dtype=jnp.int32)) == 2
    rows = PartitionSpec("rows")
    mesh = Mesh(np.array(jax.devices()), ("rows",))
    spread = jax.shard_map(lambda x: jnp.tanh(x * 2), mesh=mesh, in_specs=rows, out_specs=rows)
    assert sequential_depth(spread, shape(4 * len(jax.devices()))) == 2


def test_a_loop_of_unknown_length_is_an_error_and_one_of_integers_is_free():
    with pytest.raises(SeqexpError, match="depth of a while loop.*lax.scan"):
        sequential_depth(lambda x: lax.while_loop(lambda x: x > 1, lambda x: x / 2, x), shape())

    def halve(n: Any) -> Any:
        return lax.while_loop(lambda n: n > 1, lambda n: n // 2, n)

    assert sequential_depth(halve, shape(dtype=jnp.int32)) == 0
    with pytest.raises(SeqexpError, match="'eigh'"):
        sequential_depth(jnp.linalg.eigh, shape(3, 3))


@pytest.mark.parametrize("trained", [False, True])
def test_cudnn_is_as_deep_as_our_own_scan(trained, monkeypatch):
    sizes = SimpleNamespace(compute_rnn_workspace_reserve_space_sizes=lambda *_: (1, 1))
    monkeypatch.setattr(rnn, "gpu_rnn", sizes)

    def growth(unroll: Any) -> int:
        def run(xs: Any, *others: Any) -> Any:
            hs, _ = unroll(xs, *others, None, False)
            return jnp.sum(hs)

        def depth(steps: int) -> int:
            kernels = shape(D, 4 * H), shape(H, 4 * H), shape(4 * H)
            arguments = shape(steps, B, D), *kernels, shape(B, H), shape(B, H)
            return sequential_depth(jax.grad(run, (0, 1)) if trained else run, *arguments)

        return depth(21) - depth(20)

    assert growth(cudnn.unroll) == growth(lstm.unroll)
