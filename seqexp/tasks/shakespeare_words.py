"""Language modelling: predict the next word of Shakespeare's plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from seqexp.data.download import fetch
from seqexp.data.next_token import next_token_spec, next_token_splits
from seqexp.data.sampled_text import Text
from seqexp.data.sources import TINY_SHAKESPEARE
from seqexp.data.text_units import Words
from seqexp.data.vocabulary import Vocabulary, word_vocabulary
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.metrics import cross_entropy
from seqexp.tasks.ngrams import ngram_bits
from seqexp.tasks.perplexity import with_perplexity
from seqexp.tasks.token_vectors import token_vectors, vector_hashes
from seqexp.types import (
    Batch,
    Prediction,
    Score,
    SeqexpError,
    Splits,
    Sums,
    Task,
    TaskSpec,
    Tokens,
    TokenVectors,
)

UNITS = Words("lines")
MOST_WORDS, LONGEST_WINDOW, LONGEST_GRAM = 13_933, 14_578, 5
"""V with every word of the training split and `<unk>`; what the validation split predicts."""


@dataclass(frozen=True, kw_only=True)
class ShakespeareWords(Task):
    """291,585 words of Shakespeare: the first 90 % to train, then 5 % and 5 %.

    A mark of punctuation and a line break are words, too. Each step reads a word and predicts the
    next; with windows of 8, the text "First Citizen:\\nBefore we proceed any further, hear" gives

        inputs   First    Citizen  :  \\n      Before  we       proceed  any
        targets  Citizen  :        \\n Before  we      proceed  any      further

    Training draws windows at random offsets. Validation and test are cut into consecutive windows,
    so that each word but a split's first is predicted exactly once, from what stands before it in
    its window. The perplexity is that of words of which rare ones are `<unk>`: it compares only at
    the same `words`.

    The text is that of `TinyShakespeare`; splits are cut between words, and so a little elsewhere.

    Attributes:
        words: V, from 2 to 13,933: `<unk>` and the most frequent words of the training split; with
            all of them `<unk>` is never trained.
        window: T, the words that a window predicts: 1 to 14,578.
        vectors: a file with pretrained vectors of words, see `seqexp.data.vectors`; None for none.
        stateful: whether training windows continue each other, with the model's carry passed on
            (truncated backpropagation through time, see `seqexp.data.lanes`). What is held out is
            then read in sequences of 2,000 words, or of `window` if that is more. None for no.

    Raises:
        SeqexpError: a size is out of range.
    """

    words: int
    window: int
    vectors: str | None = None
    stateful: bool | None = None

    def __post_init__(self) -> None:
        require_count("ShakespeareWords", "words", self.words, minimum=2)
        require_count("ShakespeareWords", "window", self.window, minimum=1)
        if self.words > MOST_WORDS:
            raise SeqexpError(
                f"ShakespeareWords: words is {self.words}, but the training split has only "
                f"{MOST_WORDS}, <unk> included; choose no more"
            )
        if self.window > LONGEST_WINDOW:
            raise SeqexpError(
                f"ShakespeareWords: window is {self.window}, but a held-out split has only "
                f"{LONGEST_WINDOW} words to predict; choose a smaller one"
            )

    @property
    def spec(self) -> TaskSpec:
        return next_token_spec(Tokens(self.words, self._vectors), self.window, self.stateful)

    @property
    def score(self) -> Score:
        return Score("perplexity", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Perplexities on the test split, see `seqexp.tasks.ngrams`."""
        methods = {"word frequencies": self._frequencies, "n-grams": self._ngrams}
        return {"uniform": float(self.words), **measured_baselines(self, methods)}

    @property
    def text(self) -> Text:
        return Text(self._vocabulary.symbols, "ROMEO:", 100, UNITS.split, UNITS.join)

    def data_hashes(self) -> Mapping[str, str]:
        return {**TINY_SHAKESPEARE.hashes(), **vector_hashes(self.vectors)}

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where it cannot be had."""
        train, valid, test = map(self._vocabulary.encode, _splits())
        held_out = {"valid": valid, "test": test}
        return next_token_splits(train, held_out, self.window, self.stateful)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """Cross-entropy of `[B, T, V]` logits, in nats."""
        asked = self.spec.answer_mask(batch)
        return {"loss": cross_entropy(prediction.outputs, batch.targets, asked)}

    def summarize(self, sums: Sums) -> Mapping[str, float]:
        """The loss, and the perplexity exp(loss)."""
        return with_perplexity(sums)

    def _frequencies(self, splits: Splits) -> float:
        return 2 ** ngram_bits(splits, self.words, longest=1)

    def _ngrams(self, splits: Splits) -> float:
        return 2 ** ngram_bits(splits, self.words, longest=LONGEST_GRAM)

    @cached_property
    def _vectors(self) -> TokenVectors | None:
        return token_vectors(self.vectors, lambda: self._vocabulary)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return word_vocabulary([_splits()[0]], splitter="lines", max_size=self.words)


def _splits() -> list[list[str]]:
    """The words of each split."""
    (path,) = fetch(TINY_SHAKESPEARE).values()
    words = UNITS.split(path.read_text("ascii"))
    ends = [0, len(words) * 90 // 100, len(words) * 95 // 100, len(words)]
    return [words[start:end] for start, end in zip(ends, ends[1:], strict=False)]
