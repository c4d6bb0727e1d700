"""Zoneout: some units keep their previous value for a step."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from seqexp.layers.dropout import require_rate
from seqexp.layers.noise import rehearse, require_free
from seqexp.recurrences.scan import scan
from seqexp.types import Array, Carry, Cell, Noise, SeqexpError


class Zoneout(nnx.Module):
    """Randomly keep previous values of the carry (Krueger et al. 2017,
    https://arxiv.org/abs/1606.01305).

        carry_t = m_t * carry_{t-1} + (1 - m_t) * cell(carry_{t-1}, x_t)

    with m_t drawn for each step, unit and part of the carry in training, and its expectation, the
    rate, at evaluation. The output is that of the zoned-out carry.

    Args:
        cell: any cell, wrapped or bare.
        rate: probability to keep a unit; or one for each part of the carry by its name, such as
            `{"c": 0.5, "h": 0.05}` for an LSTM.

    Raises:
        SeqexpError: for rates outside [0, 1), names other than the carry's, or if another wrapper
            of the cell does the same.
    """

    def __init__(self, cell: Cell, *, rate: float | Mapping[str, float]):
        self.cell = cell
        self.in_features = cell.in_features
        self.features = cell.features
        self.out_features = cell.out_features
        self.rates = _rates(cell, rate)
        rehearse(self)

    def initial_carry(self, batch_size: int) -> Carry:
        """The cell's."""
        return self.cell.initial_carry(batch_size)

    def output(self, carry: Carry) -> Array:
        """The cell's."""
        return self.cell.output(carry)

    def draw(self, key: Array, batch_size: int, steps: int) -> Noise:
        """The cell's noise, with `zone` a carry of `[T, B, ...]` booleans."""
        cell_key, zone_key = jax.random.split(key)
        noise = self.cell.draw(cell_key, batch_size, steps)
        if not any(self.rates):
            return noise
        require_free("zone", noise.zone)
        parts, structure = jax.tree.flatten(self.cell.initial_carry(batch_size))
        keys = jax.random.split(zone_key, len(parts))
        zones = [
            jax.random.bernoulli(key, rate, (steps, *part.shape))
            for key, rate, part in zip(keys, self.rates, parts, strict=True)
        ]
        return noise._replace(zone=jax.tree.unflatten(structure, zones))

    def step(self, carry: Carry, x: Array, noise: Noise | None = None) -> tuple[Carry, Array]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        if not any(self.rates):
            return self.cell.step(carry, x, noise)
        if noise is None or noise.zone is None:
            new, _ = self.cell.step(carry, x, noise)
            rates = jax.tree.unflatten(jax.tree.structure(carry), self.rates)
            carry = jax.tree.map(lambda p, old, n: p * old + (1 - p) * n, rates, carry, new)
        else:
            new, _ = self.cell.step(carry, x, noise._replace(zone=None))
            carry = jax.tree.map(jnp.where, noise.zone, carry, new)
        return carry, self.cell.output(carry)

    def unroll(
        self,
        xs: Array,
        *,
        carry: Carry | None = None,
        real: Array | None = None,
        noise: Noise | None = None,
        reverse: bool = False,
    ) -> tuple[Array, Carry]:
        """All steps, time first: `xs` `[T, B, D]` to `[T, B, P]` and the final carry."""
        if not any(self.rates):
            return self.cell.unroll(xs, carry=carry, real=real, noise=noise, reverse=reverse)
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        noise = Noise() if noise is None else noise
        return scan(self.step, carry, xs, real, noise, reverse)


def _rates(cell: Cell, rate: float | Mapping[str, float]) -> tuple[float, ...]:
    """The rate of each leaf of the cell's carry."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(cell.initial_carry(1))
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    by_name = rate if isinstance(rate, Mapping) else dict.fromkeys(names, rate)
    if set(by_name) != set(names):
        raise SeqexpError(
            f"zoneout rates are given for {sorted(by_name)}, but this cell's carry consists of "
            f"{sorted(set(names))}: give each of these a rate, or one number for all"
        )
    for name, value in by_name.items():
        require_rate(f"zoneout rate of {name}", value)
    return tuple(float(by_name[name]) for name in names)
