"""How much is inspected while a model trains, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from seqexp.types import SeqexpError

Level = Literal["off", "light", "full"]


@dataclass(frozen=True)
class Settings:
    """What a config's `inspect` says.

    Args:
        level: "off"; "light" for states, gates, norms and outputs; "full" for how far gradients and
            memory reach as well.
        every: the n-th evaluations are followed by an inspection, and the last always is.
        examples: n, of the first validation examples, whose states and outputs are kept.

    Raises:
        SeqexpError: for an unknown level or a count below 1.
    """

    level: Level
    every: int = 1
    examples: int = 8

    def __post_init__(self) -> None:
        if self.level not in get_args(Level):
            raise SeqexpError(
                f"inspect.level must be one of {', '.join(get_args(Level))}, not {self.level!r}"
            )
        for name in ("every", "examples"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise SeqexpError(
                    f"inspect.{name} must be a whole number of at least 1, not {value!r}"
                )

    @classmethod
    def of(cls, inspect: Mapping[str, Any] | None) -> Settings:
        """The settings that a config's `inspect` describes; "off" without one."""
        return cls("off") if inspect is None else cls(**inspect)

    def due(self, step: int, eval_every: int, steps: int) -> bool:
        """Whether the evaluation at a step is followed by an inspection.

        Args:
            step: steps of training that are done.
            eval_every: steps between two evaluations.
            steps: of the whole training.

        >>> [step for step in (20, 40, 60, 70) if Settings("light", every=2).due(step, 20, 70)]
        [40, 70]
        """
        if self.level == "off":
            return False
        return step >= steps or step % (eval_every * self.every) == 0
