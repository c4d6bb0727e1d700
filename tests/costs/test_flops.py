"""FLOPs of single operations and of recurrent cells, against closed forms."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from seqexp.costs import Flops, count, count_jaxpr
from seqexp.types import SeqexpError


def shape(*dims, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(dims, dtype)


def test_matrix_products():
    assert count(jnp.dot, shape(3, 5), shape(5, 7)) == Flops(matmul=2 * 3 * 5 * 7)
    batched = count(lambda a, b: jnp.einsum("bij,bkj->bik", a, b), shape(4, 3, 5), shape(4, 7, 5))
    assert batched == Flops(matmul=2 * 4 * 3 * 5 * 7)
    assert count(jnp.dot, shape(5), shape(5)) == Flops(matmul=2 * 5)
    outer = count(jnp.outer, shape(3), shape(7))
    assert outer.total == 3 * 7


def test_bfloat16_counts_and_integers_do_not():
    half = shape(3, 5, dtype=jnp.bfloat16), shape(5, 7, dtype=jnp.bfloat16)
    assert count(jnp.dot, *half).matmul == 2 * 3 * 5 * 7
    whole = shape(3, 5, dtype=jnp.int8), shape(5, 7, dtype=jnp.int8)
    assert count(jnp.dot, *whole) == Flops()
    assert count(lambda x: x * 2 + 1, shape(9, dtype=jnp.int32)) == Flops()


def test_complex_numbers():
    a, b = shape(3, 5, dtype=jnp.complex64), shape(5, 7, dtype=jnp.complex64)
    assert count(jnp.dot, a, b).matmul == 8 * 3 * 5 * 7
    assert count(lambda x: x * x + x, a).elementwise == (6 + 2) * 15
    # |x| is real.
    assert count(jnp.abs, a).elementwise == 15


@pytest.mark.parametrize(
    ("channels", "groups", "per_output"), [((4, 8), 1, 3 * 4), ((6, 6), 6, 3), ((6, 4), 2, 3 * 3)]
)
def test_convolutions(channels, groups, per_output):
    inputs, outputs = channels

    def causal(xs, kernel):
        return lax.conv_general_dilated(
            xs,
            kernel,
            (1,),
            [(2, 0)],
            dimension_numbers=("NWC", "WIO", "NWC"),
            feature_group_count=groups,
        )

    batch, steps = 2, 10
    args = shape(batch, steps, inputs), shape(3, inputs // groups, outputs)
    forward = 2 * batch * steps * outputs * per_output
    assert count(causal, *args) == Flops(conv=forward)

    def loss(xs, kernel):
        return jnp.sum(causal(xs, kernel) ** 2)

    # As a matrix product: once forward, once for each gradient. That of the inputs also computes
    # the two steps of padding, which it drops.
    both = count(jax.value_and_grad(loss, (0, 1)), *args).conv
    assert both == pytest.approx(3 * forward, rel=2 / steps)
    assert count(jax.value_and_grad(loss, 1), *args).conv == 2 * forward


def test_triangular_solve_and_fft():
    solve = count(
        lambda a, b: lax.linalg.triangular_solve(a, b, left_side=True, lower=True),
        shape(2, 5, 5),
        shape(2, 5, 3),
    )
    assert solve == Flops(matmul=2 * 5 * 5 * 3)
    assert count(jnp.fft.fft, shape(3, 16, dtype=jnp.complex64)) == Flops(
        elementwise=3 * 5 * 16 * 4
    )
    assert count(jnp.fft.rfft, shape(3, 16)).elementwise == 3 * 5 * 16 * 4 // 2
    assert count(lambda x: jnp.fft.irfft(x, 16), shape(3, 9, dtype=jnp.complex64)).elementwise == (
        3 * 5 * 16 * 4 // 2
    )


def test_elementwise_and_transcendental_apart():
    assert count(lambda x: jnp.tanh(x) * 2 + x, shape(3, 4)) == Flops(
        elementwise=2 * 12, transcendental=12
    )
    assert count(jax.nn.sigmoid, shape(5)).transcendental == 5
    assert count(lambda x, y: x**y, shape(5), shape(5)).transcendental == 5
    # A scalar against a matrix counts as large as its result.
    assert count(lambda x, y: x + y, shape(), shape(3, 4)).elementwise == 12


def test_reductions_count_their_inputs():
    assert count(jnp.sum, shape(3, 4)) == Flops(elementwise=12)
    assert count(lambda x: jnp.max(x, axis=1), shape(3, 4)).elementwise == 12
    assert count(lambda x: jnp.cumsum(x, axis=1), shape(3, 4)).elementwise == 12
    tokens = shape(6, dtype=jnp.int32)
    scattered = count(lambda x, i, rows: x.at[i].add(rows), shape(11, 4), tokens, shape(6, 4))
    assert scattered.elementwise == 6 * 4


def test_pooling_and_its_gradient():
    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 2), "VALID")

    assert count(pool, shape(3, 8)) == Flops(elementwise=3 * 4 * 2)
    forward_backward = count(lambda x, dy: jax.vjp(pool, x)[1](dy), shape(3, 8), shape(3, 4))
    assert forward_backward == Flops(elementwise=3 * 4 * 2 + 3 * 4)


def test_moving_comparing_and_drawing_bits_are_free():
    def shuffle(x, key):
        y = jnp.where(x > 0, x[::-1].T.reshape(x.shape), jnp.zeros_like(x))
        order = jnp.argsort(x[:, 0])
        best = jnp.argmax(x, axis=1)
        return jnp.concatenate([y, y])[order], best, jax.random.bits(key, (8,)), x.astype(jnp.int32)

    assert count(shuffle, shape(4, 4), jax.random.key(0)) == Flops()


def test_a_jaxpr_counts_as_its_function():
    jaxpr = jax.make_jaxpr(lambda x: jnp.sin(x @ x))(jnp.ones((3, 3)))
    assert count_jaxpr(jaxpr) == Flops(matmul=54, transcendental=9)
    assert count_jaxpr(jaxpr).total == 63


def _diagonal(matvec, b):
    return b / matvec(jnp.ones_like(b))


@pytest.mark.parametrize(
    ("operation", "fn"),
    [
        ("eigh", jnp.linalg.eigh),
        ("custom_linear_solve", lambda a: lax.custom_linear_solve(lambda x: a @ x, a, _diagonal)),
        ("pure_callback", lambda a: jax.pure_callback(lambda x: x, shape(3, 3), a)),
    ],
)
def test_what_has_no_rule_is_an_error(operation, fn):
    with pytest.raises(SeqexpError, match=f"'{operation}'.*write the model without it"):
        count(fn, shape(3, 3))


def elman(params, h, x):
    w, u, b = params
    h = jnp.tanh(x @ w + h @ u + b)
    return h, h


def lstm(params, carry, x):
    w, u, b = params
    c, h = carry
    i, f, g, o = jnp.split(x @ w + h @ u + b, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (c, h), h


def gru(params, h, x):
    w, u, b = params
    (xr, xz, xn), (hr, hz, hn) = (jnp.split(a, 3, axis=-1) for a in (x @ w + b, h @ u))
    z = jax.nn.sigmoid(xz + hz)
    h = (1 - z) * jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * hn) + z * h
    return h, h


B, T, D, H = 3, 7, 5, 4
CELLS = {
    # Step function, gates; transcendental and other operations for each hidden unit of a step.
    "elman": (elman, 1, 1, 2),
    "lstm": (lstm, 4, 5, 8 + 4),
    "gru": (gru, 3, 3, 3 + 8),
}


def network(name, unrolled=False):
    """A function of parameters, first carry and inputs `[T, B, D]`, and arguments for it."""
    step, gates, _, _ = CELLS[name]

    def scanned(params, carry, xs):
        return lax.scan(lambda carry, x: step(params, carry, x), carry, xs)[1]

    def looped(params, carry, xs):
        ys = []
        for t in range(xs.shape[0]):
            carry, y = step(params, carry, xs[t])
            ys.append(y)
        return jnp.stack(ys)

    params = shape(D, gates * H), shape(H, gates * H), shape(gates * H)
    h = shape(B, H)
    return looped if unrolled else scanned, (
        params,
        (h, h) if name == "lstm" else h,
        shape(T, B, D),
    )


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_over_time_is_its_closed_form(name):
    _, gates, transcendental, elementwise = CELLS[name]
    run, args = network(name)
    assert count(run, *args) == Flops(
        matmul=2 * B * T * (D + H) * gates * H,
        transcendental=transcendental * B * T * H,
        elementwise=elementwise * B * T * H,
    )


@pytest.mark.parametrize("name", CELLS)
def test_a_scan_counts_as_its_unrolled_program(name):
    scanned, args = network(name)
    looped, _ = network(name, unrolled=True)
    assert count(scanned, *args) == count(looped, *args)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("unrolled", [False, True])
def test_a_gradient_costs_two_more_of_every_product(name, unrolled):
    run, args = network(name, unrolled)

    def loss(params, carry, xs):
        return jnp.sum(run(params, carry, xs) ** 2)

    forward = count(run, *args)
    trained = count(jax.value_and_grad(loss, argnums=(0, 1, 2)), *args)
    assert trained.matmul == 3 * forward.matmul
    assert trained.transcendental == forward.transcendental

    # Without gradients of the inputs, their product with W^T is not there.
    parameters_only = count(jax.value_and_grad(loss), *args)
    gates = CELLS[name][1]
    steps_back = T - 1 if unrolled else T
    assert parameters_only.matmul == 2 * forward.matmul + 2 * B * steps_back * H * gates * H
