"""Splits of a user's own text: nearly exact shares, repeatable, and copies that are reported."""

import math
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.text_examples import TextExample
from seqexp.data.text_files import read_lines
from seqexp.data.text_splits import TextSplits, cut, divide, load_plain_text, load_splits
from seqexp.types import SeqexpError

few = settings(deadline=None, derandomize=True, max_examples=40)
SHARES = (0.8, 0.1, 0.1)


def labelled(counts: dict[str, int]) -> list[TextExample]:
    """Texts that are all different."""
    return [
        TextExample(f"{label} {number}", label, "made")
        for label, count in counts.items()
        for number in range(count)
    ]


@few
@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 60)), st.integers(-5, 10**9))
def test_each_label_has_its_share_but_for_less_than_one(counts, seed):
    examples = labelled({**counts, "filler": 100})
    parts = divide(examples, SHARES, seed)
    assert Counter(example for part in parts for example in part) == Counter(examples)
    for part, share in zip(parts, SHARES, strict=True):
        found = Counter(example.label for example in part)
        for label, count in counts.items():
            if count > 1:
                assert abs(found[label] - share * count) < 1 + 1e-9
        assert list(part) == [example for example in examples if example in set(part)]
    assert {example.label for example in parts[0]} == {*counts, "filler"}


@few
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_is_of_no_consequence(random):
    examples = labelled({"a": 30, "b": 20})
    shuffled = random.sample(examples, len(examples))
    for part, other in zip(divide(examples, SHARES, 3), divide(shuffled, SHARES, 3), strict=True):
        assert set(part) == set(other)


def test_seeds_give_other_divisions_and_sizes_are_fair():
    examples = labelled({"a": 13})
    made = [divide(examples, (0.5, 0.5), seed) for seed in range(400)]
    assert len({frozenset(first) for first, _ in made}) > 300
    sizes = [len(first) for first, _ in made]
    assert set(sizes) == {6, 7} and abs(sum(sizes) / 400 - 6.5) < 0.1
    # Each example is as likely as the others to be in the first half: 5 standard deviations.
    often = Counter(example for first, _ in made for example in first)
    assert all(abs(often[example] - 200) < 5 * math.sqrt(400 / 4) for example in examples)


def test_the_rule_does_not_change():
    """Recorded runs hang on it: here it is, step by step, for one label."""
    examples = labelled({"a": 7})

    def drawn(content: str) -> str:
        return sha256(f"[4, {content}]".encode()).hexdigest()

    ranked = sorted(examples, key=lambda example: drawn(f'"{example.text}"'))
    offset = int(drawn('"a"')[:12], 16) / 2**48
    places = [(rank + offset) / 7 for rank in range(7)]
    by_hand = {e for e, place in zip(ranked, places, strict=True) if place < 0.6}
    first, second = divide(examples, (0.6, 0.4), seed=4)
    assert set(first) == by_hand and set(second) == set(examples) - by_hand


def test_copies_stay_together():
    copies = [TextExample(text, "a", str(n)) for n in range(3) for text in "abcdefghijklmnopqrst"]
    parts = divide(copies, SHARES, 0)
    texts = [{example.text for example in part} for part in parts]
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])
    assert TextSplits(*parts).duplicates() is None


def test_texts_without_a_label_of_their_own_are_divided_as_one():
    tagged = [TextExample((f"{n}",), ("X",), "made") for n in range(20)]
    assert [len(part) for part in divide(tagged, (0.75, 0.25), 0)] == [15, 5]


@pytest.mark.parametrize("shares", [(0.5, 0.6), (1.0, 0.0), (1.5, -0.5), (), (math.nan, 0.5)])
def test_shares_that_are_none_are_refused(shares):
    for ask in (lambda: divide(labelled({"a": 9}), shares, 0), lambda: cut("abc", shares)):
        with pytest.raises(SeqexpError, match="above 0 and add up to 1, not"):
            ask()


def test_empty_splits_are_refused():
    with pytest.raises(SeqexpError, match=r"3 examples in shares .* make an empty split"):
        divide(labelled({"a": 1, "b": 1, "c": 1}), SHARES, 0)
    with pytest.raises(SeqexpError, match="4 characters in shares .* make an empty split"):
        cut("a" * 4, SHARES)


@few
@given(st.text(min_size=10, max_size=80))
def test_a_cut_text_is_whole(text):
    parts = cut(text, SHARES)
    assert "".join(parts) == text
    assert len(parts[0]) == len(text) * 8 // 10
    assert len(parts[0] + parts[1]) == len(text) * 9 // 10


def test_duplicates_are_reported_in_one_line():
    def of(*texts):
        return tuple(TextExample(text, "x", "made") for text in texts)

    assert TextSplits(of("a", "a"), of("b"), of("c")).duplicates() is None
    said = TextSplits(of("a", "b"), of("b", "d"), of("a", "d", "e")).duplicates()
    assert said == (
        "1 of 2 valid texts also occur in train; 1 of 3 test texts also occur in train; "
        "1 of 3 test texts also occur in valid"
    )


def test_counts_and_hash_tell_divisions_apart():
    examples = labelled({"a": 20})
    one, other = (TextSplits(*divide(examples, SHARES, seed)) for seed in (0, 1))
    assert one.counts == {"train": 16, "valid": 2, "test": 2}
    assert one.sha256 != other.sha256
    moved = [example._replace(place="elsewhere") for example in examples]
    assert TextSplits(*divide(moved, SHARES, 0)).sha256 == one.sha256


def read(path) -> list[TextExample]:
    return [TextExample(text, None, str(line)) for line, text in read_lines(path)]


@pytest.fixture
def files(tmp_path):
    for name, count in {"train": 20, "valid": 3, "test": 4}.items():
        (tmp_path / name).write_text("\n".join(f"{name} {n}" for n in range(count)))
    return tmp_path


def test_splits_by_files_and_by_shares(files):
    train, valid, test = (files / name for name in ("train", "valid", "test"))
    assert load_splits(read, train, valid, test).counts == {"train": 20, "valid": 3, "test": 4}
    divided = load_splits(read, train, split=SHARES, seed=2)
    assert divided == TextSplits(*divide(read(train), SHARES, 2))
    official = load_splits(read, train, test=test, split=(0.9, 0.1))
    assert official.counts == {"train": 18, "valid": 2, "test": 4}
    assert official.test == tuple(read(test))
    assert load_splits(read, train, valid, split=(0.9, 0.1)).counts == {
        "train": 18,
        "valid": 3,
        "test": 2,
    }


def test_plain_text_by_files_and_by_shares(files):
    train, valid, test = (files / name for name in ("train", "valid", "test"))
    texts = load_plain_text(train, valid, test)
    assert texts == tuple(path.read_text() for path in (train, valid, test))
    assert "".join(load_plain_text(train, split=SHARES)) == train.read_text()
    first, second, third = load_plain_text(train, test=test, split=(0.5, 0.5))
    assert (first + second, third) == (train.read_text(), test.read_text())


def test_files_and_shares_that_do_not_fit_are_refused(files):
    train, valid, test = (files / name for name in ("train", "valid", "test"))
    for load in (lambda *a, **k: load_splits(read, *a, **k), load_plain_text):
        with pytest.raises(SeqexpError, match="each split has a file of its own: leave one or"):
            load(train, valid, test, split=SHARES)
        with pytest.raises(SeqexpError, match="split is None, but must be 3 shares .* test"):
            load(train)
        with pytest.raises(
            SeqexpError, match="must be 2 shares that add up to 1, for train, valid"
        ):
            load(train, test=test, split=SHARES)
        with pytest.raises(SeqexpError, match="are the same file: give another one"):
            load(train, test, files / ".." / files.name / "train")
