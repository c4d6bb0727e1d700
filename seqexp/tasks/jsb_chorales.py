"""Polyphonic music: predict the next frame of a Bach chorale."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
import scipy.io
import scipy.special

from seqexp.data.buckets import require_buckets, splits_in_buckets
from seqexp.data.download import fetch
from seqexp.data.midi import midi_bytes
from seqexp.data.padding import pad
from seqexp.data.sources import JSB_CHORALES
from seqexp.data.streams import Examples
from seqexp.tasks.baselines import measured_baselines
from seqexp.tasks.metrics import bernoulli_nll
from seqexp.tasks.piano_roll_picture import piano_rolls
from seqexp.types import (
    Batch,
    Features,
    FreeRunning,
    Prediction,
    Score,
    SeqexpError,
    Sequences,
    Splits,
    Sums,
    Task,
    TaskSpec,
)

KEYS, LONGEST = 88, 160
GIVEN = 16
"""Frames that a sampled continuation begins with."""


@dataclass(frozen=True)
class JSBChorales(Task):
    """The 382 four-part chorales as frames of 88 piano keys, each on or off: 229 / 76 / 77.

    A chorale of F frames gives F - 1 steps: frame t in, frame t + 1 to predict. For example, the
    first chorale of the training split has 129 frames, so 128 steps; the keys that are on are

        step      0              1              2              ...
        input     39 51 58 67    51 58 67       46 49 55 63    ...
        target    51 58 67       46 49 55 63    48 56 65       ...

    The loss of a frame is the sum over its keys of a Bernoulli's -log p in nats, and a split's is
    the mean over all frames of the split, not over chorales. Chorales have 25 to 160 frames.

    Boulanger-Lewandowski et al. 2012, "Modeling temporal dependencies in high-dimensional
    sequences", https://arxiv.org/abs/1206.6392; the split and the score are those of Bai et al.
    2018, https://arxiv.org/abs/1803.01271.

    At each evaluation the first validation chorale is shown as it is, as its next frames were
    predicted, and as it goes on after 16 frames when each next one is drawn and read back.

    Attributes:
        buckets: how many padded lengths there are at most; "auto" for as few of 1 to 16 as waste at
            most 7 % of the steps, beside what fills batches; None for one, of the longest chorale.

    Raises:
        SeqexpError: `buckets` is something else.
    """

    buckets: int | Literal["auto"] | None = None

    def __post_init__(self) -> None:
        if self.buckets is not None:
            require_buckets("JSBChorales", self.buckets)

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Features(KEYS), "step", KEYS, LONGEST - 1, causal=True)

    @property
    def score(self) -> Score:
        return Score("nll", "min")

    @property
    def baselines(self) -> Mapping[str, float]:
        """Scores on the test split.

        "key frequencies" predicts each key by how often it is on, and "previous frame" by how often
        it is on after a frame where it was as it is now.
        """
        counted = {"key frequencies": key_frequencies, "previous frame": previous_frame}
        return {"coin flips": KEYS * math.log(2), **measured_baselines(self, counted)}

    def data_hashes(self) -> Mapping[str, str]:
        return {file.path: file.sha256 for file in JSB_CHORALES.files}

    def load(self) -> Splits:
        """Raises SeqexpError, naming the file and the remedy, where it cannot be had."""
        (path,) = fetch(JSB_CHORALES).values()
        pieces = scipy.io.loadmat(path)
        train, valid, test = (
            _split(list(pieces[name][0])) for name in ("traindata", "validdata", "testdata")
        )
        if self.buckets is None:
            return Splits(Examples(train), {"valid": (valid,), "test": (test,)})
        splits = {"train": train, "valid": valid, "test": test}
        return splits_in_buckets(self.spec, splits, self.buckets)

    def measure(self, prediction: Prediction, batch: Batch) -> Sums:
        """The negative log-likelihood of a frame under `[B, T, 88]` logits."""
        nll = bernoulli_nll(prediction.outputs, batch.targets, self.spec.answer_mask(batch))
        return {"loss": nll, "nll": nll}

    @property
    def shown(self) -> int:
        return 1

    @property
    def shown_decoding(self) -> FreeRunning:
        return FreeRunning(GIVEN, draws="bernoulli")

    def show(
        self, batch: Batch, outputs: np.ndarray, generated: Sequences | None
    ) -> Mapping[str, str | np.ndarray | bytes]:
        """A piano roll of the chorale, of the probabilities of its frames, and of one that was
        sampled, one below the other; and the last as a MIDI file, where mido is installed."""
        length = int(np.asarray(batch.inputs.lengths)[0])
        first = np.asarray(batch.inputs.values)[0, :1]
        chorale = np.concatenate([first, np.asarray(batch.targets)[0, :length]])
        predicted = np.concatenate([first, scipy.special.expit(outputs[0, :length])])
        rolls, files = [chorale, predicted], {}
        order = ["a chorale", "the probability of each key"]
        if generated is not None:
            drawn = np.asarray(generated.values)[0, : int(np.asarray(generated.lengths)[0])]
            sampled = np.concatenate([chorale[:GIVEN], drawn])
            rolls.append(sampled)
            order.append(f"what was sampled after its first {GIVEN} frames")
            with contextlib.suppress(SeqexpError):  # No mido, no file.
                files["sampled.mid"] = midi_bytes(sampled, steps_per_quarter=1)
        legend = f"from top to bottom: {', '.join(order)}; high keys above low ones"
        return {"piano_rolls": piano_rolls(rolls), "piano_rolls_legend": legend, **files}


def key_frequencies(splits: Splits) -> float:
    """The NLL of a test frame when key c is on with probability (on_c + 1) / (frames + 2)."""
    _, after = _frames(_train_parts(splits))
    _, targets = _frames(splits.held_out["test"])
    return _nll((after.sum(0) + 1) / (len(after) + 2), targets)


def previous_frame(splits: Splits) -> float:
    """The same with counts of the frames after those where the key was as it is now."""
    before, after = _frames(_train_parts(splits))
    inputs, targets = _frames(splits.held_out["test"])
    off, on = (
        (((before == was) * after).sum(0) + 1) / ((before == was).sum(0) + 2) for was in (0, 1)
    )
    return _nll(np.where(inputs == 1, on, off), targets)


def _train_parts(splits: Splits) -> Iterable[Batch]:
    parts = splits.train.all_examples()
    assert parts is not None
    return parts


def _frames(parts: Iterable[Batch]) -> tuple[np.ndarray, np.ndarray]:
    """All frames that are read, and those after them, `[frames, 88]` each."""
    before, after = [], []
    for part in parts:
        mask = np.asarray(part.inputs.mask)
        before.append(np.asarray(part.inputs.values)[mask])
        after.append(np.asarray(part.targets)[mask])
    return np.concatenate(before), np.concatenate(after)


def _nll(on: np.ndarray, targets: np.ndarray) -> float:
    each = np.where(targets == 1, np.log(on), np.log1p(-on))
    return float(-each.sum(-1, dtype=np.float64).mean())


def _split(chorales: list[np.ndarray]) -> Batch:
    frames = [chorale.astype(np.float32) for chorale in chorales]
    inputs, lengths = pad([chorale[:-1] for chorale in frames], LONGEST - 1)
    targets, _ = pad([chorale[1:] for chorale in frames], LONGEST - 1)
    return Batch(Sequences(jnp.asarray(inputs), jnp.asarray(lengths)), jnp.asarray(targets))
