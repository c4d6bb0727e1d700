"""Decoding, of any model through its own `prefill` and `step`: greedy, sampled, by a beam, or of
values that are read back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqexp.training.beam import beam_search
from seqexp.training.ctc import best_path, prefix_beam_search
from seqexp.training.sampling import draw
from seqexp.types import (
    CTC,
    Array,
    Batch,
    Beam,
    Decoding,
    FreeRunning,
    Model,
    SeqexpError,
    Sequences,
    TaskSpec,
)


def decode(
    model: Model,
    inputs: Sequences,
    first: Array,
    length: int,
    *,
    key: Array | None = None,
    temperature: float | Array = 1.0,
    top_k: int | Array | None = None,
    top_p: float | Array | None = None,
) -> Array:
    """Write tokens one by one, each read back before the next.

        y_u = argmax(o_u), or `draw`n from softmax(o_u / temperature) where there is a key

    with o_u the model's outputs after it has read the inputs, `first` and y_1 .. y_{u-1}.

    Args:
        model: its outputs are logits of the tokens that it reads.
        inputs: what is read before; of length 0 for an empty past.
        first: `[B]` tokens, read next.
        length: U, how many to write.
        key: draws; None for greedy decoding.
        temperature: divides the logits; 0 takes the largest, too.
        top_k: draw among so many of the likeliest tokens; None for all.
        top_p: draw from the nucleus of that probability; None for all.

    Returns:
        `[B, U]` int32 tokens.
    """

    def write(state: Any, step_key: Array | None) -> Any:
        carry, token = state
        carry, logits = model.step(carry, token)
        if step_key is None:
            token = jnp.argmax(logits, axis=-1).astype(jnp.int32)
        else:
            token = draw(step_key, logits, temperature, top_k, top_p)
        return (carry, token), token

    keys = None if key is None else jax.random.split(key, length)
    start = model.prefill(inputs), first.astype(jnp.int32)
    return jnp.swapaxes(jax.lax.scan(write, start, keys, length)[1], 0, 1)


def before_end(tokens: Array, end: int) -> Sequences:
    """`[B, U]` tokens as sequences up to the first `end`, which is left out.

    >>> before_end(jnp.array([[5, 6, 1, 7], [1, 5, 5, 5], [5, 5, 5, 5]]), end=1).lengths.tolist()
    [2, 0, 4]
    """
    written = jnp.cumsum(tokens == end, axis=1) == 0
    return Sequences(jnp.where(written, tokens, end), written.sum(axis=1, dtype=jnp.int32))


def greedy(spec: TaskSpec, model: Model, batch: Batch) -> Sequences:
    """A model's answers to a batch, as tokens: decoded token by token for free answers, else the
    largest output of each sequence (`[B, 1]`) or step (`[B, T]`)."""
    lengths = batch.inputs.lengths
    if spec.answer == "free":
        assert spec.start is not None and spec.end is not None and spec.max_answer_length
        first = jnp.full(lengths.shape, spec.start, jnp.int32)
        return before_end(decode(model, batch.inputs, first, spec.max_answer_length), spec.end)
    tokens = jnp.argmax(model(batch.inputs).outputs, axis=-1).astype(jnp.int32)
    if spec.answer == "step":
        return Sequences(tokens, lengths)
    return Sequences(tokens[:, None], (lengths > 0).astype(jnp.int32))


def free_running(
    model: Model, inputs: Sequences, given: int, key: Array | None = None
) -> Sequences:
    """Outputs from the last given step on, each the input of the next step.

        y_g = o(x_1 .. x_g),    y_t = o(x_1 .. x_g, y_g .. y_{t-1})

    or, where there is a key, y_t drawn in {0, 1} with the probability sigmoid(o) of 1.

    Args:
        model: its outputs are values of the features that it reads.
        inputs: `[B, T, D]`, T at least `given`; what stands after x_g is not looked at.
        given: g, at least 1.
        key: draws; None to read the outputs themselves.

    Returns:
        `[B, T - g + 1, D]` values; none of an input that is shorter than g.

    Raises:
        SeqexpError: T is less than g.
    """
    values, lengths = inputs
    if values.shape[1] < given:
        raise SeqexpError(f"inputs of {values.shape[1]} steps are fewer than the {given} given")
    # One step at least, for a model may not read arrays of none.
    past = Sequences(values[:, : max(given - 1, 1)], jnp.minimum(lengths, given - 1))

    def step(state: Any, step_key: Array | None) -> Any:
        carry, x = state
        carry, y = model.step(carry, x)
        if step_key is not None:
            y = jax.random.bernoulli(step_key, jax.nn.sigmoid(y))
        y = y.astype(x.dtype)
        return (carry, y), y

    start, steps = (model.prefill(past), values[:, given - 1]), values.shape[1] - given + 1
    keys = None if key is None else jax.random.split(key, steps)
    ys = jax.lax.scan(step, start, keys, steps)[1]
    return Sequences(jnp.swapaxes(ys, 0, 1), jnp.maximum(lengths - given + 1, 0))


def decoded(
    spec: TaskSpec, model: Model, batch: Batch, how: Decoding, key: Array | None = None
) -> Sequences:
    """A model's answers to a batch, decoded as a task asks: what `judge` reads of one hypothesis,
    the best, where there are several. The key is for what is drawn."""
    if isinstance(how, Beam):
        return best_of_beam(spec, model, batch.inputs, how)
    if isinstance(how, FreeRunning):
        return free_running(model, batch.inputs, how.given, key if how.draws else None)
    if not isinstance(how, CTC):
        return greedy(spec, model, batch)
    outputs, lengths = model(batch.inputs).outputs, batch.inputs.lengths
    if how.width is None:
        return best_path(outputs, lengths, blank=how.blank)
    return prefix_beam_search(outputs, lengths, blank=how.blank, width=how.width).best


def best_of_beam(
    spec: TaskSpec, model: Model, inputs: Sequences, beam: Beam, length: int | None = None
) -> Sequences:
    """The best free answers that a beam finds, of at most `length` tokens, or as the spec says."""
    assert spec.start is not None and spec.end is not None and spec.max_answer_length
    return beam_search(
        model,
        inputs,
        start=spec.start,
        end=spec.end,
        length=length or spec.max_answer_length,
        width=beam.width,
        length_penalty=beam.length_penalty,
    ).best


def sample_text(
    graphdef: nnx.GraphDef,
    params: Any,
    key: Array,
    prompt: Array,
    length: int,
    temperature: float | Array = 1.0,
    top_k: int | Array | None = None,
    top_p: float | Array | None = None,
) -> Array:
    """Draw tokens after a prompt: `[T]` tokens, at least one, to `[length]` int32 tokens."""
    model = nnx.merge(graphdef, params)
    # A past of length 0 stands in arrays of one step, for a model may not read arrays of none.
    past = jnp.concatenate([prompt[:-1], jnp.zeros(1, prompt.dtype)])
    inputs = Sequences(past[None], jnp.asarray([len(prompt) - 1], jnp.int32))
    how = {"key": key, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    return decode(model, inputs, prompt[-1:], length, **how)[0]
