"""Tasks whose examples are drawn: at one length to train, and at greater ones to test as well."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from seqexp.compiling import quick_jit
from seqexp.data.streams import Generated, require_memory, split_key
from seqexp.tasks.arguments import require_count
from seqexp.tasks.labels import TokenLabelTask
from seqexp.types import (
    Array,
    Batch,
    SeqexpError,
    Splits,
    TaskSpec,
    Tokens,
)

VALID_SEED, TEST_SEED = 2_022_001, 2_022_002


@dataclass(frozen=True, kw_only=True)
class SyntheticTask(TokenLabelTask):
    """Tokens with labels, scored by accuracy. Training examples never come twice.

    Validation and test are drawn once, at the length of training, with seeds of their own; so are
    further splits, which are read once like the test: "length 2x", "length 4x" and so on.

    Attributes:
        length: of training, validation and test sequences, as the task counts it.
        valid_examples: size of the validation split.
        test_examples: size of the test split.
        longest: the greatest multiple of `length` that is tested, a power of two; 1 for none.
        longer_examples: size of each split of longer sequences.

    Raises:
        SeqexpError: a size is too small, or `longest` is no power of two.
    """

    length: int
    valid_examples: int
    test_examples: int
    longest: int
    longer_examples: int

    def __post_init__(self) -> None:
        self.require("length", minimum=1)
        for name in ("valid_examples", "test_examples", "longer_examples"):
            self.require(name, minimum=1)
        require_longest(type(self).__name__, self.longest)

    def require(self, name: str, minimum: int) -> None:
        """Raises SeqexpError unless an attribute is an integer of at least `minimum`."""
        require_count(type(self).__name__, name, getattr(self, name), minimum)

    @property
    @abstractmethod
    def answer(self) -> Literal["sequence", "step"]:
        """Whether one answer is asked for a sequence, or one a step."""

    @abstractmethod
    def steps(self, multiple: int) -> int:
        """T, the most steps of sequences of a multiple of `length`."""

    @abstractmethod
    def draw(self, key: Array, batch_size: int, multiple: int) -> Batch:
        """Examples `[B, T]` of a multiple of `length`; pure and jittable."""

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(
            Tokens(len(self.symbols)),
            self.answer,
            len(self.answers),
            max_length=self.steps(self.longest),
            causal=self.answer == "step",
            targets="labels",
            trained_length=self.steps(1),
        )

    def load(self) -> Splits:
        def split(seed: int, count: int, multiple: int) -> tuple[Batch]:
            key = split_key(seed)
            require_memory(partial(self.draw, multiple=multiple), key, count)
            return (drawn(self, key, count, multiple),)

        held_out = {
            "valid": split(VALID_SEED, self.valid_examples, 1),
            "test": split(TEST_SEED, self.test_examples, 1),
        }
        for n in multiples(self.longest):
            held_out[longer_name(n)] = split(TEST_SEED + n, self.longer_examples, n)
        return Splits(Generated(self._draw_trained), held_out)

    def _draw_trained(self, key: Array, batch_size: int) -> Batch:
        # A method, for those of one task are equal, and streams of equal ones share a program.
        return self.draw(key, batch_size, 1)


def _draw(task: SyntheticTask, key: Array, batch_size: int, multiple: int) -> Batch:
    return task.draw(key, batch_size, multiple)


drawn = quick_jit(_draw, static_argnums=(0, 2, 3))
"""`task.draw`, compiled at little cost: most of the time to load a task is that of compiling."""


def multiples(longest: int) -> Iterator[int]:
    """The lengths that are tested beyond that of training: 2, 4, 8, ... up to `longest`."""
    multiple = 2
    while multiple <= longest:
        yield multiple
        multiple *= 2


def longer_name(multiple: int) -> str:
    """The name of a split of longer sequences.

    >>> longer_name(2)
    'length 2x'
    """
    return f"length {multiple}x"


def require_longest(task: str, longest: int) -> None:
    """Raises SeqexpError unless the greatest multiple that is tested is a power of two."""
    require_count(task, "longest", longest, minimum=1)
    if longest & (longest - 1):
        raise SeqexpError(f"{task}: longest must be a power of two, but is {longest}")


def require_longer(task: str, longest: int | None, count: int | None) -> None:
    """Raises SeqexpError unless there are longer splits, of at least one example, or none."""
    if longest is None and count is None:
        return
    if longest is None or count is None:
        raise SeqexpError(
            f"{task}: longest and longer_examples are both numbers, or both null, but are "
            f"{longest!r} and {count!r}"
        )
    require_count(task, "longest", longest, minimum=2)
    require_longest(task, longest)
    require_count(task, "longer_examples", count, minimum=1)


def longer_splits(
    draw: Callable[[Array, int, int], Batch], seed: int, longest: int | None, count: int | None
) -> Mapping[str, tuple[Batch]]:
    """Splits of 2, 4, ... up to `longest` times the length of training; none where that is None.

    Args:
        draw: `(key, B, multiple) -> Batch`, pure and jittable.
        seed: each split is drawn with `seed` + its multiple.
        longest: a power of two.
        count: examples of each.
    """

    def split(multiple: int) -> tuple[Batch]:
        stream = Generated(lambda key, batch_size: draw(key, batch_size, multiple))
        assert count is not None
        return stream.split(seed + multiple, count)

    return {longer_name(n): split(n) for n in multiples(longest or 1)}


def lengths_between(length: int, multiple: int) -> tuple[int, int]:
    """The bounds of lengths that vary: above the first, at most the second.

    Training has 1 to `length`; "length 2x" what is above that up to twice as long, and so on, so
    that no length is in two splits.

    >>> [lengths_between(40, multiple) for multiple in (1, 2, 4)]
    [(0, 40), (40, 80), (80, 160)]
    """
    return (0 if multiple == 1 else multiple // 2 * length), multiple * length


def draw_lengths(key: Array, batch_size: int, length: int, multiple: int) -> Array:
    """`[B]` int32, uniform over `lengths_between`."""
    above, most = lengths_between(length, multiple)
    return jax.random.randint(key, (batch_size,), above + 1, most + 1, jnp.int32)


def choose(key: Array, batch_size: int, size: int, count: int) -> Array:
    """`[B, count]` different integers below `size`, in random order: each outcome alike."""
    order = jax.random.uniform(key, (batch_size, size))
    return jnp.argsort(order, axis=1)[:, :count].astype(jnp.int32)
