"""The ground floor: shape letters, what passes between the parts, and their protocols.

Shape letters, in every docstring and annotation of the package:

    B  batch            T  time steps          N  examples of a split    M  members of a group
    D  input features   H  hidden units        P  units a cell gives out (H, or its projection)
    C  outputs (classes or values)             V  vocabulary

Models and tasks are batch-first, `[B, T, D]`; `lengths` `[B]` are the true lengths of right-padded
sequences, and a length of 0 marks an example that is padding as a whole. Layers, cells and
recurrences unroll time first, `[T, B, D]`, with `mask` `[T, B]`, True where a step is real, in the
place of `lengths`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import jax

Array = jax.Array
Carry = Any
"""What a recurrent layer keeps from one step to the next: a pytree of `[B, ...]` arrays."""


class SeqexpError(Exception):
    """A mistake that the user can mend; the message says what is wrong and what to do."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line; its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def reason(error: BaseException) -> str:
    """An error in one line, for people; what is not ours with its type."""
    said = first_line(error)
    kind = type(error).__name__
    return said if isinstance(error, SeqexpError) or said == kind else f"{kind}: {said}"


class Batch(NamedTuple):
    """A batch of sequences, or a whole split with N in the place of B.

    Attributes:
        inputs: `[B, T]` integer tokens, or `[B, T, D]` float features.
        targets: `[B]` or `[B, C]` for one answer a sequence, `[B, T]` or `[B, T, C]` for one
            a step.
        lengths: `[B]` int32, true lengths; 0 for an example that is only padding.
    """

    inputs: Array
    targets: Array
    lengths: Array


class Mean(NamedTuple):
    """A metric as the sum and the weight that it is the mean of, so that batches pool exactly."""

    total: Array
    weight: Array


Metrics = Mapping[str, Mean]


@dataclass(frozen=True)
class Score:
    """The metric that a task is judged by: its name among the metrics, and the better direction."""

    name: str
    goal: Literal["min", "max"]


@dataclass(frozen=True)
class TaskSpec:
    """What a task asks of a model.

    Attributes:
        inputs: "tokens" (integers below `input_size`) or "features" (`input_size` floats a step).
        input_size: V or D.
        outputs: one answer a "sequence" (`[B, C]`) or one a "step" (`[B, T, C]`).
        output_size: C.
        length: T, the number of steps that the task's arrays are padded to.
        causal: the output at a step may only depend on the inputs up to it.
        targets: class "labels" (integers below `output_size`, one an answer), "values"
            (`output_size` numbers an answer), or what the task's "own" `measure` makes of them;
            None for labels where they are integers of that shape, and values elsewhere.
    """

    inputs: Literal["tokens", "features"]
    input_size: int
    outputs: Literal["sequence", "step"]
    output_size: int
    length: int
    causal: bool
    targets: Literal["labels", "values", "own"] | None = None


@dataclass(frozen=True)
class Text:
    """How to sample text from a next-token model.

    Attributes:
        symbols: the symbol of each token, so that `symbols[token]` is its character.
        prompt: what the sample starts with.
        length: how many symbols to draw.
    """

    symbols: str
    prompt: str
    length: int


class Stream(Protocol):
    """Training examples without end; a pytree, so that its arrays enter a program as arguments.

    All randomness comes from the key and the step number: nothing needs saving to resume.
    """

    def plan(self, key: Array, first_step: Array, max_steps: int, batch_size: int) -> Any:
        """What the next `max_steps` steps share (an order of the examples), computed once."""
        ...

    def batch(self, plan: Any, key: Array, step: Array, batch_size: int) -> Batch:
        """The batch of a step: the same for the same key and step, whatever was asked before."""
        ...

    def steps_per_epoch(self, batch_size: int) -> int | None:
        """Steps that see every example once; None where examples are generated."""
        ...

    def all_examples(self) -> Batch | None:
        """All that it draws from, to be checked before training; None where that has no end."""
        ...


class Splits(NamedTuple):
    """A task's data: an endless training stream, and two splits that are evaluated whole."""

    train: Stream
    valid: Batch
    test: Batch


class Task(Protocol):
    """What goes in, what comes out, how it is judged. One class a family, one YAML file a task."""

    @property
    def spec(self) -> TaskSpec: ...

    @property
    def score(self) -> Score: ...

    @property
    def baselines(self) -> Mapping[str, float]:
        """Scores that need no model, by name (for example the loss of always predicting 1)."""
        ...

    @property
    def text(self) -> Text | None:
        """How to sample text, for language models; None elsewhere."""
        ...

    def data_hashes(self) -> Mapping[str, str]:
        """sha256 of every file that the data comes from; empty where it is generated."""
        ...

    def load(self) -> Splits:
        """The data. Raises SeqexpError, naming the file and the remedy, where it is missing."""
        ...

    def measure(self, outputs: Array, batch: Batch) -> Metrics:
        """All metrics of a batch; "loss" is the one that is trained. Padding weighs nothing."""
        ...


class Layer(Protocol):
    """What a stack is made of: time first, `[T, B, D]` in, `[T, B, P]` out."""

    in_features: int
    out_features: int

    @property
    def causal(self) -> bool:
        """Whether an output depends only on the inputs up to it."""
        ...

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The parameters (`nnx.Param`) that multiply the previous output or state, if any."""
        ...

    def initial_carry(self, batch_size: int, max_length: int) -> Carry:
        """The carry of an empty past.

        Args:
            batch_size: B.
            max_length: steps that it will hold at the most, for layers whose carry grows with them
                (a key-value cache); a recurrent layer ignores it.
        """
        ...

    def unroll(
        self,
        xs: Array,
        mask: Array | None = None,
        carry: Carry | None = None,
        *,
        key: Array | None = None,
    ) -> tuple[Array, Carry]:
        """Run whole sequences.

        Args:
            xs: `[T, B, D]`, finite where `mask` is False.
            mask: `[T, B]`, False at padding, which stands on the right; None if every step is real.
            carry: the carry before the first step; None for that of an empty past.
            key: draws dropout; None for evaluation.

        Returns:
            `ys` `[T, B, P]`, 0 at padding, and the final carry, which padding does not change.
        """
        ...

    def step(self, carry: Carry, x: Array) -> tuple[Carry, Array]:
        """One step at evaluation: `x` `[B, D]` to `[B, P]`.

        Raises:
            SeqexpError: for a layer that needs the whole sequence.
        """
        ...

    def stepwise(self) -> Layer:
        """The same layer computing `unroll` by `step` after `step` at evaluation.

        Its equations alone, for counting operations and as a reference; itself where it has no
        other way.
        """
        ...


class Prediction(NamedTuple):
    """What a model gives.

    Attributes:
        outputs: `[B, C]` or `[B, T, C]`: logits or values, as the task's spec asks.
        hidden: the `[B, T, P]` hidden states of each layer, for whoever watches them (XLA drops
            what nobody reads).
    """

    outputs: Array
    hidden: tuple[Array, ...]


class Model(Protocol):
    """A sequence model, built for a TaskSpec. `key` draws dropout; None means evaluation."""

    def __call__(self, inputs: Array, lengths: Array, key: Array | None = None) -> Prediction: ...

    def initial_carry(self, batch_size: int) -> Carry: ...

    def step(self, carry: Carry, inputs: Array) -> tuple[Carry, Array]:
        """One step of decoding: `[B]` tokens or `[B, D]` features to `[B, C]` outputs."""
        ...
