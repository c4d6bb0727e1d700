"""The update rule: clip, scale, decay, step; its numbers are traced, its kind is not."""

from __future__ import annotations

from dataclasses import dataclass

import optax

from seqexp.training.hyper import Hyper
from seqexp.training.schedules import Schedule
from seqexp.types import Array


@dataclass(frozen=True)
class Optimizer:
    """Clip by global norm, an optax scaling, decoupled weight decay, a scheduled rate.

        g <- g min(1, clip_norm / |g|)
        theta <- theta - learning_rate s(step / steps) (scale(g) + weight_decay theta)

    Args:
        scale: the optax transformation that makes a direction of a gradient, for example
            `optax.scale_by_adam()`.
        schedule: s, a factor of the learning rate as a function of the progress in [0, 1].
    """

    scale: optax.GradientTransformation
    schedule: Schedule

    def transformation(self, hyper: Hyper, progress: Array) -> optax.GradientTransformation:
        """The optax chain of one step; all values may be traced."""
        return optax.chain(
            optax.clip_by_global_norm(hyper.clip_norm),  # type: ignore[arg-type]
            self.scale,
            optax.add_decayed_weights(hyper.weight_decay),
            optax.scale(-hyper.learning_rate * self.schedule(progress)),  # type: ignore[arg-type]
        )
