"""`task.vectors`: what the spec says of a file, a run's identity, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from seqexp.commands.main import main
from seqexp.costs import measure
from seqexp.sweeps.groups import plan
from seqexp.tasks import SST2, EnglishTags, Multi30k, ShakespeareWords, TextFiles
from seqexp.tasks.token_vectors import token_vectors
from seqexp.types import SeqexpError, Tokens, TokenVectors
from tests.full import full
from tests.hasty import TIMES
from tests.test_configs import point

LINES = [f"a fine film {n}\t{'good' if n % 2 else 'bad'}" for n in range(60)]
VECTORS = "fine 1 2\nfilm 3 4\nother 5 6\n"


@pytest.fixture
def files(tmp_path):
    """A folder with a table and vectors for two of its four symbols."""
    (tmp_path / "reviews.tsv").write_text("\n".join(["text\tlabel", *LINES]))
    (tmp_path / "vectors.txt").write_text(VECTORS)
    return tmp_path


def own(files, *overrides: str, model: str = "gru"):
    paths = f"task.train={files}/reviews.tsv", f"task.vectors={files}/vectors.txt"
    return point(f"model={model}", "task=text", *paths, f"runs_dir={files}/runs", *overrides)


def planned(*of):
    groups, _ = plan(of)
    return [member.info for group in groups for member in group.members]


def test_the_spec_has_the_vectors_of_the_vocabulary(files):
    task = own(files).build().task
    inputs = task.spec.inputs
    assert isinstance(task, TextFiles)
    assert isinstance(inputs, Tokens) and inputs.vectors is not None
    found = dict(zip(task._read.vocabulary.symbols, inputs.vectors.values.tolist(), strict=True))
    assert found["fine"] == [1, 2] and found["film"] == [3, 4]
    assert np.isnan(found["a"]).all() and np.isnan(found["<unk>"]).all()
    assert hash(task.spec) == hash(own(files).build().task.spec) and len(repr(task.spec)) < 500


def test_another_content_is_another_run_and_another_spec(files):
    [before], task = planned(own(files)), own(files).build().task
    spec = task.spec
    [without] = planned(own(files, "task.vectors=null"))
    assert set(task.data_hashes()) == {"text train", "vectors"}
    (files / "vectors.txt").write_text(VECTORS.replace("2", "7"))
    [after] = planned(own(files))
    assert len({before.id, after.id, without.id}) == 3
    assert spec != own(files).build().task.spec


def test_the_width_of_the_vectors_is_no_option(files):
    """Asked for or not, it is one run; so is any width of a bag of words without hidden layers."""
    assert len(planned(own(files), own(files, "model.embed_features=2"))) == 1
    bags = [own(files, f"model.features={n}", model="bag_of_words") for n in (3, 8)]
    assert len(planned(*bags)) == 1


@pytest.mark.parametrize(
    ("content", "overrides", "said"),
    [
        (None, [], "vectors.txt can't be read: No such file or directory; check the path"),
        ("un 1 2\n", [], "vectors.txt has none of the 3 symbols of the vocabulary"),
        ("fine 1 2\nfilm 3\n", [], "vectors.txt, line 2: 1 number behind the word, not 2"),
        (VECTORS, ["model.embed_features=3"], "model.embed_features is 3, but .* 2 numbers each"),
    ],
)
def test_mistakes_are_one_line_before_training(files, content, overrides, said):
    (files / "vectors.txt").unlink()
    if content is not None:
        (files / "vectors.txt").write_text(content)
    with pytest.raises(SeqexpError, match=said) as error:
        planned(own(files, *overrides))
    assert "\n" not in str(error.value)


def test_values_are_what_makes_vectors_equal():
    values = np.array([[1.0, 2.0], [np.nan, np.nan]])
    one, same, other = TokenVectors(values), TokenVectors(values.copy()), TokenVectors(values[::-1])
    assert one == same != other and hash(one) == hash(same)
    values[0] = 0
    assert one.values[0].tolist() == [1, 2] and not one.values.flags.writeable
    with pytest.raises(SeqexpError, match="of finite numbers, or of NaN for none"):
        TokenVectors(np.array([[1.0, np.nan]]))
    with pytest.raises(SeqexpError, match=r"the shape \[V, D\], not \[2\]"):
        TokenVectors(np.ones(2))
    with pytest.raises(SeqexpError, match="3 tokens have as many vectors, not 2"):
        Tokens(3, one)


def test_without_a_file_no_vocabulary_is_asked_for():
    def vocabulary():
        raise AssertionError("it may need data that is not there")

    assert token_vectors(None, vocabulary) is None


MULTI30K = {"direction": "de-en", "units": "words", "vocabulary": 50, "max_length": 8}
MULTI30K |= {"buckets": 1, "beam": None, "length_penalty": 1.0, "valid_sentences": 9}
KEPT = {
    "sst2": (SST2, {"words": 50, "buckets": 1}, "film"),
    "ud_ewt": (EnglishTags, {"words": 50, "classes": 5, "buckets": 1}, "the"),
    "shakespeare_words": (ShakespeareWords, {"words": 50, "window": 4}, "the"),
    "multi30k": (Multi30k, MULTI30K, "Mann"),
}


@pytest.mark.parametrize("name", [full(name) if name == "multi30k" else name for name in KEPT])
def test_tasks_of_words_take_vectors(name, tmp_path, require_files):
    task, settings, word = KEPT[name]
    (tmp_path / "vectors.txt").write_text(f"{word} 1 2 3\n")
    plain = task(**settings)
    require_files(plain)
    of = task(**settings, vectors=str(tmp_path / "vectors.txt"))
    inputs, other = of.spec.inputs, plain.spec.inputs
    assert isinstance(inputs, Tokens) and inputs.vectors is not None and other == Tokens(other.size)
    [token] = np.flatnonzero(inputs.vectors.known)
    assert inputs.vectors.values[token].tolist() == [1, 2, 3]
    assert set(of.data_hashes()) - set(plain.data_hashes()) == {"vectors"}


@pytest.mark.full
def test_how_many_were_found_is_told_before_training(files, capsys, monkeypatch):
    for name, value in TIMES.items():
        monkeypatch.setattr(measure, name, value)
    few = ["model.features=3", "trainer.steps=2", "trainer.eval_every=1", "logger.mode=disabled"]
    paths = [f"task.train={files}/reviews.tsv", f"task.vectors={files}/vectors.txt"]
    command = ["run", "model=gru", "task=text", *paths, f"runs_dir={files}/runs", *few]
    assert main(command) == 0
    assert "parameters, vectors of 2 of 4 tokens, " in capsys.readouterr().err
