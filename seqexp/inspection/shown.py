"""What a task may offer beside its protocol, so that people see what a model answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from seqexp.data.sampled_text import Text
from seqexp.training.check_data import check_decoding
from seqexp.types import Batch, Decoding, SeqexpError, Sequences, Task, Tokens

Shown = Mapping[str, str | np.ndarray | bytes]
"""By name, text, a picture `[H, W]` of floats from 0, white, to 1, black, or the bytes of a file,
whose name tells its kind ("sampled.mid"). A text whose name is that of a picture and "_legend" says
what is seen there, and stands below it."""

LEGEND_SUFFIX = "_legend"


@runtime_checkable
class Writes(Protocol):
    """A task of predicting the next token, of which text is sampled."""

    @property
    def text(self) -> Text | None:
        """How to sample it; None where this task is none of text."""
        ...


@runtime_checkable
class Shows(Protocol):
    """A task that shows examples with what a model answers."""

    @property
    def shown(self) -> int:
        """How many of the first validation examples `show` is given; 0 where it shows nothing. A
        model that attends to the source of a free answer has its weights shown for them, too."""
        ...

    def show(self, batch: Batch, outputs: np.ndarray, generated: Sequences | None) -> Shown:
        """What people look at, at each evaluation: inputs, targets and outputs side by side.

        Args:
            batch: numpy, `shown` examples.
            outputs: theirs, of the spec's `answer_shape` with C behind.
            generated: what was decoded of them, as `judge` has it or as `ShowsDecoded` tells; None
                where nothing is, or not possible with this model.
        """
        ...


@runtime_checkable
class ShowsDecoded(Protocol):
    """A task whose `show` reads what is decoded in a way of its own."""

    @property
    def shown_decoding(self) -> Decoding | None:
        """How; it may draw, for what is shown is not judged."""
        ...


@runtime_checkable
class Spells(Protocol):
    """A task with free answers whose tokens are written beside what a model attends to."""

    def spelled(self, batch: Batch) -> Sequence[tuple[Sequence[str], Sequence[str]]]:
        """The tokens of each example's source, and those of its true answer with its end.

        Args:
            batch: numpy, examples of a split.
        """
        ...


def text_of(task: Task) -> Text | None:
    """How to sample text; None of a task that `Writes` none."""
    return task.text if isinstance(task, Writes) else None


def shown_examples(task: Task) -> int:
    """How many examples are shown; 0 of a task that does not `Show`."""
    return task.shown if isinstance(task, Shows) else 0


def shown_decoding(task: Task) -> Decoding | None:
    """How what is shown is decoded: as `judge` has it, but of a task that `ShowsDecoded`."""
    return task.shown_decoding if isinstance(task, ShowsDecoded) else task.decoding


def has_samples(task: Task) -> bool:
    """Whether samples are recorded at each evaluation."""
    return text_of(task) is not None or shown_examples(task) > 0


def check_shown(task: Task) -> None:
    """Check what a task offers against its spec.

    Raises:
        SeqexpError: for the first mistake, in one line.
    """
    name = type(task).__name__
    check_decoding(shown_decoding(task), task.spec, name)
    text, spec = text_of(task), task.spec
    if text is None:
        return
    symbols = len(text.symbols)
    sizes = spec.inputs.size, spec.output_size
    if not isinstance(spec.inputs, Tokens) or spec.answer != "step" or sizes != (symbols, symbols):
        raise SeqexpError(
            f"{name}: text has {len(text.symbols)} symbols, so the spec must be of as many tokens "
            "in and, at each step, out"
        )
    if unknown := sorted(set(text.split(text.prompt)) - set(text.symbols)):
        raise SeqexpError(f"{name}: the prompt of text has symbols that are no tokens: {unknown}")
    if not text.prompt:
        raise SeqexpError(f"{name}: the prompt of text is empty, and must have one symbol at least")
