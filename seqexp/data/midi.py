"""MIDI files and piano rolls."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqexp.data.extras import needs
from seqexp.types import SeqexpError

LOWEST, KEYS = 21, 88
"""The MIDI number of a piano's lowest key, A0, and how many keys it has, up to C8."""
DRUMS = 9
"""The channel of General MIDI whose notes are no pitches (numbered 10 where counting from 1)."""
TICKS = 120
"""Of a step in the files that are written here."""
VELOCITY = 80


class Note(NamedTuple):
    """A note, with its times in quarter notes from the start: whatever the tempo."""

    start: Fraction
    end: Fraction
    number: int


def read_notes(path: Path | str) -> tuple[tuple[Note, ...], Fraction]:
    """The notes of a MIDI file, by start, and the length of the piece in quarter notes.

    A note ends at its note-off, or at the end of its track; a note-off ends all that sound on its
    track, channel and number. Drums (channel 10) and pedals are left out.

    Raises:
        SeqexpError: the file is missing or no MIDI file, cut off, timed in seconds (SMPTE), or of
            independent sequences (format 2); or mido (the extra "music") is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise SeqexpError(f"{path} is not there, or is no file: correct the path")
    file = _parsed(path)
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise SeqexpError(
            f"{path} has no common clock in quarter notes (MIDI format 2, or SMPTE time): convert "
            "it to format 0 or 1"
        )
    notes, longest = [], 0
    for track in file.tracks:
        found, ticks = _track_notes(track)
        notes += found
        longest = max(longest, ticks)
    quarter = Fraction(1, file.ticks_per_beat)
    timed = (Note(start * quarter, end * quarter, number) for start, end, number in notes)
    return tuple(sorted(timed)), longest * quarter


def read_piano_roll(path: Path | str, steps_per_quarter: int) -> np.ndarray:
    """Which keys of a piano sound in each step of a MIDI file.

    A note from quarter a to b sounds in the steps from round(a s) up to round(b s) less one, but at
    least in one; halves round up. The roll ends with the piece.

    Args:
        path: of the file.
        steps_per_quarter: s, steps in a quarter note.

    Returns:
        `[T, 88]` uint8, 1 where a key sounds; column 0 is A0, MIDI number 21.

    Raises:
        SeqexpError: as `read_notes` does, or a note is not on a piano.
    """
    _check_steps(steps_per_quarter)
    notes, length = read_notes(path)
    ends = [
        max(_step(n.end, steps_per_quarter), _step(n.start, steps_per_quarter) + 1) for n in notes
    ]
    roll = np.zeros((max([_step(length, steps_per_quarter), *ends]), KEYS), np.uint8)
    for note, end in zip(notes, ends, strict=True):
        key = note.number - LOWEST
        if not 0 <= key < KEYS:
            raise SeqexpError(
                f"{path} has a note {note.number}, and a piano those from {LOWEST} to "
                f"{LOWEST + KEYS - 1}: transpose it"
            )
        roll[_step(note.start, steps_per_quarter) : end, key] = 1
    return roll


def midi_bytes(roll: np.ndarray, steps_per_quarter: int, quarters_per_minute: float = 120) -> bytes:
    """A piano roll as the bytes of a MIDI file (format 0), which reads back as the same roll.

    A key that is on in consecutive steps is one held note.

    Args:
        roll: `[T, 88]` of 0 and 1, or booleans.
        steps_per_quarter: steps in a quarter note, up to 273.
        quarters_per_minute: tempo, 4 at least.

    Raises:
        SeqexpError: the roll has another shape or other values, the steps or the tempo can't be
            written; or mido (the extra "music") is not installed.
    """
    with needs("music"):
        import mido
    _check_steps(steps_per_quarter)
    roll = np.asarray(roll)
    if roll.ndim != 2 or roll.shape[1] != KEYS or not np.isin(roll, (0, 1)).all():
        raise SeqexpError(
            f"a piano roll is [T, {KEYS}] of 0 and 1, not {roll.shape} of other values"
        )
    if not 4 <= quarters_per_minute <= 60_000_000:
        raise SeqexpError(f"a tempo of {quarters_per_minute} quarters a minute can't be written")
    silence = np.zeros((1, KEYS), np.int8)
    changes = np.diff(np.concatenate([silence, roll.astype(np.int8), silence]), axis=0)
    tempo = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(quarters_per_minute), time=0)
    track, now = mido.MidiTrack([tempo]), 0
    # Of one step, keys are let go before others are struck.
    for step, key in sorted(
        np.argwhere(changes).tolist(), key=lambda at: (at[0], changes[at[0], at[1]])
    ):
        kind = "note_on" if changes[step, key] > 0 else "note_off"
        time = (step - now) * TICKS
        track.append(mido.Message(kind, note=LOWEST + key, velocity=VELOCITY, time=time))
        now = step
    track.append(mido.MetaMessage("end_of_track", time=(len(roll) - now) * TICKS))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS * steps_per_quarter, tracks=[track])
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()


def _parsed(path: Path) -> Any:
    with needs("music"):
        import mido
    try:
        return mido.MidiFile(path)
    # What mido raises of bytes that are no MIDI; EOFError where they end too early.
    except (OSError, EOFError, ValueError, LookupError, TypeError, mido.KeySignatureError) as error:
        raise SeqexpError(
            f"{path} is no MIDI file, or cut off ({type(error).__name__}: {error}): replace it"
        ) from error


def _track_notes(track: Any) -> tuple[list[tuple[int, int, int]], int]:
    """Start and end in ticks and number of each note, and the ticks of the whole track."""
    notes: list[tuple[int, int, int]] = []
    sounding: dict[tuple[int, int], list[int]] = {}
    now = 0
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        voice = message.channel, message.note
        if message.type == "note_on" and message.velocity > 0:
            sounding.setdefault(voice, []).append(now)
        else:
            notes += [(start, now, message.note) for start in sounding.pop(voice, [])]
    for (_, number), starts in sounding.items():
        notes += [(start, now, number) for start in starts]
    return notes, now


def _step(quarters: Fraction, steps_per_quarter: int) -> int:
    return int(quarters * steps_per_quarter + Fraction(1, 2))


def _check_steps(steps_per_quarter: int) -> None:
    most = 0x7FFF // TICKS
    if not 1 <= steps_per_quarter <= most:
        raise SeqexpError(f"steps_per_quarter is from 1 to {most}, not {steps_per_quarter}")
