"""Language modelling: predict the next character of Shakespeare's plays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from seqexp.data.download import fetch
from seqexp.data.next_token import next_token_spec, next_token_splits
from seqexp.data.sampled_text import Text
from seqexp.data.sources import TINY_SHAKESPEARE
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.metrics import cross_entropy
from seqexp.tasks.ngrams import ngram_bits
from seqexp.types import (
    Batch,
    Mean,
    Prediction,
    Score,
    SeqexpError,
    Splits,
    Sums,
    Task,
    TaskSpec,
    Tokens,
)

SYMBOLS = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LONGEST_WINDOW = 55_769


@dataclass(frozen=True, kw_only=True)
class TinyShakespeare(Task):
    """1,115,394 characters of 65 kinds: the first 90 % to train, then 5 % and 5 %.

    Each step reads a character and predicts the next. With windows of 4, the text "First Cit"
    gives, each character written for its place in SYMBOLS,

        inputs   F i r s    t _ C i
        targets  i r s t    _ C i t

    Training draws windows at random offsets. Validation and test are cut into such consecutive
    windows, so that each character but a split's first is predicted exactly once, from what stands
    before it in its window; the last window is padded.

    Karpathy 2015, https://karpathy.github.io/2015/05/21/rnn-effectiveness.

    Attributes:
        window: T, the characters that a window predicts: 1 to 55,769.
        stateful: whether training windows continue each other, with the model's carry passed on
            (truncated backpropagation through time, see `seqexp.data.lanes`). What is held out is
            then read in sequences of 2,000 characters, or of `window` if that is more. None for no.

    Raises:
        SeqexpError: `window` is out of range.
    """

    window: int
    stateful: bool | None = None

    def __post_init__(self) -> None:
        require_count("TinyShakespeare", "window", self.window, minimum=1)
        if self.window > LONGEST_WINDOW:
            raise SeqexpError(
                f"TinyShakespeare: window is {self.window}, but a held-out split has only "
                f"{LONGEST_WINDOW} characters to predict; choose a smaller one"
            )

    @property
    def spec(self) -> TaskSpec:
        return next_token_spec(Tokens(len(SYMBOLS)), self.window, self.stateful)

    @property
    def score(self) -> Score:
        return Score("bits_per_character", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Scores on the test split.

        "character frequencies" predicts each character by how often it comes, and "n-grams" by
        what comes before it, see `seqexp.tasks.ngrams`.
        """
        measured = {
            "character frequencies": partial(ngram_bits, size=len(SYMBOLS), longest=1),
            "n-grams": partial(ngram_bits, size=len(SYMBOLS)),
        }
        return {"uniform": math.log2(len(SYMBOLS)), **measured_baselines(self, measured)}

    @property
    def text(self) -> Text:
        return Text(SYMBOLS, prompt="ROMEO:", length=500)

    def data_hashes(self) -> Mapping[str, str]:
        return {file.path: file.sha256 for file in TINY_SHAKESPEARE.files}

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where it cannot be had."""
        (path,) = fetch(TINY_SHAKESPEARE).values()
        place = {symbol: token for token, symbol in enumerate(SYMBOLS)}
        tokens = np.array([place[symbol] for symbol in path.read_text("ascii")], np.int32)
        train, valid, test = np.split(tokens, [len(tokens) * 90 // 100, len(tokens) * 95 // 100])
        held_out = {"valid": valid, "test": test}
        return next_token_splits(train, held_out, self.window, self.stateful)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy of `[B, T, 65]` logits, in nats as the loss and in bits as the score."""
        nats = cross_entropy(prediction.outputs, batch.targets, self.spec.answer_mask(batch))
        bits = Mean(nats.total / math.log(2), nats.weight)
        return {"loss": nats, "bits_per_character": bits}
