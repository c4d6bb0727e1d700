"""The ground floor: shape letters, what passes between the parts, and their protocols.

Shape letters, in every docstring and annotation of the package:

    B  batch            T  time steps          N  examples of a split    M  members of a group
    D  input features   H  hidden units        P  units a cell gives out (H, or its projection)
    C  outputs (classes or values)             V  vocabulary

Layers, models and tasks are batch-first, `[B, T, D]`; `lengths` `[B]` are the true lengths of
right-padded sequences, and a length of 0 marks an example that is padding as a whole. Cells and
recurrences unroll time first, `[T, B, D]`, with `real` `[T, B]` in the place of `lengths`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

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


class Noise(NamedTuple):
    """What the dropout family draws for one training sequence; None where nothing is dropped.

    Every array has time in front: `[T, ...]` where a step has a draw of its own, `[1, ...]` where
    one draw serves all steps. Masks are already scaled by 1 / (1 - rate), but for `zone`.

    Attributes:
        input: `[1 or T, B, D]`, multiplies the input of a step.
        hidden: `[1 or T, B, P]`, multiplies the previous output where it enters the matrices.
        update: `[1 or T, B, H]`, multiplies the candidate that is written into the carry.
        kernel: `[1, P, gates * H]`, multiplies the recurrent kernel.
        zone: a carry of `[T, B, ...]` booleans, True where the previous value stays.
    """

    input: Any = None
    hidden: Any = None
    update: Any = None
    kernel: Any = None
    zone: Any = None


@runtime_checkable
class Cell(Protocol):
    """A recurrent cell: state explicit, three ways in, which agree (a law)."""

    in_features: int
    features: int
    out_features: int

    def initial_carry(self, batch_size: int) -> Carry: ...

    def step(self, carry: Carry, x: Array, noise: Noise | None = None) -> tuple[Carry, Array]:
        """One step: `x` `[B, D]` to `y` `[B, P]`. `noise` holds this step's masks, without time."""
        ...

    def unroll(
        self,
        xs: Array,
        *,
        carry: Carry | None = None,
        real: Array | None = None,
        noise: Noise | None = None,
        reverse: bool = False,
    ) -> tuple[Array, Carry]:
        """All steps, time first: `xs` `[T, B, D]` to `ys` `[T, B, P]` and the final carry.

        Where `real` `[T, B]` is False `ys` is 0 and the carry held; `xs` must be finite there, and
        padding stand on the right. `Recurrent` is the batch-first way in.
        """
        ...

    def output(self, carry: Carry) -> Array:
        """The `[B, P]` part of a carry that the cell gives out."""
        ...

    def draw(self, key: Array, batch_size: int, steps: int) -> Noise:
        """The noise of one training sequence; the empty `Noise()` for a bare cell."""
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
