"""The ground floor: shape letters, what passes between the parts, and their protocols.

Shape letters, in every docstring and annotation of the package:

    B  batch            T  time steps          N  examples of a split    M  members of a group
    D  input features   H  hidden units        P  units a layer gives    C  outputs (classes or
    V  vocabulary       U  steps of a free answer     G  H times the gates     values)

Models and tasks are batch-first, `[B, T, D]`; `lengths` `[B]` are the true lengths of right-padded
sequences, and a length of 0 marks an example that is padding as a whole. Recurrences, cells and
layers are time first, `[T, B, D]`, with a `mask` `[T, B]` in the place of `lengths`. A mask is True
where a step is real.

A new layer is an `nnx.Module` with the methods of `Layer`, made by `(in_features, features,
rngs=...)` and options of its own; a new task a subclass of `Task`. This file is all that either
needs to know. Its YAML file, `layer/NAME.yaml` or `task/NAME.yaml`, names the class as `_target_`,
with `_partial_: true` for a layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Key

from seqexp.errors import SeqexpError as SeqexpError
from seqexp.errors import first_line as first_line
from seqexp.errors import reason as reason

Array = jax.Array
KeyArray = Key[Array, ""]
Carry = Any
"""What a layer keeps from one step to the next: a pytree of `[B, ...]` arrays."""


class Sequences(NamedTuple):
    """Right-padded sequences.

    Attributes:
        values: `[B, T]` integer tokens, or `[B, T, D]` float features.
        lengths: `[B]` int32, true lengths; 0 for an example that is padding as a whole.
    """

    values: Int[Array, "B T"] | Float[Array, "B T D"]
    lengths: Int[Array, " B"]

    @property
    def mask(self) -> Bool[Array, "B T"]:
        """`[B, T]`, True where a step is real.

        >>> Sequences(np.zeros((2, 3)), np.array([3, 1])).mask.tolist()
        [[True, True, True], [True, False, False]]
        """
        return np.arange(self.values.shape[1], dtype=np.int32) < self.lengths[:, None]  # type: ignore


class Batch(NamedTuple):
    """A batch of examples, or a whole split with N in the place of B.

    Attributes:
        inputs: what the model reads.
        targets: what the task measures against, a pytree of `[B, ...]` arrays; no model sees it.
        prefix: what a model reads beside the inputs where the answer has a length of its own: the
            answer shifted right by one step, behind the spec's `start` (teacher forcing).
    """

    inputs: Sequences
    targets: Any
    prefix: Sequences | None = None


class Mean(NamedTuple):
    """A metric as the sum and the weight that it is the mean of, so that batches pool exactly."""

    total: Array
    weight: Array


Sums = Mapping[str, Any]
"""What a task measures of a batch: pytrees of arrays that add up over batches, by name."""


def means(sums: Sums) -> dict[str, float]:
    """The value of each `Mean` among sums; what weighs nothing is not a number.

    >>> means({"loss": Mean(np.float64(3), np.float64(2)), "confusion": np.eye(2)})
    {'loss': 1.5}
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            name: float(np.divide(each.total, each.weight))
            for name, each in sums.items()
            if isinstance(each, Mean)
        }


@dataclass(frozen=True)
class Score:
    """The metric that a task is judged by: its name among the metrics, and the better direction."""

    name: str
    goal: Literal["min", "max"]


@dataclass(frozen=True)
class TokenVectors:
    """Pretrained vectors of tokens, equal where all their numbers are.

    Attributes:
        values: `[V, D]` float32, not to be written to; NaN in the row of a token that has none.
        sha256: of their shape and bytes.
    """

    values: np.ndarray = field(repr=False, compare=False)
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        values = np.array(self.values, np.float32, order="C")
        if values.ndim != 2 or not values.shape[1]:
            raise SeqexpError(f"vectors of tokens have the shape [V, D], not {list(values.shape)}")
        if not (np.isfinite(values).all(1) | np.isnan(values).all(1)).all():
            raise SeqexpError("the vector of a token is of finite numbers, or of NaN for none")
        values.flags.writeable = False
        digest = sha256(f"{values.shape}".encode() + values.tobytes()).hexdigest()
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "sha256", digest)

    @property
    def known(self) -> Bool[np.ndarray, " V"]:
        """`[V]`, True for a token that has a vector."""
        return ~np.isnan(self.values[:, 0])


@dataclass(frozen=True)
class Tokens:
    """Integers from 0 to `size` - 1; an embedding of them may begin with `vectors`, `[size, D]`."""

    size: int
    vectors: TokenVectors | None = None

    def __post_init__(self) -> None:
        if self.vectors is not None and len(self.vectors.values) != self.size:
            raise SeqexpError(
                f"{self.size} tokens have as many vectors, not {len(self.vectors.values)}"
            )


@dataclass(frozen=True)
class Features:
    """`size` floats a step."""

    size: int


@dataclass(frozen=True)
class TaskSpec:
    """What a task asks of a model.

    Attributes:
        inputs: tokens or features, each with its size.
        answer: one answer a "sequence" (outputs `[B, C]`), one a "step" of the inputs
            (`[B, T, C]`), or a "free" one: a sequence of its own length, written token by token
            (`[B, U, C]`, one output for each step of the prefix).
        output_size: C.
        max_length: the most steps T of any inputs.
        causal: the output at a step may only depend on the inputs up to it.
        targets: class "labels" (integers below `output_size`, one an output), "values"
            (`output_size` numbers an output), or what the task's "own" `measure` makes of them;
            None for labels where they are integers of that shape, and values elsewhere.
        max_answer_length: the most steps U of a free answer, its end included; else None.
        start: the token that the prefix of a free answer begins with.
        end: the token that ends a free answer. Both are among the C outputs.
        trained_length: the most steps of the inputs in training and validation, where what is held
            out besides is longer; None for `max_length`.
        stateful: a training batch may continue the one before it (`Stream.continues`), and the
            model then reads on from the carry behind that: truncated backpropagation through time.
            What is held out is read from an empty past.
    """

    inputs: Tokens | Features
    answer: Literal["sequence", "step", "free"]
    output_size: int
    max_length: int
    causal: bool
    targets: Literal["labels", "values", "own"] | None = None
    max_answer_length: int | None = None
    start: int | None = None
    end: int | None = None
    trained_length: int | None = None
    stateful: bool = False

    def __post_init__(self) -> None:
        if not self.usual_length <= self.max_length:
            raise SeqexpError(
                f"trained_length is {self.trained_length}, and more than max_length, "
                f"{self.max_length}"
            )
        if self.stateful and not (self.causal and self.answer == "step"):
            raise SeqexpError(
                "a stateful task is causal, with one answer a step: use stateful=False, or "
                'causal=True and answer="step"'
            )
        of_free = self.max_answer_length, self.start, self.end
        if self.answer != "free" and of_free != (None, None, None):
            raise SeqexpError(
                f"a task with one answer a {self.answer} has no max_answer_length, start or end: "
                'leave them out, or use answer="free"'
            )
        if self.answer == "free" and (
            self.max_answer_length is None
            or self.max_answer_length < 1
            or not all(t is not None and 0 <= t < self.output_size for t in (self.start, self.end))
        ):
            raise SeqexpError(
                "a task with free answers needs max_answer_length of at least 1, and start and end "
                f"tokens from 0 to {self.output_size - 1}, not {of_free}"
            )

    @property
    def usual_length(self) -> int:
        """T of training and validation, at most: `trained_length`, or `max_length`."""
        return self.max_length if self.trained_length is None else self.trained_length

    def answer_shape(self, batch: Batch) -> tuple[int, ...]:
        """The shape of the outputs less C: `(B,)`, `(B, T)`, or `(B, U)` for free answers."""
        if self.answer == "free":
            assert batch.prefix is not None
            return batch.prefix.values.shape[:2]
        return batch.inputs.values.shape[: 2 if self.answer == "step" else 1]

    def answer_mask(self, batch: Batch) -> Bool[Array, "B ..."]:
        """Where an output counts: booleans of `answer_shape`."""
        if self.answer == "free":
            assert batch.prefix is not None
            return batch.prefix.mask
        return batch.inputs.mask if self.answer == "step" else batch.inputs.lengths > 0

    def example(self, batch_size: int, length: int | None = None) -> Batch:
        """A batch in shape alone (`jax.ShapeDtypeStruct`); targets of the task's "own" are `()`.

        Args:
            batch_size: B.
            length: T; None for `usual_length`. Free answers have `max_answer_length`.

        >>> spec = TaskSpec(Features(2), "sequence", 10, max_length=5, causal=False)
        >>> batch = spec.example(batch_size=3)
        >>> batch.inputs.values.shape, batch.targets.shape
        ((3, 5, 2), (3,))
        """

        def array(shape: tuple[int, ...], integers: bool) -> Any:
            return jax.ShapeDtypeStruct(shape, jnp.int32 if integers else jnp.float32)

        def sequences(kind: Tokens | Features, steps: int) -> Sequences:
            tokens = isinstance(kind, Tokens)
            trailing = () if tokens else (kind.size,)
            values = array((batch_size, steps, *trailing), tokens)
            return Sequences(values, array((batch_size,), True))

        inputs = sequences(self.inputs, self.usual_length if length is None else length)
        prefix = None
        if self.max_answer_length is not None:
            prefix = sequences(Tokens(self.output_size), self.max_answer_length)
        batch = Batch(inputs, (), prefix)
        shape = self.answer_shape(batch)
        if self.targets == "own":
            return batch
        if self.targets == "values":
            return batch._replace(targets=array((*shape, self.output_size), False))
        return batch._replace(targets=array(shape, True))


@dataclass(frozen=True)
class Beam:
    """Free answers by beam search.

    Attributes:
        width: how many hypotheses are kept; of 1 it is greedy.
        length_penalty: alpha >= 0 of the score log p(y) / ((5 + |y|) / 6)^alpha, by which the best
            is chosen (Wu et al. 2016, https://arxiv.org/abs/1609.08144); 0 for log p(y) itself.
    """

    width: int
    length_penalty: float = 0.0

    def __post_init__(self) -> None:
        require_width(self.width)
        if not 0 <= self.length_penalty < float("inf"):
            raise SeqexpError(
                f"length_penalty must be a number of at least 0, not {self.length_penalty!r}"
            )


@dataclass(frozen=True)
class CTC:
    """Labels without repetitions and blanks, of a spec with an answer a "step" (connectionist
    temporal classification, Graves et al. 2006, https://doi.org/10.1145/1143844.1143891).

    Attributes:
        blank: the output that is no label.
        width: how many prefixes a beam search keeps; None for the best path.
    """

    blank: int
    width: int | None = None

    def __post_init__(self) -> None:
        if self.width is not None:
            require_width(self.width)


def is_number(value: Any) -> bool:
    """Whether it is a whole or a floating-point number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def require_width(width: int) -> None:
    """Raise SeqexpError unless a beam can be so wide."""
    if type(width) is not int or width < 1:
        raise SeqexpError(f"the width of a beam must be a whole number from 1 up, not {width!r}")


@dataclass(frozen=True)
class FreeRunning:
    """Outputs that are the next inputs, read back: of a spec with an answer a "step" and as many
    output values as features.

    Attributes:
        given: how many steps of the inputs are read as they are; after them it reads its own
            outputs, to the end of the inputs.
        draws: "bernoulli" to read, for each output o, 1 with probability sigmoid(o) and else 0;
            None to read the outputs themselves. Draws are for what is shown, not for `judge`.
    """

    given: int
    draws: Literal["bernoulli"] | None = None

    def __post_init__(self) -> None:
        if self.draws not in (None, "bernoulli"):
            raise SeqexpError(f"draws must be 'bernoulli' or None, not {self.draws!r}")
        if type(self.given) is not int or self.given < 1:
            raise SeqexpError(f"given must be a whole number from 1 up, not {self.given!r}")


Decoding = Literal["greedy"] | Beam | CTC | FreeRunning
"""How outputs become answers: "greedy" takes the largest output at each step."""


class Bucket(NamedTuple):
    """The static shape of some of a stream's batches: B examples of T steps."""

    batch_size: int
    length: int


class Stream(ABC):
    """Training examples without end; a pytree, so that its arrays enter a program as arguments
    (`jax.tree_util.register_dataclass`, whatever is no array as a static field).

    All randomness comes from the key and the step number: nothing needs saving to resume. Batches
    of several shapes have a bucket for each. Which bucket a step takes is the same for all members
    of a group, whatever their seeds, so that members side by side run one branch of the program.
    """

    @abstractmethod
    def buckets(self, batch_size: int) -> tuple[Bucket, ...]:
        """The shapes of its batches, each once; a single one where all have the same."""

    @abstractmethod
    def batch(self, plan: Any, key: KeyArray, step: Int[Array, ""], bucket: Bucket) -> Batch:
        """The batch of a step, of its bucket: the same for a key and step, whatever was asked."""

    def order(
        self, first_step: Int[Array, ""], max_steps: int, batch_size: int
    ) -> Int[Array, " {max_steps}"]:
        """The buckets of the next steps, `[max_steps]` int32 places in `buckets`."""
        return jnp.zeros(max_steps, jnp.int32)

    def plan(
        self, key: KeyArray, first_step: Int[Array, ""], max_steps: int, batch_size: int
    ) -> Any:
        """What the next `max_steps` steps share (an order of the examples), in arrays alone,
        computed once. Of a device that rests, with no step to take, it may come as zeros."""
        return None

    def continues(self, step: Int[Array, ""], batch_size: int) -> Bool[Array, ""]:
        """Whether each row of a step's batch goes on where the same row of the batch before ended;
        asked where the spec is `stateful`."""
        return jnp.bool_(False)

    def steps_per_epoch(self, batch_size: int) -> int | None:
        """Steps that see every example once; None where examples are generated."""
        return None

    def all_examples(self) -> tuple[Batch, ...] | None:
        """All that it draws from, in parts of one padded length; None where that has no end."""
        return None

    @property
    def revision(self) -> str | None:
        """A part of a run's identity where it no longer draws as in earlier records; else None."""
        return None


class Splits(NamedTuple):
    """A task's data.

    Attributes:
        train: an endless stream.
        held_out: splits that are evaluated whole, in arrays of numpy or JAX, each as batches of N
            examples of one or several padded lengths: "valid", by which weights are chosen,
            "test", and others that are read once like it, such as "length 4x".
    """

    train: Stream
    held_out: Mapping[str, tuple[Batch, ...]]


class Prediction(NamedTuple):
    """What a model gives.

    Attributes:
        outputs: logits or values, of the spec's `answer_shape` with C behind.
        hidden: the `[B, T, P]` outputs of each layer, for whoever watches them (XLA drops what
            nobody reads).
        attention: `[B, U, T]`, the weights with which each step of a free answer attends to those
            of its source, for whoever watches; None without attention.
    """

    outputs: Float[Array, "B *steps C"]
    hidden: tuple[Float[Array, "B T _"], ...]
    attention: Float[Array, "B U T"] | None = None


class Task(ABC):
    """What goes in, what comes out, how it is judged. One class a family, one YAML file a task.

    A task of which people shall see what a model answers, or writes, has `shown` and `show`, or
    `text`, besides, as `Shows` and `Writes` in `seqexp/inspection/shown.py` tell.
    """

    @property
    @abstractmethod
    def spec(self) -> TaskSpec:
        """What it asks of a model."""

    @property
    @abstractmethod
    def score(self) -> Score:
        """The metric that decides."""

    @abstractmethod
    def load(self) -> Splits:
        """The data, the same whenever it is loaded: it does not depend on the seed of a run.

        Raises SeqexpError, naming the file and the remedy, where it is missing.
        """

    @abstractmethod
    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """All that is measured of a batch, traced; "loss", a `Mean`, is what is trained.

        Padding weighs nothing. Outputs and targets there may be anything, NaN or out of range:
        replace both (`jnp.where(mask, ..., 0)`) before computing, for 0 times NaN is NaN. What is
        no mean (a confusion matrix, counts) is a pytree of sums.
        """

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """The metrics of a split, on the host, of its sums in float64: by default its means.

        F1, perplexity and the like are exact so: they are made of the sums of all batches. The
        steps between two evaluations are summarized, too. What is undefined is NaN.
        """
        return means(sums)

    @property
    def decoding(self) -> Decoding | None:
        """How what `judge` reads is decoded; None where nothing is."""
        return None

    def judge(self, generated: Sequences, batch: Batch) -> Mapping[str, float]:
        """Further metrics of a split, on the host, of what was decoded (BLEU, error rates).

        Args:
            generated: numpy, of all examples of a split, by `decoding`. Free answers are written
                token by token, up to their end, which is not among them; of other answers the
                largest output of each sequence (`[N, 1]`) or step, the labels of `CTC`, or the
                outputs of `FreeRunning` from the last given step on, `[N, T - given + 1, C]`.
            batch: numpy, the same examples, shorter arrays padded with zeros.
        """
        return {}

    @property
    def baselines(self) -> Mapping[str, float]:
        """Scores that need no model, by name (for example the loss of always predicting 1)."""
        return {}

    def data_hashes(self) -> Mapping[str, str]:
        """sha256 of every file that the data comes from; empty where it is generated."""
        return {}


class Layer(Protocol):
    """What a stack is made of: time first, `[T, B, D]` in, `[T, B, P]` out.

    A layer whose gates people shall see has `activation_kinds` and `activations(carry, x)` besides,
    as `Observable` in `seqexp/cells/protocol.py` tells.
    """

    in_features: int
    out_features: int

    @property
    def causal(self) -> bool:
        """Whether an output depends only on the inputs up to it."""
        ...

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """The parameters (`nnx.Param`) that multiply the previous output or state; () for none.
        What only reads past inputs is no recurrence."""
        ...

    def initial_carry(self, batch_size: int, max_length: int) -> Carry:
        """The carry of an empty past.

        Args:
            batch_size: B.
            max_length: the most steps that it will hold, for layers whose carry grows with them (a
                key-value cache); a recurrent layer ignores it.
        """
        ...

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Carry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """All steps at once.

        Args:
            xs: `[T, B, D]`, finite at padding, which stands on the right.
            mask: `[T, B]`; None where every step is real.
            carry: the carry before the first step; None for an empty past.
            key: draws dropout; None for evaluation.

        Returns:
            `[T, B, P]`, 0 at padding, and the final carry, which padding does not change.
        """
        ...

    def step(self, carry: Carry, x: Float[Array, "B D"]) -> tuple[Carry, Float[Array, "B P"]]:
        """One step at evaluation: `x` `[B, D]` to `[B, P]`.

        Raises SeqexpError for a layer that needs the whole sequence.
        """
        ...

    def stepwise(self) -> Layer:
        """The same layer, at evaluation, computing `unroll` by `step` after `step`: its equations
        alone, to count operations. Itself where `unroll` asks for the same ones."""
        ...


class Model(Protocol):
    """A sequence model, built for a TaskSpec. `key` draws dropout; None means evaluation."""

    def __call__(
        self, inputs: Sequences, prefix: Sequences | None = None, *, key: KeyArray | None = None
    ) -> Prediction:
        """Run whole sequences. What stands at padding never matters."""
        ...

    def prefill(self, inputs: Sequences) -> Carry:
        """Read what is given, before decoding; inputs of length 0 are an empty past.

        Raises SeqexpError for a model that reads whole sequences only and cannot decode.
        """
        ...

    def step(
        self, carry: Carry, x: Int[Array, " B"] | Float[Array, "B D"]
    ) -> tuple[Carry, Float[Array, "B C"]]:
        """One step of decoding: `[B]` tokens or `[B, D]` features to `[B, C]` outputs.

        `x` is the next input, or the next token of a free answer. Outputs for one answer a sequence
        are those of the sequence so far.
        """
        ...

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers it is made of; () for a model of another make."""
        ...

    def parameter_parts(self) -> Mapping[str, tuple[Any, ...]]:
        """Its parameters (`nnx.Param`) by part: "recurrent", "embedding", "readout"; the rest is in
        none."""
        ...

    def stepwise(self) -> Model:
        """The same model with each layer `stepwise`; itself where there is no other way."""
        ...
