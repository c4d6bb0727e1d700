"""What a spec refuses, and the shapes that it promises."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.types import Batch, Features, SeqexpError, Sequences, TaskSpec, Tokens

B, T, C, U = 3, 8, 5, 4
TOKENS = Tokens(7)
FREE = {"max_answer_length": U, "start": 0, "end": 1}


def spec(answer: Any, inputs: Any = TOKENS, **changes: Any) -> TaskSpec:
    return TaskSpec(inputs, answer, C, T, causal=False, **changes)


@pytest.mark.parametrize("answer", ["sequence", "step"])
@pytest.mark.parametrize("of_free", [{"max_answer_length": 3}, {"start": 0}, {"end": 0}, FREE])
def test_what_is_of_free_answers_is_refused_elsewhere(answer, of_free):
    with pytest.raises(SeqexpError, match=f"^a task with one answer a {answer} has no max_answer"):
        spec(answer, **of_free)


@pytest.mark.parametrize(
    "change",
    [
        {"max_answer_length": None},
        {"max_answer_length": 0},
        {"start": None},
        {"end": None},
        {"start": C},
        {"end": C},
        {"start": -1},
        {"end": -1},
    ],
)
def test_free_answers_need_a_length_a_start_and_an_end(change):
    with pytest.raises(SeqexpError, match="^a task with free answers needs .* tokens from 0 to 4,"):
        spec("free", **(FREE | change))


def test_the_tokens_of_a_free_answer_may_be_the_first_and_the_last():
    assert spec("free", max_answer_length=1, start=C - 1, end=0).end == 0


SHAPES: dict[str, tuple[dict[str, Any], tuple[int, ...] | None, Any]] = {
    "labels": ({"answer": "sequence"}, (B,), jnp.int32),
    "labels a step": ({"answer": "step"}, (B, T), jnp.int32),
    "values": ({"answer": "sequence", "targets": "values"}, (B, C), jnp.float32),
    "values a step": ({"answer": "step", "targets": "values"}, (B, T, C), jnp.float32),
    "own": ({"answer": "step", "targets": "own"}, None, None),
    "free": ({"answer": "free", **FREE}, (B, U), jnp.int32),
    "free values": ({"answer": "free", "targets": "values", **FREE}, (B, U, C), jnp.float32),
}


@pytest.mark.parametrize("inputs", [Tokens(7), Features(2)], ids=["tokens", "features"])
@pytest.mark.parametrize("name", SHAPES)
def test_an_example_has_the_shapes_of_what_is_asked(name, inputs):
    arguments, shape, kind = SHAPES[name]
    example = spec(inputs=inputs, **arguments).example(B)
    trailing, dtype = ((), jnp.int32) if inputs == Tokens(7) else ((2,), jnp.float32)
    assert example.inputs.values == jax.ShapeDtypeStruct((B, T, *trailing), dtype)
    assert example.inputs.lengths == jax.ShapeDtypeStruct((B,), jnp.int32)
    expected = () if shape is None else jax.ShapeDtypeStruct(shape, kind)
    assert example.targets == expected
    if arguments["answer"] == "free":
        assert example.prefix == Sequences(
            jax.ShapeDtypeStruct((B, U), jnp.int32),  # type: ignore[arg-type]
            jax.ShapeDtypeStruct((B,), jnp.int32),  # type: ignore[arg-type]
        )
    else:
        assert example.prefix is None


def test_an_example_may_be_shorter_than_the_most_steps():
    """Answers a step are too; those of their own length are not."""
    assert spec("step").example(B, 3).inputs.values.shape == (B, 3)
    assert spec("step").example(B, 3).targets.shape == (B, 3)
    free = spec("free", **FREE).example(B, 3)
    assert free.inputs.values.shape == (B, 3) and free.targets.shape == (B, U)


LENGTHS, ANSWERS = np.array([8, 0, 3]), np.array([1, 0, 4])


@pytest.mark.parametrize("answer", ["sequence", "step", "free"])
def test_an_answer_counts_where_it_is_real(answer):
    """Example by example."""
    asked = spec(answer, **(FREE if answer == "free" else {}))
    prefix = Sequences(np.zeros((B, U)), ANSWERS) if answer == "free" else None  # type: ignore[arg-type]
    batch = Batch(Sequences(np.zeros((B, T)), LENGTHS), (), prefix)  # type: ignore[arg-type]
    if answer == "sequence":
        expected = [True, False, True]
    else:
        steps, own = (U, ANSWERS) if answer == "free" else (T, LENGTHS)
        expected = [[t < length for t in range(steps)] for length in own]
    assert np.asarray(asked.answer_mask(batch)).tolist() == expected
    assert asked.answer_shape(batch) == np.shape(expected)
