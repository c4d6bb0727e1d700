"""The readers of sentiment and of sentence pairs: lines end in line feeds alone."""

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqexp.data.parallel_text import read_parallel_text
from seqexp.data.sst2 import LABELS, read_sst2
from seqexp.data.text_splits import TextSplits
from seqexp.types import SeqexpError

FOLDER = Path(os.environ.get("SEQEXP_DATA_DIR", "unset"))
few = settings(deadline=None, derandomize=True, max_examples=40)
SENTENCE = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\n\r\ufeff"), min_size=1, max_size=8
).filter(str.strip)


def there(*names: str) -> list[Path]:
    for name in names:
        if not (FOLDER / name).is_file():
            pytest.skip(f"SEQEXP_DATA_DIR names no folder with {name}")
    return [FOLDER / name for name in names]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("corpora")


@few
@given(st.lists(st.tuples(SENTENCE, st.sampled_from(LABELS)), min_size=1, max_size=4))
@example([('a "fine"\tfilm\x85 ,\u2028 I say\x1c .', "1"), ("no", "0")])
def test_sentiment_comes_back(folder, lines):
    path = folder / "sentiment"
    for end in ("\n", "\r\n"):
        path.write_bytes("".join(f"{label} {text}{end}" for text, label in lines).encode())
        found = read_sst2(path)
        assert [(text, label) for text, label, _ in found] == lines
        assert found[-1].place == f"{path}, line {len(lines)}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "sentiment holds no examples"),
        (b"1 a\n2 b\n", "line 2: begins with '2', but must with the label 0 or 1"),
        (b"1 a\n\n0 b\n", "line 2: begins with '', but"),
        (b"1\ta\n", "line 1: begins with '1.ta'"),
        (b"a fine film\n", "line 1: begins with 'a'"),
        (b"1 a\n0\n", "line 2: the text is empty"),
        (b"1 a\n0 \xe9\n", "line 2: byte 0xe9 is not UTF-8"),
    ],
)
def test_malformed_sentiment_is_refused(folder, content, said):
    path = folder / "sentiment"
    path.write_bytes(content)
    with pytest.raises(SeqexpError, match=said):
        read_sst2(path)


def test_sst2_has_its_published_counts():
    names = [f"sst2/stsa.binary.{part}" for part in ("train", "dev", "test")]
    splits = TextSplits(*map(read_sst2, there(*names)))
    assert splits.counts == {"train": 6_920, "valid": 872, "test": 1_821}
    assert "2 of 1821 test texts also occur in train" in (splits.duplicates() or "")


@few
@given(st.lists(st.tuples(SENTENCE, SENTENCE), min_size=1, max_size=4), st.booleans())
@example([('Ein "Mann"\x85\xa0', "a\tman\u2028.")], True)
def test_pairs_come_back(folder, pairs, packed):
    paths = [folder / f"text.{language}{'.gz' * packed}" for language in ("de", "en")]
    for path, sentences in zip(paths, zip(*pairs, strict=True), strict=True):
        content = "".join(f"{sentence}\n" for sentence in sentences).encode()
        path.write_bytes(gzip.compress(content) if packed else content)
    found = read_parallel_text(*paths)
    assert [(source, target) for source, target, _ in found] == pairs
    assert [line for _, _, line in found] == list(range(1, len(pairs) + 1))


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (b"", b"", "de and .*en hold no sentences"),
        (b"a\nb\n", b"a\n", "en ends behind line 1, but .*de goes on"),
        (b"", b"a\n", "de ends behind line 0, but .*en goes on"),
        (b"a\n\nb\n", b"a\nb\nc\n", "de, line 2: no sentence here"),
        (b"a\nb\n", b"a\n \xc2\xa0\n", "en, line 2: no sentence here"),
        (b"a\nb\n", b"a\n\xff\n", "en, line 2: byte 0xff is not UTF-8"),
    ],
)
def test_lines_that_do_not_belong_together_are_refused(folder, source, target, said):
    (folder / "de").write_bytes(source)
    (folder / "en").write_bytes(target)
    with pytest.raises(SeqexpError, match=said):
        read_parallel_text(folder / "de", folder / "en")


@pytest.mark.parametrize(
    ("part", "count"), [("train", 29_000), ("val", 1_014), ("test_2016_flickr", 1_000)]
)
def test_multi30k_has_its_published_counts(part, count):
    pairs = read_parallel_text(*there(f"multi30k/{part}.de.gz", f"multi30k/{part}.en.gz"))
    assert len(pairs) == count
    german = sum("ü" in pair.source for pair in pairs)
    english = sum("ü" in pair.target for pair in pairs)
    assert german > count / 5 > 100 * english
