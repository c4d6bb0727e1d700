"""Singular values of the Jacobian of one step, and of products over several."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from seqexp.inspection.driven import Driven, driven
from seqexp.types import Array, Carry, KeyArray, Model, SeqexpError, Sequences


class StepJacobians(NamedTuple):
    """Spectra at S sampled places of a batch.

    Attributes:
        log_singular_values: `[S, K, n]`, in nats, the largest first, of the product over each of K
            spans of steps; -infinity for 0, and for what is too small beside the largest to be told
            from 0. NaN where not valid.
        valid: `[S, K]`, True where the sequence is long enough for the span.
        sequences: `[S]`, the sequence in the batch.
        starts: `[S]`, the first step of every span, counted in the order of reading.
        spans: `[K]`, k.
    """

    log_singular_values: Float[Array, "S K n"]
    valid: Bool[Array, "S K"]
    sequences: Int[Array, " S"]
    starts: Int[Array, " S"]
    spans: Int[Array, " K"]


def step_jacobians(
    model: Model,
    inputs: Sequences,
    chain: str,
    key: KeyArray,
    *,
    prefix: Sequences | None = None,
    samples: int = 8,
    spans: tuple[int, ...] = (1, 2, 4, 8, 16),
) -> StepJacobians:
    """Singular values of the step Jacobian and of its products over k steps.

        J_t = dh_t / dh_{t-1},    sigma(J_{s+k-1} .. J_{s+1} J_s)    for each k of `spans`

    along the trajectory that the inputs drive, at evaluation, h the flattened carry of one sequence
    (c and h of an LSTM). All of them 1 is dynamical isometry (Pennington et al. 2017,
    https://arxiv.org/abs/1711.04735); Saxe et al. 2014 (https://arxiv.org/abs/1312.6120) for
    orthogonal products.

    Places are drawn: each sequence that has a step with the same probability, then its start s
    uniformly from those where the longest span fits, or 0 where none does. The draw depends on the
    key and the lengths, not on padding.

    The product is scaled to norm 1 after each step and its scale kept as a log, so that it neither
    over- nor underflows. A singular value below n eps times the largest of its product (eps 1e-7 in
    float32) is rounding, and given as -infinity. Places are computed one after the other: of each
    there are a few `[n, n]` matrices at a time, below 0.2 GiB in all for an LSTM of 512 units
    (n = 1,024). With the default spans a place of it takes about 20 s of one CPU core, nearly all
    in the singular values, whose cost grows with n^3. Jittable, with `chain`, `samples` and `spans`
    static.

    Args:
        model: any with that chain.
        inputs: right-padded, `[B, T]` or `[B, T, D]`.
        chain: its name, see `Chain`.
        key: draws the places.
        prefix: what an encoder-decoder reads beside the inputs.
        samples: S.
        spans: the numbers of steps k, ascending.

    Raises:
        SeqexpError: for spans that do not ascend from at least 1, no samples, and what `driven`
            refuses.
    """
    if samples < 1 or not spans or list(spans) != sorted({*spans}) or spans[0] < 1:
        raise SeqexpError(
            f"samples must be at least 1 and spans ascend from at least 1, not {samples} and "
            f"{list(spans)}"
        )
    system = driven(model, inputs, prefix, chain)
    sequences, starts = _places(key, system.lengths, samples, spans[-1])

    def at(place: tuple[Array, Array]) -> Array:
        sequence, start = place
        return _spectra(system, system.xs[sequence], start, spans)

    logs = jax.lax.map(at, (sequences, starts))
    lengths = system.lengths[sequences]
    valid = starts[:, None] + jnp.asarray(spans) <= lengths[:, None]
    logs = jnp.where(valid[..., None], logs, jnp.nan)
    return StepJacobians(logs, valid, sequences, starts, jnp.asarray(spans))


def _places(
    key: KeyArray, lengths: Int[Array, " B"], samples: int, longest: int
) -> tuple[Int[Array, " S"], Int[Array, " S"]]:
    which, where = jax.random.split(key)
    chances = jnp.where(lengths > 0, 0.0, -jnp.inf)
    sequences = jax.random.categorical(which, chances, shape=(samples,))
    most = jnp.maximum(lengths[sequences] - longest, 0)
    return sequences, jax.random.randint(where, (samples,), 0, most + 1)


def _spectra(
    system: Driven, xs: Float[Array, "T D"], start: Int[Array, ""], spans: tuple[int, ...]
) -> Float[Array, "K n"]:
    """Logs of the singular values, of products that begin at a step of one sequence."""
    carry = jax.lax.fori_loop(0, start, lambda t, carry: system.step(carry, xs[t]), system.start)

    def one(t: Array, state: tuple[Carry, Array, Array]) -> tuple[Carry, Array, Array]:
        carry, rows, scale = state
        carry, push = system.linearized(carry, xs[start + t])
        rows = push(rows)
        norm = jnp.linalg.norm(rows)
        norm = jnp.where((norm > 0) & jnp.isfinite(norm), norm, 1)
        return carry, rows / norm, scale + jnp.log(norm)

    def up_to(state: tuple[Carry, Array, Array], ends: tuple[Array, Array]) -> tuple[Any, Array]:
        state = jax.lax.fori_loop(*ends, one, state)
        _, rows, scale = state
        values = jnp.linalg.svd(rows, compute_uv=False)
        least = system.size * jnp.finfo(values.dtype).eps * values[0]
        # Written so that NaN stays.
        resolved = jnp.where(values <= least, 0, values)
        return state, jnp.log(resolved) + scale

    # Rows are the product's columns, so that the step takes them as a batch of vectors.
    rows = jnp.eye(system.size, dtype=system.to_vector(system.start).dtype)
    ends = jnp.asarray((0, *spans[:-1])), jnp.asarray(spans)
    return jax.lax.scan(up_to, (carry, rows, jnp.zeros((), rows.dtype)), ends)[1]
