"""What is known of the data sets, against the mirror of their bytes where there is one."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from seqexp.data import download
from seqexp.data.sources import FSDD, SOURCES, TSC
from seqexp.tasks import JSBChorales, TinyShakespeare

OFFLINE = Path(os.environ.get("SEQEXP_DATA_DIR", "unset"))
COMMIT = re.compile(r"/[0-9a-f]{40}[/.]")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_address_is_pinned_and_every_path_in_the_folder_of_its_data_set(source):
    paths = [file.path for file in source.files]
    assert len(set(paths)) == len(paths) > 0
    for file in source.files:
        assert file.path.split("/")[0] == source.name
        assert len(bytes.fromhex(file.sha256)) == 32 and file.size > 0
        assert file.url.startswith("https://") and COMMIT.search(file.url)
        assert file.path.rsplit("/")[-1] == file.url.rsplit("/")[-1]
    if source.archive:
        assert COMMIT.search(source.archive.url)
        assert all(path.startswith(f"{source.archive.folder}/") for path in paths)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_what_people_are_told_is_one_line_each(source):
    assert "https://" in source.citation
    for line in (source.title, source.licence, source.citation):
        assert line and "\n" not in line


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_offline_folder_holds_what_the_hashes_say(monkeypatch, source):
    expected = {file.path: OFFLINE / file.path for file in source.files}
    if not all(place.is_file() for place in expected.values()):
        pytest.skip(f"SEQEXP_DATA_DIR names no folder with {source.name}")
    monkeypatch.setenv("SEQEXP_DATA_DIR", str(OFFLINE))
    assert download.fetch(source) == expected
    assert source.size == sum(place.stat().st_size for place in expected.values())


def test_spoken_digits_are_ten_of_six_speakers_fifty_times():
    names = {file.path for file in FSDD.files}
    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    assert names == {
        f"fsdd/recordings/{digit}_{speaker}_{index}.wav"
        for digit in range(10)
        for speaker in speakers
        for index in range(50)
    }


def test_the_files_of_an_archive_have_the_hash_of_their_list():
    ((path, found),) = FSDD.hashes().items()
    assert path == "fsdd/SHA256SUMS"
    if not (OFFLINE / path).is_file():
        pytest.skip(f"SEQEXP_DATA_DIR names no folder with {path}")
    assert found == hashlib.sha256((OFFLINE / path).read_bytes()).hexdigest()


def test_identities_of_recorded_runs_hang_on_these_hashes():
    assert JSBChorales().data_hashes() == {
        "jsb_chorales/JSB_Chorales.mat": (
            "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4"
        )
    }
    assert TinyShakespeare(window=64).data_hashes() == {
        "tiny_shakespeare/input.txt": (
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
        )
    }


def test_one_data_set_of_several():
    italy = TSC.only("tsc/Italy")
    assert [file.path for file in italy.files] == [
        "tsc/ItalyPowerDemand_TRAIN.ts",
        "tsc/ItalyPowerDemand_TEST.ts",
    ]
    assert italy.hashes().items() < TSC.hashes().items()
