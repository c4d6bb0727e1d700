"""Order matters: who did it? The words of a sentence alone cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.padding import pad
from seqexp.tasks.arguments import require_count
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.classical import bag_of_words, tfidf
from seqexp.tasks.labels import TokenLabelTask
from seqexp.types import (
    Batch,
    SeqexpError,
    Sequences,
    Splits,
    TaskSpec,
    Tokens,
)

SEED = 1_965
ANIMALS = "bear bird cat dog duck fox goat horse mouse wolf".split()
VERBS = "carried chased followed found helped pushed warned watched".split()
ADJECTIVES = "black clever hungry lazy old small".split()
ENDS = ["", "again", "at night", "in the garden"]
FORMS = {
    "active": "{agent} {verb} {patient}",
    "passive": "{patient} was {verb} by {agent}",
    "subject relative": "{agent} that {verb} {patient} slept",
    "object relative": "{patient} that {agent} {verb} slept",
    "subject cleft": "it was {agent} that {verb} {patient}",
    "object cleft": "it was {patient} that {agent} {verb}",
}
WORDS = [
    *ANIMALS,
    *VERBS,
    *ADJECTIVES,
    *"the was by that slept it again at night in garden ?".split(),
]
ANSWERS = ("no", "yes")
LONGEST = 17
"""Words of a cleft sentence with two adjectives an animal, "in the garden", and the question."""


class Pair(NamedTuple):
    """A sentence, the same with its animals changed about, and who did it in either."""

    sentence: str
    counterpart: str
    agents: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class OrderMatters(TokenLabelTask):
    """Sentences that say who did what to whom, and the question whether one of the two did it.

    Each stands beside its counterpart, where the animals have changed places: the same words, the
    same question, and the other answer. For example

        the cat chased the lazy mouse at night ? cat                yes
        the mouse chased the lazy cat at night ? cat                no
        it was the wolf that the old dog watched ? dog              yes
        it was the dog that the old wolf watched ? dog              no

    So whatever looks at the words and not at their order answers half of them right, exactly. The
    sentences are active, passive, with a relative clause or cleft, with up to two adjectives an
    animal; 7 to 17 words with the question. No sentence is in two splits, nor its counterpart.

    Such minimal pairs go back to the reversible sentences of psycholinguistics: Slobin 1966,
    "Grammatical transformations and sentence comprehension in childhood and adulthood",
    https://doi.org/10.1016/S0022-5371(66)80023-3.

    Attributes:
        train_examples: size of the training split, even.
        valid_examples: of the validation split, even.
        test_examples: of the test split, even.
        buckets: of lengths, at most; or auto.

    Raises:
        SeqexpError: a size is too small or odd.
    """

    train_examples: int
    valid_examples: int
    test_examples: int
    buckets: int | Literal["auto"]

    def __post_init__(self) -> None:
        for name, size in self._sizes().items():
            require_count("OrderMatters", f"{name}_examples", size, minimum=2)
            if size % 2:
                raise SeqexpError(
                    f"OrderMatters: {name}_examples must be even, for sentences come in pairs, but "
                    f"is {size}"
                )
        require_buckets("OrderMatters", self.buckets)

    @property
    def spec(self) -> TaskSpec:
        size, classes = Tokens(len(WORDS)), len(ANSWERS)
        return TaskSpec(size, "sequence", classes, LONGEST, causal=False, targets="labels")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Accuracies on the test split: 1/2, as of everything that does not look at the order."""
        methods = {"bag of words": bag_of_words, "TF-IDF": tfidf}
        return {"chance": 0.5, **measured_baselines(self, methods)}

    def load(self) -> Splits:
        sizes = self._sizes()
        pairs = draw_pairs(sum(sizes.values()) // 2)
        splits, first = {}, 0
        for name, size in sizes.items():
            splits[name] = _split(pairs[first : first + size // 2])
            first += size // 2
        return splits_in_buckets(self.spec, splits, self.buckets)

    @property
    def symbols(self) -> Sequence[str]:
        return WORDS

    @property
    def answers(self) -> Sequence[str]:
        return ANSWERS

    def _sizes(self) -> dict[str, int]:
        return {
            "train": self.train_examples,
            "valid": self.valid_examples,
            "test": self.test_examples,
        }


def draw_pairs(count: int) -> list[Pair]:
    """Different pairs, drawn with a seed of their own: forms, words and adjectives uniform."""
    random = Random(SEED)

    def pick(choices: Sequence[str]) -> str:
        # The stream of `random()` alone is promised never to change.
        return choices[int(random.random() * len(choices))]

    found: dict[str, Pair] = {}
    while len(found) < count:
        pair = _draw(pick)
        found.setdefault(min(pair.sentence, pair.counterpart), pair)
    return list(found.values())


def _draw(pick: Callable[[Sequence[str]], str]) -> Pair:
    form, verb, end = pick(list(FORMS.values())), pick(VERBS), pick(ENDS)
    agent, asked = pick(ANIMALS), pick("AB")
    patient = pick([animal for animal in ANIMALS if animal != agent])
    about = []
    for _ in range(2):
        words = [pick(["", *ADJECTIVES]) for _ in range(2)]
        about.append(" ".join(dict.fromkeys(words)))  # one said twice is said once

    def sentence(doer: str, other: str) -> str:
        told = form.format(
            agent=f"the {about[0]} {doer}", patient=f"the {about[1]} {other}", verb=verb
        )
        question = agent if asked == "A" else patient
        return " ".join(f"{told} {end} ? {question}".split())

    return Pair(sentence(agent, patient), sentence(patient, agent), (agent, patient))


def _split(pairs: Sequence[Pair]) -> Batch:
    place = {word: token for token, word in enumerate(WORDS)}
    sentences, labels = [], []
    for pair in pairs:
        for sentence, agent in zip(pair[:2], pair.agents, strict=True):
            words = sentence.split()
            sentences.append(np.array([place[word] for word in words], np.int32))
            labels.append(int(words[-1] == agent))
    values, lengths = pad(sentences, LONGEST)
    inputs = Sequences(jnp.asarray(values), jnp.asarray(lengths))
    return Batch(inputs, jnp.asarray(labels, jnp.int32))
