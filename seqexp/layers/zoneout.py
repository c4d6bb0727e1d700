"""Zoneout: some units keep their previous value for a step."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Cell, DropoutMasks
from seqexp.layers.cell_dropout import CellDropout, rehearse
from seqexp.layers.dropout import require_rate
from seqexp.recurrences.scan import scan
from seqexp.types import Array, Carry, KeyArray, SeqexpError


class Zoneout(CellDropout):
    """Randomly keep previous values of the carry (Krueger et al. 2017,
    https://arxiv.org/abs/1606.01305).

        carry_t = m_t * carry_{t-1} + (1 - m_t) * cell(carry_{t-1}, x_t)

    with m_t drawn for each step, unit and part of the carry in training, and its expectation, the
    rate, at evaluation. The output is that of the zoned-out carry.

    Args:
        cell: any cell, wrapped or bare.
        rate: probability to keep a unit; or one for each part of the carry by its name, such as
            `{"c": 0.5, "h": 0.05}` for an LSTM. A part `x`, which holds earlier inputs, is no state
            and always new.

    Raises:
        SeqexpError: for rates outside [0, 1), names other than the carry's, or if another wrapper
            of the cell does the same.
    """

    def __init__(self, cell: Cell, *, rate: float | Mapping[str, float]):
        super().__init__(cell)
        self.rates = _rates(cell, rate)
        rehearse(self)

    def own_masks(self, keys: list[KeyArray], batch_size: int, steps: int) -> DropoutMasks:
        """The mask "zone", a carry of `[T, B, ...]` booleans."""
        if not any(self.rates):
            return {}
        parts, structure = jax.tree.flatten(self.cell.initial_carry(batch_size))
        part_keys = jax.random.split(keys[0], len(parts))
        zones = [
            jax.random.bernoulli(key, rate, (steps, *part.shape))
            for key, rate, part in zip(part_keys, self.rates, parts, strict=True)
        ]
        return {"zone": jax.tree.unflatten(structure, zones)}

    def step(
        self, carry: Carry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[Carry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        if not any(self.rates):
            return self.cell.step(carry, x, dropout)
        if not dropout or "zone" not in dropout:
            new, _ = self.cell.step(carry, x, dropout)
            rates = jax.tree.unflatten(jax.tree.structure(carry), self.rates)
            carry = jax.tree.map(lambda p, old, n: p * old + (1 - p) * n, rates, carry, new)
        else:
            # With its mask: a cell whose parts belong together refuses it.
            new, _ = self.cell.step(carry, x, dropout)
            carry = jax.tree.map(jnp.where, dropout["zone"], carry, new)
        return carry, self.cell.output(carry)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: Carry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """All steps, time first: `xs` `[T, B, D]` to `[T, B, P]` and the final carry."""
        if not any(self.rates):
            return self.cell.unroll(xs, carry=carry, mask=mask, dropout=dropout, reverse=reverse)
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        return scan(self.step, carry, xs, mask, dropout or {}, reverse)


def _rates(cell: Cell, rate: float | Mapping[str, float]) -> tuple[float, ...]:
    """The rate of each leaf of the cell's carry."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(cell.initial_carry(1))
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    states = [name for name in names if name != "x"]
    by_name = rate if isinstance(rate, Mapping) else dict.fromkeys(states, rate)
    if set(by_name) != set(states):
        raise SeqexpError(
            f"zoneout rates are given for {sorted(by_name)}, but this cell's carry consists of "
            f"{sorted(set(states))}: give each of these a rate, or one number for all"
        )
    for name, value in by_name.items():
        require_rate(f"zoneout rate of {name}", value)
    return tuple(float(by_name.get(name, 0)) for name in names)
