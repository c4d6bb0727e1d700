"""A task in form only, to measure what a model costs at any length, without data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.types import Array, Batch, Mean, Metrics, Score, Splits, TaskSpec


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _OneBatch:
    """A stream that gives the same batch at every step."""

    examples: Batch

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> None:
        """Nothing."""

    def batch(self, plan: None, key: Array, step: Array, batch_size: int) -> Batch:
        """The batch."""
        return self.examples

    def steps_per_epoch(self, batch_size: int) -> None:
        """None: there are no epochs."""

    def all_examples(self) -> Batch:
        """The batch."""
        return self.examples


@dataclass(frozen=True)
class RandomTask:
    """One batch of random sequences of full length, of the form that a spec asks for.

    Tokens are uniform, features normal. The loss is the mean square of the outputs, so that every
    output has a gradient.

    Attributes:
        spec: of the task that it stands for, with a length of one's choice.
        batch_size: B.
    """

    spec: TaskSpec
    batch_size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", replace(self.spec, targets="own"))

    @property
    def score(self) -> Score:
        return Score("loss", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        return {}

    @property
    def text(self) -> None:
        return None

    def data_hashes(self) -> Mapping[str, str]:
        return {}

    def load(self) -> Splits:
        """The same batch to train on and as either split."""
        rng, spec = np.random.default_rng(0), self.spec
        lead = self.batch_size, spec.length
        if spec.inputs == "tokens":
            inputs = rng.integers(0, spec.input_size, lead, np.int32)
        else:
            inputs = rng.standard_normal((*lead, spec.input_size), np.float32)
        nothing = jnp.zeros((self.batch_size, 0))
        batch = Batch(jnp.asarray(inputs), nothing, jnp.full(self.batch_size, spec.length))
        return Splits(_OneBatch(batch), batch, batch)

    def measure(self, outputs: Array, batch: Batch) -> Metrics:
        """The mean square of the outputs."""
        return {"loss": Mean(jnp.sum(outputs * outputs), jnp.float32(outputs.size))}
