"""The update rule: clip, scale, decay, step; its numbers are traced, its kind is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import optax
from flax import nnx

from seqexp.parameters import Undecayed
from seqexp.training.hyper import Hyper
from seqexp.training.schedules import Schedule
from seqexp.types import Array, SeqexpError


@dataclass(frozen=True)
class Optimizer:
    """Clip by global norm, an optax scaling, decoupled weight decay, a scheduled rate.

        g <- g min(1, clip_norm / |g|)
        theta <- theta - learning_rate s(step / steps) (scale(g) + weight_decay theta)

    where the last term is of what `decayed` names alone.

    Args:
        scale: the optax transformation that makes a direction of a gradient, for example
            `optax.scale_by_adam()`.
        schedule: s, a factor of the learning rate as a function of the progress in [0, 1].
        decayed: what weight decay reaches. "matrices": parameters of two or more axes, less those
            that a layer makes `Undecayed`. Vectors are left alone: biases, the scales of norms, the
            decays and time steps of linear recurrences (as in their authors' code), a skew matrix
            held as its entries. "all": everything, as in optax and torch, and as before there was
            a choice.

    Raises:
        SeqexpError: for another `decayed`.
    """

    scale: optax.GradientTransformation
    schedule: Schedule
    decayed: Literal["matrices", "all"] = "all"

    def __post_init__(self) -> None:
        if self.decayed not in ("matrices", "all"):
            raise SeqexpError(f"decayed must be matrices or all, not {self.decayed!r}")

    def transformation(self, hyper: Hyper, progress: Array) -> optax.GradientTransformation:
        """The optax chain of one step; all values may be traced."""
        return optax.chain(
            optax.clip_by_global_norm(hyper.clip_norm),  # type: ignore[arg-type]
            self.scale,
            optax.add_decayed_weights(
                hyper.weight_decay, mask=matrices if self.decayed == "matrices" else None
            ),
            optax.scale(-hyper.learning_rate * self.schedule(progress)),  # type: ignore[arg-type]
        )


def matrices(params: Any) -> Any:
    """Which of the parameters are matrices of weights: True or False in the place of each."""

    def is_one(param: Any) -> bool:
        return param.ndim >= 2 and not isinstance(param, Undecayed)

    return jax.tree.map(is_one, params, is_leaf=lambda node: isinstance(node, nnx.Variable))
