"""Products of bfloat16 itself on a CPU, in whatever form they come."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.costs.jaxprs import operands
from seqexp.training import precision
from seqexp.training.precision import with_products_in
from tests.training.test_precision import products, rounded

RNG = np.random.default_rng(0)


def drawn_product(rng):
    """Two arrays and the axes of their product: up to 2 that both keep, and 1 or 2 each that are
    summed, the left's own and the right's own; in any order, of sizes that fill vectors or not."""
    least = {"b": 0, "s": 1, "l": 1, "r": 1}
    counts = {part: rng.integers(count, 3) for part, count in least.items()}
    sizes = {part: rng.choice([2, 3, 7, 8, 16, 17], count) for part, count in counts.items()}

    def drawn(own):
        axes = rng.permutation(
            [f"{part}{i}" for part in "bs" + own for i in range(sizes[part].size)]
        )
        shape = [sizes[axis[0]][int(axis[1])] for axis in axes]
        of = {part: tuple(int(i) for i in np.argsort(axes) if axes[i][0] == part) for part in "bs"}
        return rng.standard_normal(shape).astype(np.float32), of["s"], of["b"]

    (left, *of_left), (right, *of_right) = drawn("l"), drawn("r")
    summed, kept = zip(of_left, of_right, strict=True)
    return left, right, (summed, kept)


WAYS = {
    "by itself": lambda product: product,
    "in a loop": lambda product: lambda a, b: jax.lax.map(lambda n: product(a * n, b), jnp.ones(2)),
    "of turned sides": lambda product: lambda a, b: product((2 * a.T).T, (-b.T).T),
    "in gradients": lambda product: jax.grad(lambda a, b: jnp.sum(product(a, b)), (0, 1)),
    "turned after": lambda product: lambda a, b: product(a, b).T,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(s, marks=pytest.mark.full) for s in range(4, 24))]
)
def test_products_of_any_axes_are_those_of_rounded_operands(monkeypatch, way, seed):
    """Whatever XLA makes of them: its CPU compiler fails at some that are left as they are."""
    monkeypatch.setattr(precision, "fast_products", lambda: "AVX512-BF16")
    left, right, dimensions = drawn_product(np.random.default_rng(seed))

    def product(a, b):
        return jax.lax.dot_general(a, b, dimensions)

    lowered = with_products_in("bfloat16", WAYS[way](product))
    dtypes = {
        str(a.dtype)
        for eqn, _ in products(jax.make_jaxpr(lowered)(left, right))
        for a in operands(eqn)
    }
    assert dtypes == {"bfloat16"}
    found = jax.jit(lowered)(left, right)
    # What comes back to a gradient is ones, which rounding leaves.
    want = jax.jit(WAYS[way](product))(*(jax.lax.reduce_precision(a, 8, 7) for a in (left, right)))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("left", "right", "dtype"),
    [
        ((1, 3, 4), (1, 4, 5), "bfloat16"),
        ((0, 3, 4), (0, 4, 5), "float32"),
        ((2, 1, 4), (2, 4, 5), "float32"),
        ((2, 3, 1), (2, 1, 5), "float32"),
        ((2, 3, 4), (2, 4, 1), "float32"),
        ((3, 0), (0, 5), "float32"),
    ],
)
def test_products_of_one_or_of_none_and_of_rows_and_columns(monkeypatch, left, right, dtype):
    monkeypatch.setattr(precision, "fast_products", lambda: "AMX")
    a, b = (RNG.standard_normal(shape).astype(np.float32) for shape in (left, right))
    lowered = with_products_in("bfloat16", jnp.matmul)
    ((eqn, _),) = products(jax.make_jaxpr(lowered)(a, b))
    assert str(operands(eqn)[0].dtype) == dtype
    found = jax.jit(lowered)(a, b)
    np.testing.assert_allclose(found, rounded(a) @ rounded(b), rtol=1e-5, atol=1e-5)


def test_where_a_processor_multiplies_bfloat16_xla_does_not_take_it_back_to_float32():
    """Of two matrices and of many, with a left side or a result that was turned before or after."""
    if precision.fast_products() is None:
        pytest.skip("this processor has no products of bfloat16")

    def products_of(a, b):
        return a[0] @ b, jnp.einsum("nij,njk->nik", a, a), (a[0].T @ b).T

    shapes = (jax.ShapeDtypeStruct(shape, np.float32) for shape in ((3, 64, 64), (64, 64)))
    lowered = jax.jit(with_products_in("bfloat16", products_of)).lower(*shapes)
    computations = str(lowered.compile().as_text()).split("\n\n")
    multiplying = [each.split(" -> ")[0] for each in computations if " dot(" in each]
    assert len(multiplying) == 3
    assert all("bf16[" in operands and " f32[" not in operands for operands in multiplying)
