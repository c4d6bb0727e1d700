"""Multi30k: on a few sentences made up here, and on the files themselves where they are."""

from __future__ import annotations

import gzip
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.laws import tasks as laws
from seqexp.tasks import Multi30k, multi30k
from seqexp.types import Batch, Beam, Prediction, SeqexpError, Sequences, Splits

LEXICON = {
    "Ein": "A",
    "Mann": "man",
    "Hund": "dog",
    "Kind": "child",
    "schläft": "sleeps",
    "läuft": "runs",
    "und": "and",
    "lacht": "laughs",
    "Eine": "A",
    "Katze": "cat",
    "rennt": "runs",
}
NOUNS, VERBS = ["Mann", "Hund", "Kind"], ["schläft", "läuft", "lacht"]
GERMAN = [f"Ein {noun} {verb}." for noun in NOUNS for verb in VERBS] + [
    f"Ein {noun} {one} und {other}." for noun in NOUNS for one in VERBS for other in VERBS
]
TRAIN = [*GERMAN, "Eine Katze rennt."]
HELD_OUT = {"val": GERMAN[::3], "test_2016_flickr": ["Ein Zebra schläft.", *GERMAN[1::4]]}


def english(german: str) -> str:
    return " ".join(LEXICON.get(word, word) for word in german[:-1].split()) + "."


def task(**options) -> Multi30k:
    given = {
        "direction": "de-en",
        "units": "words",
        "vocabulary": 13,  # as many as there are in either language
        "max_length": 6,
        "buckets": 2,
        "beam": None,
        "length_penalty": 1.0,
        "valid_sentences": 1014,
    }
    return Multi30k(**{**given, **options})


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """The files, with other sentences."""
    files = {}
    for name, german in {"train": TRAIN, **HELD_OUT}.items():
        for which, texts in (("de", german), ("en", [english(text) for text in german])):
            files[f"multi30k/{name}.{which}.gz"] = path = tmp_path / f"{name}.{which}.gz"
            path.write_bytes(gzip.compress("".join(f"{text}\n" for text in texts).encode()))
    monkeypatch.setattr(multi30k, "fetch", lambda source: files)
    return files


def parts(splits: Splits) -> dict[str, tuple[Batch, ...]]:
    train = splits.train.all_examples()
    assert train is not None
    return {"train": train, **splits.held_out}


def words_of(task: Multi30k, side: int, tokens) -> str:
    symbols = task._vocabularies[side].symbols
    return " ".join(symbols[token] for token in np.asarray(tokens).tolist())


def prefix_of(part: Batch) -> Sequences:
    assert part.prefix is not None
    return part.prefix


def said(part: Batch) -> Sequences:
    """The translations of the file, as if a model had written them."""
    steps = np.asarray(prefix_of(part).lengths) - 1
    return Sequences(np.asarray(part.targets.tokens), steps)  # type: ignore[arg-type]


def test_an_example_is_as_the_docstring_shows(corpus):
    own = task(buckets=1)
    (part,) = own.load().held_out["valid"]
    inputs, prefix, targets = (
        part.inputs.values[0],
        prefix_of(part).values[0],
        part.targets.tokens[0],
    )
    assert words_of(own, 0, inputs[:4]) == "Ein Mann schläft ."
    assert words_of(own, 1, prefix[:5]) == "<s> A man sleeps ."
    assert words_of(own, 1, targets[:5]) == "A man sleeps . </s>"
    assert (part.inputs.lengths[0], prefix_of(part).lengths[0]) == (4, 5)


def test_tokens_are_spelt_each_by_itself(corpus):
    (part,) = task(buckets=1).load().held_out["valid"]
    source, answer = task().spelled(part)[0]
    assert (source, answer) == (
        ["Ein", "Mann", "schläft", "."],
        ["A", "man", "sleeps", ".", "</s>"],
    )
    byte_pairs = task(units="byte_pairs", vocabulary=280, max_length=40, buckets=1)
    (part,) = byte_pairs.load().held_out["valid"]
    source, answer = byte_pairs.spelled(part)[0]
    # The two bytes of a letter may be two pairs.
    assert "".join(answer) == "A▁man▁sleeps.</s>" and len(answer) < len("A man sleeps.") + 1
    assert "".join(source).replace("��", "ä") == "Ein▁Mann▁schläft."
    own = task(max_length=4, buckets=1)
    (part,) = own.load().held_out["valid"]
    (row,) = np.flatnonzero(np.asarray(part.targets.pair) == 3)
    source, answer = own.spelled(part)[row]  # cut, with no end
    assert (source[3:], answer[3:]) == (["und"], ["and", "sleeps"])


@pytest.mark.parametrize(
    "direction, units, vocabulary",
    [("de-en", "words", 13), ("de-en", "byte_pairs", 270), ("en-de", "byte_pairs", 270)],
)
def test_what_the_file_says_has_a_bleu_of_100(corpus, direction, units, vocabulary):
    own = task(direction=direction, units=units, vocabulary=vocabulary, max_length=40)
    for part in own.load().held_out["valid"]:
        assert own.judge(said(part), part) == {"bleu": 100.0, "length_ratio": 1.0}
        other = said(part)._replace(lengths=np.asarray(prefix_of(part).lengths) - 2)
        assert own.judge(other, part)["bleu"] < 100


def test_every_pair_is_in_a_split_once(corpus):
    for units, vocabulary in (("words", 13), ("byte_pairs", 270)):
        splits = parts(task(units=units, vocabulary=vocabulary, max_length=40).load())
        for name, count in {"train": 37, "valid": 12, "test": 10}.items():
            pairs = np.concatenate([part.targets.pair for part in splits[name]])
            assert sorted(pairs.tolist()) == list(range(count))


def test_the_training_text_alone_makes_the_vocabulary(corpus):
    own = task()
    source, target = own._vocabularies
    assert "Zebra" not in source.symbols and {"Hund", "."} <= set(source.symbols)
    (first, *_) = own.load().held_out["test"]
    assert words_of(own, 0, first.inputs.values[0][:4]) == "Ein <unk> schläft ."
    assert (target.start, target.end) == (own.spec.start, own.spec.end)
    bytes_too = task(units="byte_pairs", vocabulary=270)
    target = bytes_too._vocabularies[1]
    assert (target.start, target.end) == (bytes_too.spec.start, bytes_too.spec.end)


@pytest.mark.parametrize("units", ["words", "byte_pairs"])
def test_more_symbols_than_the_training_text_has_are_refused(corpus, units):
    with pytest.raises(SeqexpError, match=r"vocabulary is 9000, but .* has only \d+ "):
        task(units=units, vocabulary=9000).load()


def test_longer_pairs_are_left_out_of_training_and_cut_elsewhere(corpus):
    own = task(max_length=4, buckets=1)
    splits = parts(own.load())
    assert [part.inputs.lengths.tolist() for part in splits["train"]] == [[4] * 10]
    (valid,) = splits["valid"]
    assert valid.inputs.lengths.shape == (12,)
    (row,) = np.flatnonzero(np.asarray(valid.targets.pair) == 3)
    assert words_of(own, 0, valid.inputs.values[row]) == "Ein Mann schläft und"
    assert words_of(own, 1, prefix_of(valid).values[row]) == "<s> A man sleeps and"
    assert words_of(own, 1, valid.targets.tokens[row]) == "A man sleeps and sleeps"
    whole = jax.tree.map(lambda leaf: np.asarray(leaf)[:1], valid)
    cut = jax.tree.map(lambda leaf: np.asarray(leaf)[row : row + 1], valid)
    assert own.judge(said(whole), whole)["bleu"] == 100
    assert own.judge(said(cut), cut)["bleu"] < 90  # of the whole reference


def test_no_pair_short_enough_is_an_error(corpus):
    with pytest.raises(SeqexpError, match="at most max_length=3 tokens"):
        task(max_length=3).load()


def test_perplexity_is_exact_over_all_tokens_of_a_split(corpus):
    own, nats, count, total = task(), 0.0, 0, {}
    held_out = own.load().held_out["valid"]
    assert len(held_out) == 2
    for seed, part in enumerate(held_out):
        shape = (*prefix_of(part).values.shape, own.vocabulary)
        logits = np.random.default_rng(seed).normal(size=shape)
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        for row, steps in enumerate(prefix_of(part).lengths.tolist()):
            for step in range(steps):
                nats -= log_p[row, step, int(part.targets.tokens[row, step])]
                count += 1
        sums = own.measure(Prediction(jnp.asarray(logits, jnp.float32), ()), part)
        total = jax.tree.map(np.add, total, sums) if total else sums
    metrics = own.summarize(total)
    assert metrics["perplexity"] == pytest.approx(math.exp(nats / count), rel=1e-5)
    assert metrics["loss"] == pytest.approx(nats / count, rel=1e-5)


@pytest.mark.parametrize("law", sorted(laws.LAWS))
@pytest.mark.parametrize("buckets", [1, "auto"])
def test_laws(corpus, law, buckets):
    own = task(buckets=buckets)
    assert laws.LAWS[law](laws.case(own, own.load(), batch_size=4)) is None


def test_the_validation_split_can_be_shorter(corpus):
    splits = parts(task(valid_sentences=5, buckets=1).load())
    assert splits["valid"][0].targets.pair.tolist() == list(range(5))
    assert splits["test"][0].targets.pair.shape == (10,)


def test_a_beam_or_greedy():
    assert task().decoding == "greedy"
    assert task(beam=4, length_penalty=0.6).decoding == Beam(4, 0.6)


def test_examples_are_shown(corpus):
    own = task()
    part = own.load().held_out["valid"][0]
    few, generated = jax.tree.map(lambda leaf: np.asarray(leaf)[: own.shown], (part, said(part)))
    outputs = np.zeros((own.shown, 5, own.vocabulary))
    assert own.show(few, outputs, generated)["translations"].split("\n\n")[0].split("\n") == [
        "source     Ein Mann schläft.",
        "reference  A man sleeps.",
        "said       A man sleeps.",
    ]


def test_a_text_that_is_said_is_one_line(corpus):
    own = task(units="byte_pairs", vocabulary=270)
    tokens = own._vocabularies[1].encode("A\nman  sleeps.")
    generated = Sequences(tokens[None], np.array([len(tokens)]))  # type: ignore[arg-type]
    assert own._said(generated) == ["A man sleeps."]


def test_baselines(corpus, monkeypatch):
    monkeypatch.setattr(multi30k, "measured_baselines", computed_anew)
    found = task().baselines
    assert 0 < found["copy"] < 5 and 50 < found["word table"] < 100


def computed_anew(task, methods):
    return {name: method(task.load()) for name, method in methods.items()}


@pytest.mark.parametrize(
    "wrong",
    [
        {"direction": "de-fr"},
        {"units": "characters"},
        {"vocabulary": 3},
        {"units": "byte_pairs", "vocabulary": 257},
        {"max_length": 0},
        {"buckets": 0},
        {"beam": 0},
        {"length_penalty": -1.0},
        {"valid_sentences": 0},
        {"valid_sentences": 1015},
    ],
)
def test_options_that_are_refused(wrong):
    with pytest.raises(SeqexpError) as error:
        task(**wrong)
    assert "\n" not in str(error.value)


@pytest.fixture
def real(require_files) -> Multi30k:
    own = task(units="byte_pairs", vocabulary=4000, max_length=48, buckets="auto")
    require_files(own)
    return own


@pytest.mark.full
def test_the_files_themselves(real):
    splits = parts(real.load())
    counts = {name: sum(len(part.targets.pair) for part in own) for name, own in splits.items()}
    assert 28_900 < counts.pop("train") <= 29_000
    assert counts == {"valid": 1014, "test": 1000}
    for part in (*splits["valid"], *splits["test"]):
        assert real.judge(said(part), part)["bleu"] == 100.0  # nothing is cut, nothing unknown
    assert laws.splits_are_as_the_spec_says(laws.case(real, real.load(), 64)) is None


@pytest.mark.full
def test_a_word_table_is_better_than_a_copy(real):
    found = real.baselines
    assert 0 < found["copy"] < 5 < found["word table"] < 40


@pytest.mark.full
@pytest.mark.parametrize(("model", "beam"), [("encoder_decoder", 2), ("gru", None)])
def test_a_model_learns_to_translate(corpus, model, beam):
    """A small lexicon, in a few hundred steps."""
    from seqexp.training import Program
    from seqexp.training.mesh import group_mesh
    from tests.test_configs import point
    from tests.training.small import HYPERS, trained

    options = f"model={model}", "model.features=16", "task=multi30k", "optimizer.learning_rate=0.01"
    steps = "trainer.steps=300", "trainer.eval_every=150", "trainer.batch_size=8"
    experiment = replace(point(*options, *steps).build(), task=task(beam=beam))
    program = Program.of(experiment, experiment.task.load(), HYPERS[:1], group_mesh(1, 1))
    _, records, _ = trained(program)
    last = records[-1][0]
    assert last["valid/bleu"] > 90 and 1 <= last["valid/perplexity"] < 1.3
