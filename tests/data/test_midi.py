"""MIDI files: piano rolls there and back, and notes of messages written one by one."""

from __future__ import annotations

import sys
from fractions import Fraction

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqexp.data.midi import KEYS, Note, midi_bytes, read_notes, read_piano_roll
from seqexp.types import SeqexpError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.mid"


def write(path, *tracks, ticks: int = 96, kind: int = 1):
    """Tracks of messages `(type, note, ticks since the one before)`, and how a track ends."""
    written = []
    for track in tracks:
        messages = [
            mido.Message(kind, note=note, time=time, **(options[0] if options else {}))
            for kind, note, time, *options in track
        ]
        written.append(mido.MidiTrack(messages))
    mido.MidiFile(type=kind, ticks_per_beat=ticks, tracks=written).save(path)
    return path


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    roll=arrays(np.uint8, st.tuples(st.integers(0, 12), st.just(KEYS)), elements=st.integers(0, 1)),
    steps=st.sampled_from([1, 3, 4, 12, 273]),
    tempo=st.floats(4, 500),
)
def test_a_piano_roll_reads_back_as_it_was_written(roll, steps, tempo, tmp_path_factory):
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    path.write_bytes(midi_bytes(roll, steps, tempo))
    found = read_piano_roll(path, steps)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, roll)


def test_a_key_that_stays_on_is_one_note(path):
    roll = np.zeros((6, KEYS), bool)
    roll[1:4, 39] = roll[5, 39] = roll[2:4, 0] = True
    path.write_bytes(midi_bytes(roll, 2))
    notes, length = read_notes(path)
    # In steps, of which a quarter has 2.
    written = [(2 * n.start, 2 * n.end, n.number) for n in notes]
    assert written == [(1, 4, 60), (2, 4, 21), (5, 6, 60)]
    assert length == 3
    tempo = next(m.tempo for m in mido.MidiFile(path).tracks[0] if m.type == "set_tempo")
    assert tempo == 500_000


def test_times_are_in_quarter_notes_and_steps_round_half_up(path):
    """At 96 ticks a quarter and 4 steps: 24 ticks a step."""
    write(
        path,
        [
            ("note_on", 60, 12),  # 0.5 steps
            ("note_off", 60, 23),  # 35 ticks, 1.46 steps: the one step from 1
            ("note_on", 62, 12),  # 47 ticks, 1.96
            ("note_on", 62, 36, {"velocity": 0}),  # 83 ticks, 3.46: a note-off
        ],
    )
    notes, length = read_notes(path)
    assert notes[0] == Note(Fraction(1, 8), Fraction(35, 96), 60)
    assert length == Fraction(83, 96)
    roll = read_piano_roll(path, 4)
    assert roll.shape == (3, 88)
    assert np.argwhere(roll).tolist() == [[1, 60 - 21], [2, 62 - 21]]
    # Too short for a step of a quarter, each sounds in one all the same.
    assert np.argwhere(read_piano_roll(path, 1)).tolist() == [[0, 60 - 21], [0, 62 - 21]]


def test_tracks_are_voices_of_their_own_and_drums_are_left_out(path):
    """What ends a note of one track leaves the same note of another."""
    write(
        path,
        [("note_on", 60, 0), ("note_off", 60, 96)],
        [("note_on", 60, 0), ("note_off", 60, 192)],
        [("note_on", 35, 0, {"channel": 9}), ("note_off", 35, 384, {"channel": 9})],
    )
    notes, length = read_notes(path)
    assert notes == (Note(Fraction(0), Fraction(1), 60), Note(Fraction(0), Fraction(2), 60))
    assert length == 4


def test_a_note_without_end_lasts_as_long_as_its_track(path):
    write(path, [("note_on", 60, 0), ("note_on", 64, 96), ("note_off", 64, 96)])
    assert read_notes(path)[0][0] == Note(Fraction(0), Fraction(2), 60)


def test_notes_that_no_piano_has_are_refused(path):
    write(path, [("note_on", 20, 0), ("note_off", 20, 96)])
    with pytest.raises(SeqexpError, match="a note 20, and a piano those from 21 to 108"):
        read_piano_roll(path, 4)


def test_clocks_of_other_kinds_are_refused(path):
    write(path, [("note_on", 60, 0)], kind=2)
    with pytest.raises(SeqexpError, match="no common clock"):
        read_notes(path)
    content = bytearray(midi_bytes(np.ones((1, KEYS)), 4))
    content[12:14] = b"\xe7\x28"  # 25 frames a second of 40 ticks
    path.write_bytes(content)
    with pytest.raises(SeqexpError, match="no common clock"):
        read_notes(path)


def test_a_file_that_is_cut_off_anywhere_is_refused(path):
    whole = midi_bytes(np.eye(3, KEYS), 4)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SeqexpError, match=r"a\.mid is no MIDI file, or cut off"):
            read_notes(path)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(place=st.integers(0, 200), byte=st.integers(0, 255))
def test_a_wrong_byte_is_an_error_or_notes(place, byte, tmp_path_factory):
    path = tmp_path_factory.mktemp("a") / "a.mid"
    content = bytearray(midi_bytes(np.eye(9, KEYS), 4))
    content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        notes, length = read_notes(path)
    except SeqexpError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert all(0 <= note.start <= note.end <= length for note in notes)


@pytest.mark.parametrize("content", [b"", b"text\n", b"RIFF" + bytes(60)])
def test_what_is_no_midi_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(SeqexpError, match=r"a\.mid is no MIDI file"):
        read_notes(path)
    with pytest.raises(SeqexpError, match="is not there"):
        read_notes(path.with_name("b.mid"))


@pytest.mark.parametrize(
    "roll, steps, tempo, said",
    [
        (np.zeros((3, 87)), 4, 120, r"not \(3, 87\)"),
        (np.full((3, KEYS), 2), 4, 120, "of 0 and 1"),
        (np.full((3, KEYS), 0.5), 4, 120, "of 0 and 1"),
        (np.zeros((3, KEYS)), 0, 120, "steps_per_quarter is from 1 to 273"),
        (np.zeros((3, KEYS)), 274, 120, "steps_per_quarter is from 1 to 273"),
        (np.zeros((3, KEYS)), 4, 3, "tempo of 3"),
    ],
)
def test_rolls_that_cannot_be_written_are_refused(roll, steps, tempo, said):
    with pytest.raises(SeqexpError, match=said):
        midi_bytes(roll, steps, tempo)


def test_a_missing_library_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(SeqexpError, match=r"^mido is not installed: .*'seqexp\[music\]'"):
        midi_bytes(np.zeros((1, KEYS)), 4)
