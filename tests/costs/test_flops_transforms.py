"""FLOPs through transformations and control flow, and what XLA says of the same programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from seqexp.costs import Flops, count
from seqexp.types import SeqexpError


def shape(*dims, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(dims, dtype)


N = 6
X, W = shape(N, N), shape(N, N)
PRODUCT = 2 * N**3


def layer(x, w):
    return jnp.tanh(x @ w)


LAYER = Flops(matmul=PRODUCT, transcendental=N * N)


@pytest.mark.parametrize(
    "wrap", [jax.jit, jax.checkpoint, lambda f: jax.jit(jax.jit(f)), jax.named_call]
)
def test_calls_count_as_their_body(wrap):
    assert count(wrap(layer), X, W) == LAYER


def test_vmap_and_map_count_each_element():
    xs = shape(5, N, N)
    assert count(jax.vmap(layer, (0, None)), xs, W) == LAYER.times(5)
    assert count(lambda xs, w: lax.map(lambda x: layer(x, w), xs), xs, W) == LAYER.times(5)
    by_two = count(lambda xs, w: lax.map(lambda x: layer(x, w), xs, batch_size=2), xs, W)
    assert by_two == LAYER.times(5)


def test_nested_scans_multiply():
    def twice_nested(x, w):
        def inner(x, _):
            return layer(x, w), None

        def outer(x, _):
            return lax.scan(inner, x, None, length=3)[0], None

        return lax.scan(outer, x, None, length=5)[0]

    assert count(twice_nested, X, W) == LAYER.times(15)

    def in_blocks(x, w):
        return lax.scan(lambda x, _: (layer(x, w), None), x, None, length=8, unroll=4)[0]

    assert count(in_blocks, X, W) == LAYER.times(8)


def test_gradient_with_checkpoint_pays_for_the_forward_pass_twice():
    def loss(x, w):
        return jnp.sum(layer(layer(x, w), w))

    def frugal(x, w):
        return jnp.sum(jax.checkpoint(lambda x, w: layer(layer(x, w), w))(x, w))

    both = (0, 1)
    assert count(jax.value_and_grad(loss, both), X, W).matmul == 3 * 2 * PRODUCT
    assert count(jax.value_and_grad(frugal, both), X, W).matmul == 4 * 2 * PRODUCT


def test_custom_vjp_counts_the_rule_that_runs():
    @jax.custom_vjp
    def f(x, w):
        return x @ w

    def forward(x, w):
        return (x @ w) @ w, (x, w)

    def backward(residuals, dy):
        x, w = residuals
        return dy @ w @ w @ w @ w, x.T @ dy

    f.defvjp(forward, backward)
    assert count(f, X, W) == Flops(matmul=PRODUCT)
    trained = count(jax.value_and_grad(lambda x, w: jnp.sum(f(x, w)), (0, 1)), X, W)
    assert trained.matmul == (2 + 5) * PRODUCT


def test_custom_jvp_counts_its_function():
    @jax.custom_jvp
    def f(x):
        return jnp.tanh(x)

    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0] * jnp.cos(primals[0])))
    assert count(f, X) == Flops(transcendental=N * N)
    assert count(jax.grad(lambda x: jnp.sum(f(x))), X).transcendental == 2 * N * N


def test_cond_counts_its_dearest_branch():
    def choose(x, w, index):
        branches = [lambda x: x, lambda x: layer(x, w), jnp.sin]
        return lax.switch(index, branches, x)

    index = shape(dtype=jnp.int32)
    assert count(choose, X, W, index) == LAYER
    # Where each element chooses for itself, all branches run.
    each = count(jax.vmap(choose, (0, None, 0)), shape(5, N, N), W, shape(5, dtype=jnp.int32))
    assert each == (LAYER + Flops(transcendental=N * N)).times(5)


def test_shard_map_counts_the_work_of_all_devices():
    devices = jax.devices()
    mesh = Mesh(np.array(devices), ("rows",))
    rows = PartitionSpec("rows")
    # Outputs of each device stand one below the other; with check_vma, as by default.
    xs = shape(len(devices) * 4, N)
    shared = jax.shard_map(layer, mesh=mesh, in_specs=(rows, PartitionSpec()), out_specs=rows)
    assert count(shared, xs, W) == count(layer, xs, W)

    replicated = jax.shard_map(
        lambda x, w: layer(x, w)[None],
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec()),
        out_specs=rows,
        check_vma=False,
    )
    assert count(replicated, X, W) == LAYER.times(len(devices))

    summed = jax.shard_map(
        lambda x: lax.psum(x, "rows"), mesh=mesh, in_specs=rows, out_specs=PartitionSpec()
    )
    assert count(summed, xs) == Flops(elementwise=len(devices) * 4 * N)


def test_shard_map_multiplies_by_the_axes_that_it_maps():
    auto = (jax.sharding.AxisType.Auto,) * 2  # jax 0.12 would take axes to be explicit
    mesh = jax.sharding.AbstractMesh((2, 3), ("members", "batch"), axis_types=auto)

    def doubled(*axes):
        spec = PartitionSpec(*axes)
        return jax.shard_map(
            lambda x: x * 2, mesh=mesh, in_specs=spec, out_specs=spec, axis_names=set(axes)
        )

    assert count(jax.jit(doubled("members", "batch")), shape(4, 6)).elementwise == 4 * 6
    # Along an axis that is not mapped, the compiler splits the work.
    assert count(jax.jit(doubled("members")), shape(4, 6)).elementwise == 4 * 6


def test_a_while_loop_that_computes_is_an_error():
    def halve(x):
        return lax.while_loop(lambda x: x > 1, lambda x: x / 2, x)

    with pytest.raises(SeqexpError, match="while loop.*lax.scan"):
        count(halve, shape())
    with pytest.raises(SeqexpError, match="while loop"):
        count(jax.jit(lambda x, n: lax.fori_loop(0, n, lambda _, x: x * 2, x)), shape(), 3)


def test_loops_that_can_be_counted():
    power = count(lambda x, w: lax.fori_loop(0, 7, lambda _, x: layer(x, w), x), X, W)
    assert power == LAYER.times(7)
    # Whatever its number of turns, integers cost nothing.
    assert count(lambda n: lax.while_loop(lambda n: n > 1, lambda n: n // 2, n), 9) == Flops()


def recurrent(steps, unrolled):
    def run(w, u, h, xs):
        if not unrolled:
            return lax.scan(lambda h, x: (jnp.tanh(x @ w + h @ u), None), h, xs)[0]
        for t in range(steps):
            h = jnp.tanh(xs[t] @ w + h @ u)
        return h

    width = 64
    return run, (shape(width, width), shape(width, width), shape(8, width), shape(steps, 8, width))


def xla_flops(run, args):
    analysis = jax.jit(run).lower(*args).compile().cost_analysis()
    assert analysis is not None
    return analysis["flops"]


@pytest.mark.parametrize("trained", [False, True])
def test_xla_agrees_on_an_unrolled_program(trained):
    run, args = recurrent(4, unrolled=True)
    if trained:
        run = jax.grad(lambda *args, run=run: jnp.sum(run(*args)), (0, 1, 2, 3))
    assert count(run, *args).matmul == pytest.approx(xla_flops(run, args), rel=0.03)


def test_xla_counts_the_body_of_a_scan_once():
    """The reason for counting on the jaxpr. If this fails, XLA has learnt to count loops."""
    steps = 32
    run, args = recurrent(steps, unrolled=False)
    ours = count(run, *args).matmul
    assert ours == 2 * 8 * steps * (64 + 64) * 64
    assert xla_flops(run, args) < 2 * ours / steps
