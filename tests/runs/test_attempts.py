"""The note of an attempt: how often in a row it died, and came no further."""

from __future__ import annotations

import pytest

from seqexp.runs import attempts
from seqexp.runs.attempts import NOTE, Attempt, died_since


def test_a_note_stays_until_it_is_removed(tmp_path):
    assert attempts.read(tmp_path) is None
    attempt = Attempt(step=6, died=0, during="training", memory=None)
    attempts.write(tmp_path, attempt)
    assert attempts.read(tmp_path) == attempt
    attempts.remove(tmp_path)
    attempts.remove(tmp_path)
    assert attempts.read(tmp_path) is None


def test_a_checkpoint_gained_forgets_what_died_before():
    last = Attempt(step=6, died=1, during="training", memory=10)
    assert died_since(None, 0) == 0
    assert died_since(last, 6) == died_since(last, 3) == 2
    assert died_since(last, 9) == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"step": 1}', '{"other": 1}'])
def test_a_damaged_note_is_none(tmp_path, content):
    (tmp_path / NOTE).write_text(content)
    assert attempts.read(tmp_path) is None
