"""Models whose gradients through time are known, and tasks to take them of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.models import SequenceModel
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.scan import scan
from seqexp.types import (
    Batch,
    Features,
    Mean,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Task,
    TaskSpec,
)


class ByStep(nnx.Module):
    """What layers of a user's own share here: `unroll` is a scan of `step`."""

    causal = True
    recurrent_parameters = ()
    initial_carry: Any
    step: Any

    def __init__(self, in_features: int, features: int, *, rngs: nnx.Rngs):
        self.in_features = in_features
        self.out_features = features
        shape = in_features, features
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), shape) / np.sqrt(features))

    def unroll(self, xs, mask=None, carry=None, *, key=None):
        carry = self.initial_carry(xs.shape[1], len(xs)) if carry is None else carry
        return scan(lambda carry, x, _: self.step(carry, x), carry, xs, mask, {}, False)

    def stepwise(self):
        return self


class Linear(ByStep):
    """h_t = h_{t-1} U + x_t W, and a counter that has no gradient."""

    def __init__(self, in_features, features, *, rngs):
        super().__init__(in_features, features, rngs=rngs)
        self.matrix = nnx.Param(jnp.eye(features))

    def initial_carry(self, batch_size, max_length):
        h = jnp.zeros((batch_size, self.out_features), self.matrix.dtype)
        return h, jnp.zeros(batch_size, jnp.int32)

    def step(self, carry, x):
        h, count = carry
        h = h @ self.matrix[...] + x @ self.kernel[...]
        return (h, count + 1), h


class Rotating(ByStep):
    """h_t = lambda h_{t-1} + x_t W of complex numbers, as a diagonal linear recurrence has them."""

    def __init__(self, in_features, features, *, rngs):
        super().__init__(in_features, features, rngs=rngs)
        self.eigenvalues = nnx.Param(jnp.ones(features, jnp.complex64))

    def initial_carry(self, batch_size, max_length):
        return jnp.zeros((batch_size, self.out_features), self.eigenvalues.dtype)

    def step(self, carry, x):
        h = carry * self.eigenvalues[...] + x @ self.kernel[...]
        return h, h.real


class Cache(ByStep):
    """Attention to what was read before, kept whole: y_t = sum_s softmax_s(e_t . e_s) e_s."""

    def initial_carry(self, batch_size, max_length):
        kept = jnp.zeros((batch_size, max_length, self.out_features), self.kernel.dtype)
        return kept, jnp.zeros(batch_size, jnp.int32)

    def step(self, carry, x):
        kept, count = carry
        e = x @ self.kernel[...]
        places = jnp.arange(kept.shape[1])
        kept = jnp.where((places == count[:, None])[..., None], e[:, None], kept)
        scores = jnp.einsum("bd,bsd->bs", e, kept)
        weights = jax.nn.softmax(jnp.where(places <= count[:, None], scores, -jnp.inf), -1)
        return (kept, count + 1), jnp.einsum("bs,bsd->bd", weights, kept)


class Whole(ByStep):
    """Reads the whole sequence, so cannot step: y_t = mean over time of x_t W."""

    causal = False

    def initial_carry(self, batch_size, max_length):
        return jnp.zeros((batch_size, 1))

    def unroll(self, xs, mask=None, carry=None, *, key=None):
        ys = xs @ self.kernel[...]
        ys = where_mask(mask, ys, jnp.zeros_like(ys))
        return jnp.broadcast_to(ys.mean(0), ys.shape), carry

    def step(self, carry, x):
        raise SeqexpError("it reads the whole sequence")


class Weighed(Task):
    """The loss of an answer is targets . outputs: its gradient by them is `targets`."""

    def __init__(self, answer: Any, inputs: int, outputs: int, length: int = 100):
        self._spec = TaskSpec(Features(inputs), answer, outputs, length, False, "values")

    @property
    def spec(self) -> TaskSpec:
        return self._spec

    @property
    def score(self) -> Score:
        return Score("loss", "min")

    def load(self) -> Splits:
        raise NotImplementedError

    def measure(self, prediction: Prediction, batch: Batch):
        mask = self.spec.answer_mask(batch)
        losses = jnp.sum(prediction.outputs * batch.targets, axis=-1)
        return {"loss": Mean(jnp.sum(jnp.where(mask, losses, 0)), jnp.sum(mask))}


def model(
    task: Task, dtype: Any = np.float64, known: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    """A sequence model, all its parameters drawn but for what is known by its name."""
    defaults = {
        "features": 4,
        "depth": 1,
        "dropout": 0.0,
        "residual": False,
        "norm": "none",
        "pooling": "last",
    }
    rng = np.random.default_rng(1)
    known = known or {}

    def drawn(path: Any, leaf: Any) -> Any:
        for name, value in known.items():
            if name in jax.tree_util.keystr(path, simple=True, separator="."):
                return jnp.asarray(value)
        return jnp.asarray(rng.normal(0, 0.6, leaf.shape), dtype)

    def make() -> SequenceModel:
        return SequenceModel(task.spec, **(defaults | options), rngs=nnx.Rngs(0))

    # Not made but in form alone: no initializer is compiled.
    return jax.tree_util.tree_map_with_path(drawn, jax.eval_shape(make))


def linear(task: Task, matrix: Any) -> Any:
    """A linear recurrence h_t = h_{t-1} U + x_t W, and a readout that is the identity."""
    known = {"matrix": matrix, "readout.kernel": np.eye(len(matrix), dtype=matrix.dtype)}
    return model(task, matrix.dtype, known, layers=[Linear], features=len(matrix))


def batch(task: Task, lengths: Sequence[int], steps: int, dtype: Any = np.float64) -> Any:
    """Inputs and targets that depend on the sequence and the step alone, NaN at padding."""
    spec = task.spec
    longest = max(lengths)
    rng = np.random.default_rng(2)
    real = np.arange(steps)[None, :, None] < np.array(lengths)[:, None, None]

    def padded(width: int) -> Any:
        values = rng.normal(size=(len(lengths), longest, width))
        values = np.pad(values, ((0, 0), (0, steps - longest), (0, 0)))
        return np.where(real, values, np.nan).astype(dtype)

    of: Any = np.array(lengths, np.int32)
    inputs = Sequences(padded(spec.inputs.size), of)
    targets = np.nan_to_num(padded(spec.output_size))
    return Batch(inputs, targets[:, 0] if spec.answer == "sequence" else targets)
