"""JSB chorales: published counts, and scores of simple predictors computed here from scratch."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io

from seqexp.data.download import fetch
from seqexp.data.midi import read_piano_roll
from seqexp.data.sources import JSB_CHORALES
from seqexp.data.streams import Examples
from seqexp.tasks import JSBChorales
from seqexp.tasks.jsb_chorales import previous_frame
from seqexp.types import Batch, Prediction, SeqexpError, Sequences, Splits


@pytest.fixture(scope="module")
def task(require_files) -> JSBChorales:
    require_files(JSBChorales())
    return JSBChorales()


@pytest.fixture(scope="module")
def splits(task):
    return task.load()


@pytest.fixture(scope="module")
def pieces(task) -> dict[str, list[np.ndarray]]:
    """The chorales of the file itself, as integers."""
    (path,) = fetch(JSB_CHORALES).values()
    arrays = scipy.io.loadmat(path)
    return {
        name: [piece.astype(int) for piece in arrays[f"{name}data"][0]]
        for name in ("train", "valid", "test")
    }


def parts_of(splits: Splits) -> dict[str, Batch]:
    """All examples of each split."""
    assert isinstance(splits.train, Examples)
    held_out = {name: batch for name, (batch,) in splits.held_out.items()}
    return {"train": splits.train.split, **held_out}


def logits_of(probabilities: np.ndarray) -> jnp.ndarray:
    return jnp.asarray(np.log(probabilities / (1 - probabilities)), jnp.float32)


def score(task: JSBChorales, logits: jnp.ndarray, split: Batch) -> float:
    outputs = jnp.broadcast_to(logits, split.targets.shape)
    total, weight = task.measure(Prediction(outputs, ()), split)["nll"]
    return float(total / weight)


def test_chorales_and_frames(splits):
    lengths = [part.inputs.lengths for part in parts_of(splits).values()]
    assert [own.shape[0] for own in lengths] == [229, 76, 77]
    assert [int(own.sum()) for own in lengths] == [13578, 4526, 4648]
    assert [int(own.max()) for own in lengths] == [128, 143, 159]


def test_each_step_holds_a_frame_and_the_next(splits, pieces):
    for name, part in parts_of(splits).items():
        arrays = map(np.asarray, (*part.inputs, part.targets))
        for inputs, steps, targets, piece in zip(*arrays, pieces[name], strict=True):
            assert steps == len(piece) - 1
            np.testing.assert_array_equal(inputs[:steps], piece[:-1])
            np.testing.assert_array_equal(targets[:steps], piece[1:])


def test_no_chorale_is_in_two_splits(pieces):
    contents = [{piece.tobytes() for piece in pieces[name]} for name in pieces]
    assert not contents[0] & contents[1] | contents[0] & contents[2] | contents[1] & contents[2]


def test_coin_flips_reach_their_baseline(task, splits):
    nll = score(task, jnp.zeros(()), parts_of(splits)["test"])
    assert nll == pytest.approx(task.baselines["coin flips"], rel=1e-5)


def test_key_frequencies_reach_their_baseline(task, splits, pieces):
    targets = np.concatenate([piece[1:] for piece in pieces["train"]])
    frequencies = (targets.sum(0) + 1) / (len(targets) + 2)
    nll = score(task, logits_of(frequencies), parts_of(splits)["test"])
    assert nll == pytest.approx(task.baselines["key frequencies"], abs=2e-4)


def test_the_previous_frame_reaches_its_baseline(task, splits, pieces):
    before = np.concatenate([piece[:-1] for piece in pieces["train"]])
    after = np.concatenate([piece[1:] for piece in pieces["train"]])
    off, on = (
        (((before == was) * after).sum(0) + 1) / ((before == was).sum(0) + 2) for was in (0, 1)
    )
    probabilities = np.where(np.asarray(parts_of(splits)["test"].inputs.values) == 1, on, off)
    nll = score(task, logits_of(probabilities), parts_of(splits)["test"])
    assert nll == pytest.approx(task.baselines["previous frame"], abs=2e-4)


def test_the_score_is_pooled_over_frames_not_over_chorales(task):
    lengths = jnp.array([1, 3])
    logits, targets = (
        jnp.array([5.0, 0.0])[:, None, None] * jnp.ones((2, 3, 88)),
        jnp.zeros((2, 3, 88)),
    )
    batch = Batch(Sequences(targets, lengths), targets)
    total, weight = task.measure(Prediction(logits, ()), batch)["nll"]
    frame, quiet = 88 * np.log1p(np.exp(5)), 88 * np.log(2)
    np.testing.assert_allclose(total / weight, (frame + 3 * quiet) / 4, rtol=1e-6)


def test_buckets_hold_the_same_chorales_with_less_padding(task, splits):
    bucketed = JSBChorales(buckets="auto").load()
    parts = bucketed.train.all_examples()
    assert parts is not None and len(parts) > 1
    whole = parts_of(splits)["train"].inputs
    lengths = np.concatenate([part.inputs.lengths for part in parts])
    np.testing.assert_array_equal(np.sort(lengths), np.sort(np.asarray(whole.lengths)))
    steps = sum(part.inputs.mask.size for part in parts)
    assert 1 - lengths.sum() / steps <= 0.1 < 0.4 < 1 - lengths.sum() / whole.mask.size
    assert previous_frame(bucketed) == pytest.approx(previous_frame(splits), rel=1e-9)


@pytest.mark.parametrize("buckets", [0, "some"])
def test_other_buckets_are_refused(buckets):
    with pytest.raises(SeqexpError, match="JSBChorales: buckets must be auto or an integer"):
        JSBChorales(buckets=buckets)


def test_what_is_shown():
    """A chorale of 20 frames, what was said of it, and what goes on after 16 of them."""
    T = 25
    roll = (np.random.default_rng(0).uniform(size=(20, 88)) < 0.1).astype(np.float32)
    inputs, targets = (np.zeros((1, T, 88), np.float32) for _ in range(2))
    inputs[0, :19], targets[0, :19] = roll[:-1], roll[1:]
    batch = Batch(Sequences(inputs, np.array([19])), targets)  # type: ignore[arg-type]
    drawn = np.ones((1, T - 15, 88), np.float32)
    generated = Sequences(drawn, np.array([4]))  # type: ignore[arg-type]
    found = JSBChorales().show(batch, np.zeros((1, T, 88)), generated)
    picture = found["piano_rolls"]
    assert isinstance(picture, np.ndarray) and picture.shape == (3 * 88 + 4, 20)
    np.testing.assert_array_equal(picture[:88], roll.T[::-1])
    np.testing.assert_array_equal(picture[90:178, 1:], 0.5)
    np.testing.assert_array_equal(picture[180:, :16], roll.T[::-1, :16])
    np.testing.assert_array_equal(picture[180:, 16:], 1)
    without = JSBChorales().show(batch, np.zeros((1, T, 88)), None)
    assert set(without) == {"piano_rolls", "piano_rolls_legend"}
    assert np.shape(without["piano_rolls"]) == (2 * 88 + 2, 20)
    assert "sampled after its first 16 frames" in str(found["piano_rolls_legend"])
    assert "sampled" not in str(without["piano_rolls_legend"])


def test_the_sample_is_a_midi_file(tmp_path):
    pytest.importorskip("mido", exc_type=ImportError)
    inputs = np.zeros((1, 20, 88), np.float32)
    inputs[0, :, 39] = 1
    batch = Batch(Sequences(inputs, np.array([20])), inputs)  # type: ignore[arg-type]
    drawn = Sequences(np.zeros((1, 5, 88), np.float32), np.array([5]))  # type: ignore[arg-type]
    file = JSBChorales().show(batch, np.zeros((1, 20, 88)), drawn)["sampled.mid"]
    assert isinstance(file, bytes)
    path = tmp_path / "sampled.mid"
    path.write_bytes(file)
    roll = read_piano_roll(path, steps_per_quarter=1)
    assert roll.shape == (21, 88) and roll[:16, 39].all() and roll.sum() == 16
