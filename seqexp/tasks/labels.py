"""What tasks have in common whose answers are labels, judged by their accuracy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from seqexp.tasks.metrics import accuracy, cross_entropy
from seqexp.tasks.shown import shown_answers
from seqexp.types import Array, Batch, Prediction, Score, Sequences, Sums, Task


class LabelTask(Task):
    """One label a sequence, or one a step."""

    @property
    def score(self) -> Score:
        return Score("accuracy", "max")

    def asked(self, batch: Batch) -> Array:
        """Where an answer counts, `[B]` or `[B, T]`: everywhere but at padding."""
        return self.spec.answer_mask(batch)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy in nats and accuracy of `[B, C]` or `[B, T, C]` logits, where asked."""
        logits, asked = prediction.outputs, self.asked(batch)
        return {
            "loss": cross_entropy(logits, batch.targets, asked),
            "accuracy": accuracy(logits, batch.targets, asked),
        }


class TokenLabelTask(LabelTask):
    """Labels of tokens, both of which can be written."""

    @property
    @abstractmethod
    def symbols(self) -> Sequence[str]:
        """How each token is written."""

    @property
    @abstractmethod
    def answers(self) -> Sequence[str]:
        """How each label is written."""

    @property
    def shown(self) -> int:
        return 4

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray | bytes]:
        """What was read, the right answers, and what the model said."""
        asked = self.asked(batch)
        return {"answers": shown_answers(batch, outputs, asked, self.symbols, self.answers)}
