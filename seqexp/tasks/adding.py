"""The adding problem: remember two marked numbers and add them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from seqexp.data.streams import Generated
from seqexp.tasks.arguments import require_count
from seqexp.tasks.metrics import squared_error
from seqexp.tasks.synthetic import longer_splits, require_longer
from seqexp.types import (
    Array,
    Batch,
    Features,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
)

VALID_SEED, TEST_SEED = 1_997_001, 1_997_002


@dataclass(frozen=True, kw_only=True)
class Adding(Task):
    """Each step holds a number and a marker; the target is the sum of the two marked numbers.

    The numbers are uniform in [0, 1). For example, with T = 5:

        value   0.3  0.9  0.5  0.1  0.6
        marker  0    1    0    0    1        target  1.5

    Always answering 1, the mean, has an error of 2/12 = 1/6, the variance of the sum. Training
    examples never come twice; validation and test are drawn once, with seeds of their own. So are
    further splits of longer sequences, if asked for, which are read once like the test: "length 2x"
    has 2 T steps and so on. There, too, always answering 1 has an error of 1/6.

    Hochreiter & Schmidhuber 1997, "Long short-term memory", experiment 4,
    https://doi.org/10.1162/neco.1997.9.8.1735. Markers "anywhere" are the variant of Bai et al.
    2018, https://arxiv.org/abs/1803.01271 (who train on 50,000 examples); "halves" that of Le et
    al. 2015, https://arxiv.org/abs/1504.00941, and LEM, https://arxiv.org/abs/2110.04744.

    Attributes:
        length: T, at least 2.
        valid_examples: size of the validation split.
        test_examples: size of the test split.
        markers: "anywhere" for two different steps, "halves" for one in each half of the steps.
        longest: the greatest multiple of T that is tested, a power of two from 2; None for none.
        longer_examples: size of each split of longer sequences; None for none.

    Raises:
        SeqexpError: a size is too small, `longest` is no power of two, or `markers` is unknown.
    """

    length: int
    valid_examples: int
    test_examples: int
    markers: Literal["anywhere", "halves"] = "anywhere"
    longest: int | None = None
    longer_examples: int | None = None

    def __post_init__(self) -> None:
        require_count("Adding", "length", self.length, minimum=2)
        require_count("Adding", "valid_examples", self.valid_examples, minimum=1)
        require_count("Adding", "test_examples", self.test_examples, minimum=1)
        require_longer("Adding", self.longest, self.longer_examples)
        if self.markers not in ("anywhere", "halves"):
            raise SeqexpError(
                f"Adding: markers must be 'anywhere' or 'halves', but is {self.markers!r}"
            )

    @property
    def spec(self) -> TaskSpec:
        most = self.length * (self.longest or 1)
        return TaskSpec(Features(2), "sequence", 1, most, causal=False, trained_length=self.length)

    @property
    def score(self) -> Score:
        return Score("mse", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        return {"predict 1": 1 / 6}

    def load(self) -> Splits:
        stream = Generated(self.draw)
        held_out = {
            "valid": stream.split(VALID_SEED, self.valid_examples),
            "test": stream.split(TEST_SEED, self.test_examples),
            **longer_splits(self.draw, TEST_SEED, self.longest, self.longer_examples),
        }
        return Splits(stream, held_out)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """The squared error of `[B, 1]` outputs."""
        mse = squared_error(prediction.outputs, batch.targets, self.spec.answer_mask(batch))
        return {"loss": mse, "mse": mse}

    def draw(self, key: Array, batch_size: int, multiple: int = 1) -> Batch:
        """`[B, T, 2]` inputs (value, marker) of a multiple of `length`, and `[B, 1]` targets."""
        T = multiple * self.length
        value_key, first_key, second_key = jax.random.split(key, 3)
        values = jax.random.uniform(value_key, (batch_size, T), jnp.float32)
        first, second = self._marked_steps(first_key, second_key, batch_size, T)
        steps = jnp.arange(T, dtype=jnp.int32)
        marked = (steps == first) | (steps == second)
        inputs = jnp.stack([values, marked.astype(jnp.float32)], axis=-1)
        targets = jnp.sum(jnp.where(marked, values, 0), axis=1, keepdims=True)
        lengths = jnp.full((batch_size,), T, jnp.int32)
        return Batch(Sequences(inputs, lengths), targets)

    def _marked_steps(
        self, first_key: Array, second_key: Array, batch_size: int, T: int
    ) -> tuple[Array, Array]:
        shape = batch_size, 1
        if self.markers == "halves":
            first = jax.random.randint(first_key, shape, 0, T // 2, jnp.int32)
            return first, jax.random.randint(second_key, shape, T // 2, T, jnp.int32)
        first = jax.random.randint(first_key, shape, 0, T, jnp.int32)
        # A non-zero distance, so that the second is uniform over the other steps.
        return first, (first + jax.random.randint(second_key, shape, 1, T, jnp.int32)) % T
