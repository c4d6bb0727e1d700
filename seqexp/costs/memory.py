"""Memory: of the carry, which is all that decoding keeps, of a compiled program, of a device."""

from __future__ import annotations

from typing import Any

import jax

from seqexp.types import Carry, Model, SeqexpError, Sequences


def carry_shapes(model: Model, inputs: Sequences) -> Carry:
    """The carry behind inputs, in shape; nothing is computed.

    Of a model that reads whole sequences only and cannot decode, the carries of its layers.
    """
    try:
        return jax.eval_shape(model.prefill, inputs)
    except SeqexpError:
        B, T = inputs.values.shape[:2]
        layers = model.layers
        return jax.eval_shape(lambda: (tuple(layer.initial_carry(B, T) for layer in layers), ()))


def carry_bytes(model: Model, inputs: Sequences) -> int:
    """Bytes of one sequence's carry: what the model remembers between two steps.

    Args:
        model: the sequence model.
        inputs: those of one sequence, which it has read; shapes do.
    """
    return tree_bytes(carry_shapes(model, inputs))


def carry_bytes_by_layer(model: Model, inputs: Sequences) -> dict[str, int]:
    """The same by the place in the carry.

    A place is where a part stands in nested tuples, its fields not told apart: in the carry of a
    `SequenceModel`, "0.l" is layer l ("0.l.0" and "0.l.1" the two directions of one) and "1" what
    the pooling keeps.
    """
    places: dict[str, int] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(carry_shapes(model, inputs)):
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
    """`program_bytes` without the arguments, which are allocated before the program runs."""
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
