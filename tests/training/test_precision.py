"""Products in bfloat16: against NumPy, and against the same functions with every product rounded by
hand."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax.extend import core

from seqexp.costs.jaxprs import operands, subjaxprs
from seqexp.training import Hyper, precision
from seqexp.training.batches import batch_shapes
from seqexp.training.precision import with_products_in
from seqexp.training.step import graph, init_member, train_step
from seqexp.types import SeqexpError
from tests.full import full
from tests.test_configs import fits, point
from tests.toys.translation import Translation
from tests.training.small import HYPERS, assert_bitwise, digits, experiment, program, trained

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((3, 6, 6)).astype(np.float32), RNG.standard_normal((6, 6), np.float32)
HIGHEST = jax.lax.Precision.HIGHEST


def rounded(array) -> np.ndarray:
    """To the nearest number with 8 bits of precision, in float64."""
    return np.asarray(array).astype(ml_dtypes.bfloat16).astype(np.float64)


def low(left, right):
    """A product with rounded operands, operation by operation."""
    return jnp.matmul(jax.lax.reduce_precision(left, 8, 7), jax.lax.reduce_precision(right, 8, 7))


def smoothed(signal, kernel):
    parts = jax.lax.conv_general_dilated(
        signal.reshape(1, 1, -1), kernel.reshape(1, 1, -1), (1,), "VALID"
    )
    return parts.ravel()


PRODUCTS = {
    "two matrices": (lambda a, b: a[0] @ b, lambda a, b: a[0] @ b),
    "many matrices": (
        lambda a, b: jnp.einsum("nij,njk->nik", a, a),
        lambda a, b: np.einsum("nij,njk->nik", a, a),
    ),
    "a vector": (lambda a, b: jnp.dot(a[0, 0], b), lambda a, b: a[0, 0] @ b),
    "a convolution": (
        lambda a, b: smoothed(a[0], b[0]),
        lambda a, b: np.correlate(a[0].ravel(), b[0], "valid"),
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_operands_are_rounded_and_sums_are_not(name):
    function, in_numpy = PRODUCTS[name]
    found = jax.jit(with_products_in("bfloat16", function))(A, B)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, in_numpy(rounded(A), rounded(B)), rtol=1e-5, atol=1e-5)
    exact = in_numpy(A.astype(np.float64), B.astype(np.float64))
    assert np.abs(found - exact).max() > 1e-3


def test_bfloat16_itself_is_multiplied_where_that_is_fast_and_gives_the_same(monkeypatch):
    """Of matrices; rows and columns are rounded, as all are elsewhere."""
    monkeypatch.setattr(precision, "fast_products", lambda: "AMX")

    def all_three(a, b):
        return a[0] @ b, jnp.einsum("nij,njk->nik", a, a), jnp.dot(a[0, 0], b)

    lowered = with_products_in("bfloat16", all_three)
    dtypes = [str(operands(eqn)[0].dtype) for eqn, _ in products(jax.make_jaxpr(lowered)(A, B))]
    assert dtypes == ["bfloat16", "bfloat16", "float32"]
    a, b = rounded(A), rounded(B)
    want = a[0] @ b, np.einsum("nij,njk->nik", a, a), a[0, 0] @ b
    for one, other in zip(jax.jit(lowered)(A, B), want, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "known"),
    [
        ("fpu avx512_bf16 amx_bf16 amx_tile", "AMX"),
        ("fpu avx512f avx512_bf16", "AVX512-BF16"),
        ("fpu avx512f amx_tile", None),
        (None, None),
    ],
)
def test_a_processor_tells_by_what_it_multiplies_bfloat16(tmp_path, monkeypatch, flags, known):
    told = tmp_path / "cpuinfo"
    if flags is not None:
        told.write_text(f"processor\t: 0\nmodel name\t: amx_bf16\nflags\t\t: {flags}\nbugs\t: x\n")
    monkeypatch.setattr(precision, "CPUINFO", told)
    assert precision.fast_products.__wrapped__() == known


def test_float32_leaves_a_function_alone():
    function = PRODUCTS["two matrices"][0]
    assert with_products_in("float32", function) is function


@pytest.mark.parametrize("asked", [None, "tensorfloat32"])
def test_where_products_are_less_than_float32_unasked_it_asks_for_no_less(monkeypatch, asked):
    """A GPU's default is TF32; a gradient's products, in loops too, are those of the function."""
    monkeypatch.setattr(precision.jax, "default_backend", lambda: "gpu")

    def loss(matrix, x):
        return jax.lax.scan(lambda h, _: (jnp.tanh(h @ matrix), None), x, length=3)[0].sum()

    with jax.default_matmul_precision(asked):
        slope = with_products_in("float32", jax.grad(loss))
        jaxpr = jax.make_jaxpr(slope)(jnp.ones((4, 4)), jnp.ones((2, 4)))
    found = {eqn.params["precision"] for eqn, _ in products(jaxpr)}
    highest = (jax.lax.Precision.HIGHEST,) * 2
    assert (found == {highest}) == (asked is None) and len(found) == 1


def test_a_product_that_asks_for_the_highest_precision_keeps_it():
    def product(a, b):
        return jnp.matmul(a, b, precision=HIGHEST)

    found = jax.jit(with_products_in("bfloat16", product))(A, B)
    np.testing.assert_array_equal(found, jax.jit(product)(A, B))


def test_whole_numbers_and_float64_stay_as_they_are():
    whole = np.array([[1_000_001, 3], [5, 7]])
    unchanged = with_products_in("bfloat16", jnp.matmul)(whole, np.eye(2, dtype=int))
    assert unchanged.tolist() == whole.tolist()
    with jax.enable_x64(True):
        a, b = A[0].astype(np.float64), B.astype(np.float64)
        np.testing.assert_allclose(with_products_in("bfloat16", jnp.matmul)(a, b), a @ b)


@jax.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, dy: (2 * dy,))


def everywhere(product):
    """A function with products inside of all that carries a program of its own."""

    @jax.custom_vjp
    def own(x):
        return product(x, x)

    own.defvjp(lambda x: (product(x, x), x), lambda x, dy: (product(dy, x),))

    @jax.custom_jvp
    def forward(x):
        return product(x, x)

    forward.defjvp(lambda xs, dxs: (product(*xs, *xs), product(*dxs, *xs)))

    def function(a, b):
        c = jax.lax.scan(lambda c, x: (jnp.tanh(product(c, x)), c[0]), b, a)[0]
        c = jax.lax.fori_loop(0, 3, lambda _, c: jnp.sin(product(c, b)), c)
        c = jax.lax.cond(c[0, 0] > 5, lambda c: c, lambda c: product(c, c), c)
        c = jnp.tanh(jax.checkpoint(lambda c: jnp.sin(product(c, b)))(c))
        c = jnp.tanh(jax.jit(product)(c, b) + jax.vmap(product, (0, None))(a, b)[1])
        c = jnp.tanh(own(c) + forward(c))
        return jnp.sum(doubled(c) * jax.lax.associative_scan(product, a)[-1])

    return function


def test_products_are_found_wherever_they_are():
    with jax.disable_jit():
        want = everywhere(low)(A, B)
    found = jax.jit(with_products_in("bfloat16", everywhere(jnp.matmul)))(A, B)
    np.testing.assert_allclose(found, want, rtol=1e-5)
    assert abs(found - everywhere(jnp.matmul)(A, B)) > 1e-3 * abs(want)


def test_the_products_of_a_gradient_are_rounded_too():
    """d/dW sum(tanh(x W)) is x^T (1 - tanh^2), both of whose factors are rounded."""

    def loss(w):
        return jnp.sum(jnp.tanh(A[0] @ w))

    found = jax.jit(with_products_in("bfloat16", jax.grad(loss)))(B)
    outputs = np.tanh(rounded(A[0]) @ rounded(B))
    want = rounded(A[0]).T @ rounded((1 - outputs**2).astype(np.float32))
    np.testing.assert_allclose(found, want, rtol=1e-3, atol=1e-5)


def test_arguments_that_are_no_arrays():
    def scaled(how, x, times):
        return {"doubled": how(x @ x) * times}

    function = jax.jit(with_products_in("bfloat16", scaled, static=(0, 2)), static_argnums=(0, 2))
    np.testing.assert_allclose(function(jnp.tanh, B, 3)["doubled"], 3 * jnp.tanh(low(B, B)), 1e-5)


@pytest.mark.full
def test_a_group_trains_bitwise_as_its_members_alone_and_keeps_float32():
    small, splits = experiment(digits(), precision="bfloat16"), digits().load()
    states, records, _ = trained(program(small, splits, HYPERS[:2]))
    assert {str(a.dtype) for a in jax.tree.leaves(states) if a.dtype.kind == "f"} == {"float32"}
    for m, hyper in enumerate(HYPERS[:2]):
        alone, alone_records, _ = trained(program(small, splits, [hyper]))
        assert_bitwise(alone[0], states[m])
        assert [chunk[0] for chunk in alone_records] == [chunk[m] for chunk in records]
    # It is not what float32 gives, and near it.
    others, _, _ = trained(program(replace(small, precision="float32"), splits, HYPERS[:2]))
    ours, theirs = (
        np.concatenate([np.ravel(a) for a in jax.tree.leaves(s.params)])
        for s in (states[0], others[0])
    )
    assert 0 < np.abs(ours - theirs).max() < 0.05


def products(jaxpr):
    """Each product of a jaxpr with the equations of the jaxpr that it stands in."""
    jaxpr = jaxpr if isinstance(jaxpr, core.Jaxpr) else jaxpr.jaxpr
    for eqn in jaxpr.eqns:
        if eqn.primitive.name in ("dot_general", "conv_general_dilated"):
            yield eqn, [other.primitive.name for other in jaxpr.eqns]
        for inner in subjaxprs(eqn.params):
            yield from products(inner)


EXACT = {"deltanet", "exprnn", "gated_deltanet", "kda", "lmu", "rwkv7"}
"""Models with products that are their mathematics: a matrix exponential, a memory of polynomials,
the inverse of a triangular matrix."""


QUICK = "deltanet", "lstm", "transformer"
OTHERS = EXACT - set(QUICK) | {"bag_of_words", "encoder_decoder", "mamba", "s5", "slstm", "tcn"}
"""Other ways to multiply: cells of one vector do as the LSTM does, matrix states as DeltaNet."""


@pytest.mark.parametrize("model", [*QUICK, *map(full, sorted(OTHERS))])
def test_every_product_of_a_model_in_training_is_lowered_or_exact(model):
    of = point(f"model={model}", "model.features=4", "task=digits", "trainer.batch_size=2").build()
    if not fits(model, of.task.spec):
        of = replace(of, task=Translation(longest=3, examples=4, width=2))
    of = replace(of, precision="bfloat16")
    state = jax.eval_shape(lambda: init_member(of, Hyper.example()))
    batches = batch_shapes(of.task.load().train, of.batch_size)
    step = jax.make_jaxpr(lambda s, b: train_step(of, graph(of), s, Hyper.example(), b))
    found = [*products(step(state, next(iter(batches.values()))))]
    exact = [eqn for eqn, _ in found if eqn.params["precision"] in (HIGHEST, (HIGHEST, HIGHEST))]
    lowered = [
        eqn
        for eqn, beside in found
        if beside.count("reduce_precision") == 2
        or {str(operand.dtype) for operand in operands(eqn)} == {"bfloat16"}
    ]
    assert lowered and len(exact) + len(lowered) == len(found)
    assert bool(exact) == (model in EXACT)


def test_cudnns_products_are_refused():
    """By their name: there is no cuDNN on a CPU, not even to trace it."""
    kernel = core.Primitive("rnn_fwd")
    kernel.def_abstract_eval(lambda x: x)
    with pytest.raises(SeqexpError, match="implementation=cudnn, which multiplies in float32"):
        with_products_in("bfloat16", lambda x: kernel.bind(x) @ x)(B)


@pytest.mark.parametrize("word", ["bf16", "float16", "true", "16"])
def test_another_precision_is_refused_in_a_config(word):
    with pytest.raises(SeqexpError, match="trainer.precision must be one of float32, bfloat16"):
        point(f"trainer.precision={word}").build()


def test_another_precision_is_refused_in_an_experiment():
    with pytest.raises(SeqexpError, match="trainer.precision must be float32 or bfloat16, not 16"):
        experiment(digits(), precision=16)
