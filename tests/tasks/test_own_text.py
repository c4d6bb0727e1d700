"""A user's own text: each form from files as someone would write them, against the files."""

import gzip
import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.tasks import TextFiles
from seqexp.tasks.text_language import token_lengths
from seqexp.types import Prediction, SeqexpError, TaskSpec, Tokens

GOOD, BAD = "a fine film ,\xa0really", "dull , and far too long"
PLAIN = "To be, or not to be:\nthat is the question.\n" * 40


def task(train, **settings) -> TextFiles:
    usual = {
        "answer": "label",
        "train": str(train),
        "valid": None,
        "test": None,
        "split": (0.6, 0.2, 0.2),
        "split_seed": 0,
        "format": None,
        "text_column": "text",
        "label_column": "label",
        "header": True,
        "units": "words",
        "splitter": "whitespace",
        "lower": False,
        "min_count": 1,
        "vocabulary": None,
        "max_length": None,
        "longer": "refuse",
        "metric": None,
        "buckets": 1,
    }
    return TextFiles(**{**usual, **settings})


def rows(count: int = 20) -> list[tuple[str, str]]:
    pairs = [(f"{GOOD} {n}", "good") if n % 2 else (f"{BAD} {n}", "bad") for n in range(count)]
    return pairs


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.tsv"
    path.write_text("text\tlabel\n" + "\n".join("\t".join(row) for row in rows()) + "\n")
    return path


def read_back(of: TextFiles) -> list[tuple[str, str]]:
    """All examples of a task with one label a text, as words and label names."""
    splits, found = of.load(), []
    for part in (*(splits.train.all_examples() or ()), *sum(splits.held_out.values(), ())):
        for n in range(len(part.inputs.lengths)):
            one = jax.tree.map(lambda each, n=n: np.asarray(each)[n : n + 1], part)
            shown = of.show(one, np.eye(2)[one.targets], None)["answers"]
            said = [line.split(maxsplit=1)[1] for line in shown.split("\n")]
            assert said[1] == said[2]
            found.append((said[0], said[1]))
    return sorted(found)


def known(text: str, of: TextFiles) -> str:
    """A text whose words that are unknown to a task are <unk>."""
    symbols = set(of._read.vocabulary.symbols)
    words = [word for word in text.split(" ") if word]
    return " ".join(word if word in symbols else "<unk>" for word in words)


def test_a_table_a_compressed_one_json_lines_and_a_folder_give_the_same_examples(reviews, tmp_path):
    packed = tmp_path / "packed.csv.gz"
    lines = ["label,text", *(f'{label},"{text}"' for text, label in rows())]
    packed.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    records = tmp_path / "records.jsonl"
    records.write_text(
        "\n".join(json.dumps({"text": text, "label": label}) for text, label in rows())
    )
    folder = tmp_path / "folder"
    for n, (text, label) in enumerate(rows()):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{n}.txt").write_text(text)
    plain = task(reviews)
    expected = sorted((known(text, plain), label) for text, label in rows())
    for path in (reviews, packed, records, folder):
        assert read_back(task(path)) == expected
    sizes = {n: sum(len(p.targets) for p in parts) for n, parts in plain.load().held_out.items()}
    assert sizes == {"valid": 4, "test": 4}


def test_splits_of_their_own_files(reviews, tmp_path):
    (tmp_path / "test.tsv").write_text("text\tlabel\nfine\tgood\n")
    of = task(reviews, test=str(tmp_path / "test.tsv"), split=(0.75, 0.25))
    splits = of.load()
    assert [len(p.targets) for p in splits.held_out["test"]] == [1]
    assert sum(len(part.targets) for part in splits.train.all_examples() or ()) == 15
    assert set(of.data_hashes()) == {"text train", "text test"}


def test_the_vocabulary_is_that_of_training_with_its_bounds(reviews):
    all_words = task(reviews).spec
    assert isinstance(all_words.inputs, Tokens)
    few = task(reviews, min_count=2, vocabulary=6, lower=True).spec
    assert few.inputs == Tokens(6)
    characters = task(reviews, units="characters").spec
    assert characters.max_length == max(len(text) for text, _ in rows())
    assert all_words == TaskSpec(all_words.inputs, "sequence", 2, 7, causal=False, targets="labels")


def test_a_changed_file_is_read_again_and_has_another_hash(reviews):
    before = task(reviews)
    shorter = before.spec.max_length, before.data_hashes()
    reviews.write_text(reviews.read_text().replace(BAD, BAD + " and again and again"))
    after = task(reviews)
    assert before == after
    assert (after.spec.max_length, after.data_hashes()) != shorter
    assert after.spec.max_length == shorter[0] + 4


def test_labels_of_tokens(tmp_path):
    path = tmp_path / "tags.jsonl"
    sentences = [["the", "cat", f"saw{n}", "it"][: 2 + n % 3] for n in range(10)]
    tags = ["DET", "NOUN", "VERB", "PRON"]
    path.write_text("\n".join(json.dumps({"text": s, "label": tags[: len(s)]}) for s in sentences))
    of = task(path, answer="labels", max_length=3, longer="cut", min_count=2, buckets=2)
    assert (of.spec.answer, of.spec.output_size, of.spec.max_length) == ("step", 4, 3)
    for part in (*(of.load().train.all_examples() or ()), *of.load().held_out["test"]):
        T = part.inputs.values.shape[1]
        expected = np.broadcast_to([0, 1, 3][:T], part.targets.shape)  # DET NOUN VERB
        np.testing.assert_array_equal(np.where(part.inputs.mask, part.targets, expected), expected)
    assert of.baselines["majority of the token"] == 1.0
    with pytest.raises(SeqexpError, match=r"tags.jsonl, line [369]: 4 tokens, and max_length is 3"):
        task(path, answer="labels", max_length=3).load()


@pytest.mark.parametrize(
    ("units", "metric", "bits"),
    [("characters", "bits_per_character", True), ("words", "perplexity", False)],
)
def test_a_language_model_predicts_each_token_of_what_is_held_out(tmp_path, units, metric, bits):
    path = tmp_path / "plain.txt"
    path.write_text(PLAIN)
    of = task(path, answer="next", units=units, splitter="lines", max_length=8)
    splits, spec = of.load(), of.spec
    assert spec.causal and of.score.name == metric and of.text is not None
    (test,) = splits.held_out["test"]
    tokens = [int(test.inputs.values[0, 0]), *np.asarray(test.targets)[test.inputs.mask]]
    written = of.text.join([str(of.text.symbols[token]) for token in tokens])
    if units == "characters":
        assert written == PLAIN[round(len(PLAIN) * 0.8) :]
    outputs = jnp.zeros((*test.targets.shape, spec.output_size))
    found = of.summarize(of.measure(Prediction(outputs, ()), test))
    assert found["perplexity"] == pytest.approx(spec.output_size, rel=1e-5)
    assert found[metric] == pytest.approx(
        np.log2(spec.output_size) if bits else spec.output_size, rel=1e-5
    )
    scores = of.baselines
    assert scores["n-grams"] < scores["token frequencies"] < found[metric] * 1.01
    assert of.text.prompt.startswith("To")


def test_a_stateful_language_model_scores_the_same_tokens_in_longer_sequences(tmp_path):
    path = tmp_path / "plain.txt"
    path.write_text(PLAIN * 10)
    of = task(path, answer="next", units="characters", max_length=8)
    long = replace(of, stateful=True)
    assert (long.spec.usual_length, long.spec.max_length, long.spec.stateful) == (8, 2000, True)
    lanes, splits = long.load(), of.load()
    assert lanes.train.steps_per_epoch(4) == -(-(len(PLAIN) * 6 - 1) // (4 * 8))
    for name, (part,) in lanes.held_out.items():
        assert part.inputs.values.shape[1] == 2000 and name in ("valid", "test")
        told = np.asarray(part.targets)[part.inputs.mask]
        (windows,) = splits.held_out[name]
        np.testing.assert_array_equal(told, np.asarray(windows.targets)[windows.inputs.mask])
    assert long.baselines == pytest.approx(of.baselines)


def test_bits_of_byte_pairs_are_those_of_their_bytes(tmp_path):
    pytest.importorskip("tokenizers")
    path = tmp_path / "plain.txt"
    path.write_text("né à Besançon " * 100, encoding="utf-8")
    of = task(path, answer="next", units="byte_pairs", vocabulary=270, max_length=8)
    (test,) = of.load().held_out["test"]
    vocabulary = of._read.vocabulary
    told = np.asarray(test.targets)[test.inputs.mask]
    written = vocabulary.decode(told).encode()
    assert token_lengths(vocabulary, "byte_pairs")[told].sum() == len(written)
    outputs = jnp.zeros((*test.targets.shape, of.spec.output_size))
    found = of.summarize(of.measure(Prediction(outputs, ()), test))
    expected = np.log2(of.spec.output_size) * len(told) / len(written)
    assert found["bits_per_byte"] == pytest.approx(expected, rel=1e-5)


def test_macro_f1_is_the_score_where_it_is_asked_for(reviews):
    of = task(reviews, metric="macro_f1")
    (test,) = of.load().held_out["test"]
    found = of.summarize(of.measure(Prediction(jnp.eye(2)[test.targets], ()), test))
    assert of.score.name == "macro_f1" and found["macro_f1"] == found["accuracy"] == 1
    assert of.baselines == {"majority": pytest.approx(1 / 3)}


def test_words_tell_good_from_bad(reviews):
    scores = task(reviews).baselines
    assert scores == {"majority": 0.5, "bag of words": 1.0, "TF-IDF": 1.0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"answer": "tags"}, "answer is one of label, labels, next, not 'tags'"),
        ({"metric": "perplexity"}, "metric is one of accuracy, macro_f1"),
        ({"answer": "next", "max_length": 4, "metric": "bits_per_byte"}, "one of perplexity"),
        ({"answer": "next"}, "needs max_length"),
        ({"answer": "labels", "units": "characters"}, "need units=words"),
        ({"units": "byte_pairs"}, "byte pairs need vocabulary"),
        ({"min_count": 0}, "min_count"),
        ({"longer": "drop"}, "longer is one of cut, refuse"),
        ({"max_length": 0}, "max_length .*>= 1"),
        ({"stateful": True}, "stateful is for a language model, .*answer=next"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(SeqexpError, match=f"TextFiles: .*{message}"):
        task("nowhere.tsv", **settings)


@pytest.mark.parametrize(
    ("wrong", "settings", "message"),
    [
        ("", {}, "reviews.tsv holds no examples"),
        ("text\tlabel\nfine\n", {}, "line 2: 1 column, but the first row has 2"),
        ("text\tlabel\na\tgood\nb\tgood\nc\tgood\nd\tgood\ne\tgood\n", {}, "one label alone"),
        ("text\tsaid\nfine\tgood\n", {}, "no column 'label'"),
        (None, {"max_length": 5}, "tokens, and max_length is 5; raise it"),
        (None, {"split": None}, "must be 3 shares"),
        (None, {"answer": "next", "max_length": 8, "format": "tsv"}, "leave format out"),
        (None, {"answer": "next", "max_length": 9_999}, "needs 10000"),
        (None, {"vocabulary": 1}, "max_size of this vocabulary must be at least"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(reviews, wrong, settings, message):
    if wrong is not None:
        reviews.write_text(wrong)
    with pytest.raises(SeqexpError, match=message) as error:
        _ = task(reviews, **settings).spec
    assert "\n" not in str(error.value)


def test_a_label_that_training_does_not_have_is_named_with_its_line(reviews, tmp_path):
    (tmp_path / "test.tsv").write_text("text\tlabel\nfine\tgood\nso so\tmixed\n")
    of = task(reviews, test=str(tmp_path / "test.tsv"), split=(0.75, 0.25))
    with pytest.raises(SeqexpError, match=r"test.tsv, line 3: the label 'mixed' is none of"):
        of.load()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SeqexpError, match="nowhere.tsv can't be read"):
        task(tmp_path / "nowhere.tsv").data_hashes()


def test_equal_settings_are_equal_tasks(reviews):
    one = task(reviews, split=[0.6, 0.2, 0.2])
    assert one == task(reviews) and hash(one) == hash(task(reviews))
    assert one != replace(one, lower=True)
