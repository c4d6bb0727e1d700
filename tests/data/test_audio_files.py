"""Audio files: every sample format against NumPy's arithmetic, and what is no sound."""

from __future__ import annotations

import io
import struct
import sys
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from seqexp.data.audio_files import read_audio
from seqexp.types import SeqexpError

RATE = 8000


CUT_OFF = r"a\.wav (is empty|is cut off|can't be read|holds no samples)"


def write(path, samples, subtype="PCM_16", kind="WAV", rate=RATE):
    soundfile.write(path, samples, rate, format=kind, subtype=subtype)
    return path


def pcm_wav(frames: np.ndarray, bits: int, rate: int = RATE) -> bytes:
    """`[n, channels]` integers as a WAV file, by the standard library."""
    n, channels = frames.shape
    if bits == 8:
        data = (frames + 128).astype(np.uint8).tobytes()
    else:
        wide = frames.astype("<i4").reshape(-1, 1).view(np.uint8)
        data = np.ascontiguousarray(wide[:, : bits // 8]).tobytes()
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((channels, bits // 8, rate, n, "NONE", ""))
        file.writeframes(data)
    return written.getvalue()


@settings(deadline=None, derandomize=True, max_examples=40)
@given(data=st.data(), bits=st.sampled_from([8, 16, 24, 32]), channels=st.integers(1, 5))
def test_integers_are_divided_by_their_range_and_channels_averaged(
    data, bits, channels, tmp_path_factory
):
    most = 1 << (bits - 1)
    values = st.integers(-most, most - 1)
    n = data.draw(st.integers(1, 9))
    count = n * channels
    drawn = data.draw(st.lists(values, min_size=count, max_size=count))
    frames = np.array(drawn, np.int64).reshape(n, channels)
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    path.write_bytes(pcm_wav(frames, bits))
    samples, rate = read_audio(path)
    assert rate == RATE and samples.dtype == np.float32 and samples.shape == (n,)
    np.testing.assert_allclose(samples, frames.mean(axis=1) / most, atol=1e-7)
    assert abs(samples).max() <= 1


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_are_read_as_they_are(tmp_path, subtype):
    written = np.linspace(-1, 1, 50)
    samples, _ = read_audio(write(tmp_path / "a.wav", written, subtype))
    np.testing.assert_array_equal(samples, written.astype(np.float32))


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flac_holds_the_same_and_the_name_does_not_matter(tmp_path, subtype):
    written = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    path = write(tmp_path / "a.wav", written, subtype, "FLAC")
    step = 2.0 ** -({"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}[subtype] - 1)
    np.testing.assert_allclose(read_audio(path).samples, written.mean(axis=1), atol=1.1 * step)


@pytest.mark.parametrize("own, rate", [(8000, 16_000), (44_100, 16_000), (16_000, 8000)])
def test_a_resampled_tone_is_the_same_tone(tmp_path, own, rate):
    """Away from the ends, where the filter has nothing to go by."""

    def tone(rate):
        return 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)

    samples, found = read_audio(write(tmp_path / "a.wav", tone(own), "FLOAT", rate=own), rate)
    assert found == rate and len(samples) == -(-(own // 2) * rate // own)
    middle = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(samples[middle], tone(rate)[middle], atol=2e-3)


def test_resampling_stays_within_the_range_and_the_own_rate_changes_nothing(tmp_path):
    square = np.where(np.arange(200) % 20 < 10, 1.0, -1.0)
    path = write(tmp_path / "a.wav", square, "FLOAT")
    assert abs(read_audio(path, 11_025).samples).max() == 1
    np.testing.assert_array_equal(read_audio(path, RATE).samples, square)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path, kind):
    path = write(tmp_path / "a.wav", np.linspace(-1, 1, 3000), kind=kind)
    whole = path.read_bytes()
    for length in {0, 1, 11, 12, 30, 43, 44, 45, 100, len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(SeqexpError, match=CUT_OFF):
            read_audio(path)


def test_chunks_after_the_sound_and_before_it_are_passed_over(tmp_path):
    path = write(tmp_path / "a.wav", np.linspace(-1, 1, 100))
    before = read_audio(path).samples
    whole = path.read_bytes()
    odd = b"junk" + struct.pack("<I", 3) + b"abc\0"
    path.write_bytes(whole[:12] + odd + whole[12:] + odd)
    np.testing.assert_array_equal(read_audio(path).samples, before)


def test_a_size_that_its_writer_did_not_know_is_that_of_the_file(tmp_path):
    path = write(tmp_path / "a.wav", np.linspace(-1, 1, 100))
    whole = path.read_bytes()
    assert whole[36:40] == b"data"
    path.write_bytes(whole[:40] + b"\xff\xff\xff\xff" + whole[44:])
    assert len(read_audio(path).samples) == 100


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is empty"),
        (b"this is text\n" * 100, "can't be read as WAV or FLAC"),
        (bytes(range(256)) * 20, "can't be read as WAV or FLAC"),
    ],
)
def test_what_is_no_sound_is_refused_by_name(tmp_path, content, said):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(SeqexpError, match=said) as raised:
        read_audio(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_no_samples_are_refused(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(0))
    with pytest.raises(SeqexpError, match=r"a\.wav holds no samples"):
        read_audio(path)


@pytest.mark.parametrize("wrong, said", [(1.5, "up to 1.5"), (np.nan, "NaN"), (np.inf, "infinite")])
def test_floats_that_are_no_sound_are_refused(tmp_path, wrong, said):
    path = write(tmp_path / "a.wav", np.array([0.0, wrong]), "FLOAT")
    with pytest.raises(SeqexpError, match=said):
        read_audio(path)


def test_other_formats_and_places_are_refused(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(10), kind="AIFF")
    with pytest.raises(SeqexpError, match="is AIFF, not WAV or FLAC"):
        read_audio(path)
    for place in (tmp_path, tmp_path / "nowhere.wav"):
        with pytest.raises(SeqexpError, match="is not there, or is no file"):
            read_audio(place)
    with pytest.raises(SeqexpError, match="at least 1 Hz"):
        read_audio(path, 0)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(place=st.integers(0, 200), byte=st.integers(0, 255), kind=st.sampled_from(["WAV", "FLAC"]))
def test_a_wrong_byte_is_an_error_or_sound(place, byte, kind, tmp_path_factory):
    path = write(tmp_path_factory.mktemp("a") / "a", np.linspace(-1, 1, 80), kind=kind)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        samples, rate = read_audio(path)
    except SeqexpError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert len(samples) and np.isfinite(samples).all() and abs(samples).max() <= 1 and rate > 0


def test_a_missing_library_is_named_with_its_command(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", np.zeros(10))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(SeqexpError, match=r"^soundfile is not installed: .*'seqexp\[audio\]'"):
        read_audio(path)
