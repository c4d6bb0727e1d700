"""Whole training loops on the adding problem: ours, and the ones a user would write.

Each does the same: draw a batch, forward, backward, clip by global norm, Adam, read the loss back.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import numpy as np
from shapes import Cell, Shape

SHAPE = Shape(32, 100, 2, 64)
LEARNING_RATE, CLIP = 1e-3, 1.0


class Loop(Protocol):
    """A training that goes on at each run."""

    def run(self) -> float:
        """So many steps; their mean loss."""
        ...


class OursLoop:
    """`seqexp.training.Program`, as a sweep runs it: data drawn in it, losses read back after
    the last step of a run.

    Args:
        cell: what is trained.
        steps: of each member in a run.
        members: trained side by side, as many at once as there are devices.
        batch_devices: how many share one member's batch.
    """

    def __init__(self, cell: Cell, steps: int, members: int = 1, batch_devices: int = 1):
        import optax
        from ours import CELLS

        from seqexp.models import SequenceModel
        from seqexp.tasks import Adding
        from seqexp.training import Experiment, Hyper, Optimizer, Program
        from seqexp.training.mesh import group_mesh
        from seqexp.training.schedules import constant

        task = Adding(length=SHAPE.time, valid_examples=1, test_examples=1)
        model = partial(
            SequenceModel,
            cell=CELLS[cell],
            features=SHAPE.hidden,
            depth=1,
            dropout=0.0,
            residual=False,
            norm="none",
            pooling="last",
        )
        experiment = Experiment(
            model=model,
            task=task,
            optimizer=Optimizer(optax.scale_by_adam(), constant()),
            steps=10**6,
            batch_size=SHAPE.batch,
            eval_every=steps,
            eval_batch_size=1,
        )
        hypers = [Hyper(seed, LEARNING_RATE, 0.0, CLIP) for seed in range(members)]
        mesh = group_mesh(members, batch_devices)
        self._program = Program.of(experiment, task.load(), hypers, mesh)
        self._states = self._program.init()
        self._until = np.zeros(members, np.int64)
        self._steps = steps

    def run(self) -> float:
        """So many steps of all members; their mean loss."""
        self._until += self._steps
        self._states, given = self._program.advance(self._states, self._until)
        losses = [each.measured.sums["loss"] for each in given]
        return float(np.mean([loss.total / loss.weight for loss in losses]))


class TorchLoop:
    """The plain torch loop.

    Args:
        cell: what is trained.
        steps: of a run.
        threads: for torch's operations.
    """

    def __init__(self, cell: Cell, steps: int, threads: int):
        import torch
        from torch_layers import KINDS

        self._recurrent = KINDS[cell](SHAPE.input, SHAPE.hidden, batch_first=True)
        self._readout = torch.nn.Linear(SHAPE.hidden, 1)
        self._parameters = [*self._recurrent.parameters(), *self._readout.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=LEARNING_RATE)
        self._rng = np.random.default_rng(0)
        self._steps, self._threads = steps, threads

    def run(self) -> float:
        """So many steps; their mean loss."""
        import torch

        torch.set_num_threads(self._threads)
        losses = []
        for _ in range(self._steps):
            xs, targets = (torch.from_numpy(array) for array in adding(self._rng))
            self._optimizer.zero_grad()
            outputs = self._readout(self._recurrent(xs)[0][:, -1])
            loss = torch.nn.functional.mse_loss(outputs, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._parameters, CLIP)
            self._optimizer.step()
            losses.append(loss.item())
        return float(np.mean(losses))


class FlaxLoop:
    """The loop of the Flax tutorials: `nnx.jit`, `nnx.Optimizer`, `nnx.RNN`.

    Losses are read back when the run is over, so that drawing data overlaps with the steps.

    Args:
        cell: what is trained.
        steps: of a run.
    """

    def __init__(self, cell: Cell, steps: int):
        import optax
        from flax import nnx
        from flax_layers import KINDS

        kind = KINDS[cell][0]

        class Model(nnx.Module):
            def __init__(self, rngs: nnx.Rngs):
                self.recurrent = nnx.RNN(kind(SHAPE.input, SHAPE.hidden, rngs=rngs))
                self.readout = nnx.Linear(SHAPE.hidden, 1, rngs=rngs)

            def __call__(self, xs: Any) -> Any:
                outputs: Any = self.recurrent(xs)
                return self.readout(outputs[:, -1])

        @nnx.jit
        def train_step(model: Any, optimizer: Any, xs: Any, targets: Any) -> Any:
            def mean_squared_error(model: Any) -> Any:
                return optax.squared_error(model(xs), targets).mean()

            loss, gradients = nnx.value_and_grad(mean_squared_error)(model)
            optimizer.update(model, gradients)
            return loss

        self._model = Model(nnx.Rngs(0))
        rule = optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(LEARNING_RATE))
        self._optimizer = nnx.Optimizer(self._model, rule, wrt=nnx.Param)
        self._train_step = train_step
        self._rng = np.random.default_rng(0)
        self._steps = steps

    def run(self) -> float:
        """So many steps; their mean loss."""
        losses = [
            self._train_step(self._model, self._optimizer, *adding(self._rng))
            for _ in range(self._steps)
        ]
        return float(np.mean([float(loss) for loss in losses]))


def adding(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A batch of the adding problem: `[B, T, 2]` inputs, values and markers, `[B, 1]` targets."""
    values = rng.random((SHAPE.batch, SHAPE.time), dtype=np.float32)
    first = rng.integers(0, SHAPE.time, SHAPE.batch)
    second = (first + rng.integers(1, SHAPE.time, SHAPE.batch)) % SHAPE.time
    markers = np.zeros_like(values)
    examples = np.arange(SHAPE.batch)
    markers[examples, first] = 1
    markers[examples, second] = 1
    targets = values[examples, first] + values[examples, second]
    return np.stack([values, markers], axis=-1), targets[:, None]
