"""Memory: of the carry, which is all that decoding keeps, of a compiled program, of a device."""

from __future__ import annotations

from typing import Any

import jax

from seqexp.types import Array, Model, SeqexpError


def carry_bytes(model: Model) -> int:
    """Bytes of one sequence's carry: what the model remembers between two steps.

    The carry is evaluated abstractly (`jax.eval_shape`), so nothing is allocated.
    """
    return tree_bytes(jax.eval_shape(lambda: model.initial_carry(1)))


def carry_bytes_by_layer(
    model: Model, inputs: Array | jax.ShapeDtypeStruct, context_length: int
) -> dict[str, int]:
    """Bytes of one sequence's carry behind so many steps, by its place in the carry.

    A place is where a part stands in nested tuples, its fields not told apart: in the carry of a
    `SequenceModel`, "0.l" is layer l ("0.l.0" and "0.l.1" the two directions of one) and "1" what
    the pooling keeps.

    Steps are evaluated abstractly, and only for as long as they change the shapes of the carry: a
    recurrent model's are the same at any length, where a cache that grows would be followed.

    Args:
        model: the sequence model. One that cannot decode has the carry that it starts with.
        inputs: one step's, `[1]` tokens or `[1, D]` features; shapes do.
        context_length: how many steps the model has read.
    """
    carry = jax.eval_shape(lambda: model.initial_carry(1))
    for _ in range(context_length):
        try:
            after, _ = jax.eval_shape(model.step, carry, inputs)
        except SeqexpError:
            break
        if _shapes(after) == _shapes(carry):
            break
        carry = after
    places: dict[str, int] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(carry):
        place = _place(path)
        places[place] = places.get(place, 0) + tree_bytes(leaf)
    return places


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


def working_bytes(compiled: jax.stages.Compiled) -> int | None:
    """What of `program_bytes` is not there before the program runs: all but its arguments."""
    whole, stats = program_bytes(compiled), compiled.memory_analysis()
    return None if whole is None or stats is None else whole - stats.argument_size_in_bytes


def peak_device_bytes(device: Any) -> int | None:
    """The most bytes that this process has had on one of `jax.devices()` so far; None on a CPU."""
    return (device.memory_stats() or {}).get("peak_bytes_in_use")


def _place(path: tuple[Any, ...]) -> str:
    numbers = []
    for key in path:
        if not isinstance(key, jax.tree_util.SequenceKey):
            break
        numbers.append(str(key.idx))
    return ".".join(numbers)


def tree_bytes(tree: Any) -> int:
    """Bytes of all arrays of a pytree; shapes in place of arrays do."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _shapes(tree: Any) -> list[Any]:
    return [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(tree)]
