"""Canaries: small programs that known defects of JAX and XLA get wrong."""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np


def canaries() -> list[str]:
    """One line for each known defect found in this machine's JAX; empty if there is none."""
    dead = []
    if not batched_products_are_right():
        dead.append(
            "jit(vmap(...)) of a matrix product gives wrong numbers (jax issue 39103, jaxlib "
            "0.10.2 on CPU): install another jax"
        )
    if scan_growth() > 8:
        dead.append(
            "lax.scan takes time quadratic in its length (jax issue 40101, jax 0.11.1 on CPU): "
            "install another jax"
        )
    return dead


def batched_products_are_right() -> bool:
    """Whether `jit(vmap(r -> |M r|^2))` over 40,000 rows agrees with numpy."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(8, 8)).astype(np.float32)
    rows = rng.normal(size=(40_000, 8)).astype(np.float32)
    ours = jax.jit(jax.vmap(lambda r: jnp.sum((jnp.asarray(matrix) @ r) ** 2)))(rows)
    return bool(np.allclose(ours, ((rows @ matrix.T) ** 2).sum(1), rtol=1e-3))


def scan_growth() -> float:
    """How much longer a step of a scan takes at 8 times the length; about 1 where it is linear."""

    def a_step(length: int) -> float:
        xs = jnp.ones((length, 4))
        scan = jax.jit(lambda xs: jax.lax.scan(lambda c, x: (c + x, c * x), jnp.zeros(4), xs))
        jax.block_until_ready(scan(xs))
        runs = []
        for _ in range(5):
            started = time.perf_counter()
            jax.block_until_ready(scan(xs))
            runs.append(time.perf_counter() - started)
        return float(np.median(runs)) / length

    return a_step(16_000) / a_step(2_000)
