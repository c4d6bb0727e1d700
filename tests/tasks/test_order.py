"""Order matters: sentences in pairs of the same words and other answers."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict

import jax
import numpy as np
import pytest

from seqexp.tasks import OrderMatters
from seqexp.tasks.classical import bag_of_words, tfidf
from seqexp.tasks.order import ANIMALS, FORMS, LONGEST, VERBS, WORDS, draw_pairs
from seqexp.types import Batch, SeqexpError

SIZES = {"train_examples": 1200, "valid_examples": 300, "test_examples": 300, "buckets": 2}


@functools.cache
def splits():
    return OrderMatters(**SIZES).load()


def told(parts: tuple[Batch, ...]) -> list[tuple[str, int]]:
    """All sentences of a split, with their labels."""
    found = []
    for part in parts:
        rows = zip(*map(np.asarray, (*part.inputs, part.targets)), strict=True)
        found += [(" ".join(WORDS[t] for t in row[:n]), int(label)) for row, n, label in rows]
    return found


def everything() -> dict[str, list[tuple[str, int]]]:
    train = splits().train.all_examples()
    assert train is not None
    return {"train": told(train)} | {name: told(of) for name, of in splits().held_out.items()}


def agent(text: str) -> str:
    """Who did it, by parsing."""
    words = [word for word in text.split() if word in (*ANIMALS, *VERBS, "that", "by", "was", "it")]
    first, second = (word for word in words if word in ANIMALS)
    if "by" in words:
        return second
    if words[0] == "it":  # it was A that verb B, or it was B that A verb
        return first if words[4] in VERBS else second
    if "that" in words:  # A that verb B, or B that A verb
        return first if words[2] in VERBS else second
    return first


def test_the_label_is_whether_the_one_asked_for_did_it():
    for parts in everything().values():
        for text, label in parts:
            sentence, question = text.split(" ? ")
            assert label == (agent(sentence) == question), text


def test_both_labels_are_as_frequent_for_every_bag_of_words():
    for parts in everything().values():
        labels = defaultdict(list)
        for text, label in parts:
            labels[tuple(sorted(Counter(text.split()).items()))].append(label)
        assert all(np.mean(each) == 0.5 for each in labels.values())


def test_splits_share_no_sentence_and_none_comes_twice():
    texts = [text.split(" ? ")[0] for parts in everything().values() for text, _ in parts]
    assert len(set(texts)) == len(texts) == 1800
    assert [len(parts) for parts in everything().values()] == [1200, 300, 300]


def test_lengths_vary_up_to_the_longest():
    lengths = [len(text.split()) for text, _ in everything()["train"]]
    assert 7 <= min(lengths) < max(lengths) <= LONGEST
    longest = max(len(form.split()) for form in FORMS.values())  # an animal is a word of it
    assert LONGEST == longest + 2 * 3 + len("in the garden ? cat".split())
    assert [b.length for b in splits().train.buckets(8)][-1] == max(lengths)


def test_every_form_comes_as_often():
    pairs = draw_pairs(1500)
    kinds = Counter(("it " in p.sentence, "that" in p.sentence, "by" in p.sentence) for p in pairs)
    # 250 of each form, with a standard deviation of 14; forms of a relative clause are two.
    assert sorted(round(n / 250) for n in kinds.values()) == [1, 1, 2, 2]


def test_what_looks_at_words_alone_is_exactly_at_chance():
    assert bag_of_words(splits()) == tfidf(splits()) == 0.5


def test_examples_are_shown_with_their_answers():
    task = OrderMatters(**SIZES)
    few = jax.tree.map(lambda a: np.asarray(a)[:2], splits().held_out["valid"][0])
    said = task.show(few, np.array([[0.0, 1.0], [0.0, 1.0]]), None)["answers"]
    assert isinstance(said, str)
    first = told((few,))[0][0]
    assert said.splitlines()[0] == f"read    {first}"
    assert [line.split()[-1] for line in said.splitlines() if line.startswith("said")] == [
        "yes",
        "yes",
    ]


@pytest.mark.parametrize(
    "change",
    [{"train_examples": 0}, {"valid_examples": 3}, {"test_examples": 2.0}, {"buckets": 0}],
)
def test_impossible_sizes_are_refused(change):
    (name,) = change
    with pytest.raises(SeqexpError, match=f"OrderMatters: {name} must be"):
        OrderMatters(**SIZES | change)
