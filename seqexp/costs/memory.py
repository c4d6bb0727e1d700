"""Memory: of the carry, which is all that decoding keeps, and of a compiled program."""

from __future__ import annotations

import jax

from seqexp.types import Model


def carry_bytes(model: Model) -> int:
    """Bytes of one sequence's carry: what the model remembers between two steps.

    The carry is evaluated abstractly (`jax.eval_shape`), so nothing is allocated.
    """
    carry = jax.eval_shape(lambda: model.initial_carry(1))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(carry))


def program_bytes(compiled: jax.stages.Compiled) -> int | None:
    """Bytes that a compiled program occupies on a device while it runs.

        arguments + outputs + temporaries - aliased

    as XLA's buffer assignment plans them; aliased are donated arguments whose buffers the outputs
    take over. Neither the code nor what else lives on the device is included.

    Returns:
        None where the backend does not say.
    """
    stats = compiled.memory_analysis()
    if stats is None:
        return None
    return (
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        + stats.temp_size_in_bytes
        - stats.alias_size_in_bytes
    )
