"""What is trained, as one frozen object that needs no config system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqexp.training.optimizer import Optimizer
from seqexp.training.precision import PRECISIONS, Precision
from seqexp.types import Model, SeqexpError, Task


@dataclass(frozen=True)
class Experiment:
    """A model, a task and how to train one on the other; all that a group's members share.

    Args:
        model: builds the model from `(spec, rngs=...)`.
        task: gives data, and measures outputs.
        optimizer: the update rule.
        steps: training steps.
        batch_size: B, examples a step.
        eval_every: steps between two evaluations on the validation split.
        eval_batch_size: examples evaluated at once; results do not depend on it but for rounding.
        precision: of the operands of matrix products, in training and evaluation, see
            `with_products_in`.

    Raises:
        SeqexpError: for a count below 1, or a precision that there is not.
    """

    model: Callable[..., Model] | Any
    task: Task
    optimizer: Optimizer
    steps: int
    batch_size: int
    eval_every: int
    eval_batch_size: int
    precision: Precision = "float32"

    @property
    def most_steps(self) -> int:
        """The most steps between two evaluations."""
        return min(self.eval_every, self.steps)

    def __post_init__(self):
        for name in ("steps", "batch_size", "eval_every", "eval_batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise SeqexpError(
                    f"trainer.{name} must be a whole number of at least 1, not {value!r}"
                )
        if self.precision not in PRECISIONS:
            raise SeqexpError(
                f"trainer.precision must be {' or '.join(PRECISIONS)}, not {self.precision!r}"
            )
