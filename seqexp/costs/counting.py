"""Costs that are counted: of the equations, of the programs that train and that are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.costs.depth import jaxpr_depth
from seqexp.costs.figures import Figures
from seqexp.costs.flops import count, count_jaxpr
from seqexp.costs.memory import carry_bytes_by_layer
from seqexp.costs.model_flops import TRAINING, model_flops
from seqexp.costs.parameters import count_parameters
from seqexp.training import Experiment, Hyper, Program
from seqexp.training.batches import batch_shapes, bucket_shares, mean_tokens, padding_share
from seqexp.training.step import MemberState, train_step
from seqexp.types import Array, Batch, Bucket, SeqexpError, Splits, Stream, TaskSpec

CANNOT_DECODE = "the model reads whole sequences only and cannot decode"
"""The one reason that is in a model's nature, so that nobody is told of it."""


def training_flops(
    experiment: Experiment, graphdef: nnx.GraphDef, state: MemberState, stream: Stream
) -> float:
    """FLOPs of one training step, over the buckets by their shares; the state may be shapes."""
    step, size = training_step(experiment, graphdef), experiment.batch_size
    batches, shares = batch_shapes(stream, size), bucket_shares(stream, size)
    return _by_share(shares, {b: count(step, state, batches[b]).total for b in batches})


class Held(NamedTuple):
    """What inference is measured on: the validation split.

    Attributes:
        spec: of the task.
        part: of its parts, the one of the longest inputs.
        inputs: true steps of an example's inputs in the mean.
        prefix: those of its prefix.
    """

    spec: TaskSpec
    part: Batch
    inputs: float
    prefix: float

    @classmethod
    def of(cls, spec: TaskSpec, splits: Splits) -> Held:
        """Of a task's data."""
        parts = splits.held_out["valid"]
        longest = max(parts, key=lambda part: part.inputs.values.shape[1])
        return cls(spec, longest, _mean_length(parts, "inputs"), _mean_length(parts, "prefix"))

    @property
    def tokens(self) -> float:
        """Mean number of true steps read of an example."""
        return self.inputs + self.prefix

    @property
    def context_length(self) -> int:
        """T."""
        return self.part.inputs.values.shape[1]

    def first(self, batch_size: int) -> Batch:
        """The first examples, repeated up to the given number."""
        return jax.tree.map(
            lambda a: jnp.asarray(np.resize(a[:batch_size], (batch_size, *a.shape[1:]))), self.part
        )

    def next_step(self, batch: Batch) -> Array:
        """The input of a decoding step: the first of the inputs, or of a free answer."""
        read = batch.inputs if batch.prefix is None else batch.prefix
        return read.values[:, 0]


def _mean_length(parts: Sequence[Batch], name: Literal["inputs", "prefix"]) -> float:
    read = [getattr(part, name) for part in parts]
    lengths = [np.asarray(each.lengths) for each in read if each is not None]
    return float(np.mean(np.concatenate(lengths))) if lengths else 0.0


def _carry(model: Any, held: Held) -> tuple[int, int, dict[str, int]]:
    places = carry_bytes_by_layer(model, held.spec.example(1, held.context_length).inputs)
    return held.context_length, sum(places.values()), places


def count_model(figures: Figures, model: Any, program: Program, splits: Splits, held: Held) -> None:
    """Parameters, carry, and FLOPs of the equations, these at the mean length: a recurrent model's
    are linear in the length."""
    parts = "parameters recurrent_parameters embedding_parameters readout_parameters"
    figures.take(parts, count_parameters, model)
    figures.take("context_length carry_bytes carry_bytes_by_layer", _carry, model, held)
    size = program.experiment.batch_size
    tokens = mean_tokens(splits.train, size)

    def forward(length: float, times: float, tokens: float) -> tuple[float, float]:
        example = held.spec.example(1, max(1, round(length)))
        read = example.inputs.values.shape[1]
        if example.prefix is not None:
            steps = max(1, round(held.prefix))
            values = jax.ShapeDtypeStruct((1, steps), jnp.int32)
            example = example._replace(prefix=example.prefix._replace(values=values))
            read += steps
        flops = times * (model_flops(model, example).total / read)
        return flops, flops * tokens

    inference = "model_inference_flops_per_token model_inference_flops_per_step"
    figures.take(inference, forward, held.inputs, 1, size * held.tokens)
    training = "model_training_flops_per_token model_training_flops_per_step"
    shares = bucket_shares(splits.train, size)
    examples = _by_share(shares, {bucket: bucket.batch_size for bucket in shares})
    figures.take(training, forward, tokens / examples - held.prefix, TRAINING, tokens)


def count_training(figures: Figures, program: Program, state: MemberState, splits: Splits) -> None:
    """Of the program on training's own batches, and its depth, on the same jaxprs."""
    step, size = training_step(program.experiment, program.graphdef), program.experiment.batch_size
    shares, tokens = bucket_shares(splits.train, size), mean_tokens(splits.train, size)
    trace = cache(lambda bucket: jax.make_jaxpr(step)(state, program.batches[bucket]))

    def flops() -> tuple[float, float, dict[str, float]]:
        counted = {bucket: asdict(count_jaxpr(trace(bucket))) for bucket in shares}
        kinds = next(iter(counted.values()))
        by_kind = {
            kind: _by_share(shares, {bucket: counted[bucket][kind] for bucket in shares})
            for kind in kinds
        }
        total = sum(by_kind.values())
        return total / tokens, total, by_kind

    names = "training_flops_per_token training_flops_per_step training_flops_by_kind"
    figures.take(names, flops)
    figures.take("padding_share", padding_share, splits.train, size)
    depth = "training_sequential_depth"
    figures.take(depth, lambda: max(jaxpr_depth(trace(bucket)) for bucket in shares))


def _by_share(shares: Mapping[Bucket, float], each: Mapping[Bucket, Any]) -> Any:
    """The mean over buckets, weighted by their shares; of one bucket the value itself."""
    if len(each) == 1:
        return next(iter(each.values()))
    return sum(shares[bucket] * value for bucket, value in each.items())


def count_inference(figures: Figures, program: Program, model: Any, held: Held) -> None:
    """Of the program on a batch like those of a split, and its depth, on the same jaxpr."""
    size, state = program.experiment.batch_size, nnx.state(model)
    batch = jax.tree.map(lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), held.part)

    def forward(state: Any, batch: Batch) -> Any:
        return nnx.merge(program.graphdef, state)(batch.inputs, batch.prefix).outputs

    trace = cache(partial(jax.make_jaxpr(forward), state, batch))

    def flops() -> tuple[float, int]:
        counted = count_jaxpr(trace()).total
        return counted / (size * held.tokens), counted

    figures.take("inference_flops_per_token inference_flops_per_step", flops)
    figures.take("inference_sequential_depth", lambda: jaxpr_depth(trace()))
    figures.take("decode_flops_per_token", _decode_flops, program.graphdef, state, held)


def _decode_flops(graphdef: nnx.GraphDef, state: Any, held: Held) -> int:
    def step(state: Any, carry: Any, x: Any) -> Any:
        return nnx.merge(graphdef, state).step(carry, x)

    try:
        one = held.first(1)
        carry = jax.eval_shape(nnx.merge(graphdef, state).prefill, one.inputs)
        jaxpr = jax.make_jaxpr(step)(state, carry, held.next_step(one))
    except SeqexpError as error:
        raise SeqexpError(CANNOT_DECODE) from error
    return count_jaxpr(jaxpr).total


def training_step(experiment: Experiment, graphdef: nnx.GraphDef) -> Callable[..., Any]:
    """`train_step` at any rates, of a state and a batch."""

    def step(state: MemberState, batch: Batch) -> Any:
        return train_step(experiment, graphdef, state, Hyper.example(), batch)

    return step
