"""A finished run, loaded back: its model with the best weights, to predict, generate, evaluate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.inspection.shown import text_of
from seqexp.runs import checkpoint
from seqexp.runs.record import read_run
from seqexp.runs.schema import MANIFEST, METRICS, WEIGHTS, Run
from seqexp.runs.store import Damaged, read, read_json
from seqexp.sweeps.model_inputs import checked_inputs, prompt_tokens, require_drawing
from seqexp.sweeps.outcome import shown
from seqexp.sweeps.point import Point
from seqexp.sweeps.recorded_point import (
    recorded_hashes,
    recorded_point,
    refuse_redacted,
    warn_of_other_code,
)
from seqexp.training import Experiment, Program
from seqexp.training.decoding import before_end, best_of_beam, decode, sample_text
from seqexp.training.evaluation import eval_batches
from seqexp.training.mesh import expose_cores, group_mesh, lacks_devices
from seqexp.training.precision import with_products_in
from seqexp.training.settings import refuse_settings
from seqexp.training.step import SAMPLE, build, member_key
from seqexp.types import (
    Batch,
    Beam,
    Model,
    SeqexpError,
    Sequences,
    Task,
    TaskSpec,
)

_log = logging.getLogger(__name__)


class TrainedRun:
    """A run with the weights that were best on validation. See `load_run`.

    Attributes:
        folder: its record.
        run: what stands in its `run.json`: name, config, scores, all that was measured of the best
            weights.
        config: the config it was trained with.
        scores: its metrics on "valid", "test" and what else was held out, by name, as recorded.
        metrics: what training recorded, an evaluation a dict: `pandas.DataFrame(metrics)`.
        step: of training, whose weights these are.
        task: gives data and measures outputs; nothing is loaded before `task.load()`.
        model: an nnx module.
    """

    def __init__(self, folder: Path, run: Run, point: Point, step: int, tree: Any):
        self.folder = folder
        self.run: dict[str, Any] = run.to_json()
        self.config: dict[str, Any] = self.run["config"]
        self.scores: dict[str, dict[str, float]] = {
            **{split: self.run[split] for split in ("valid", "test")},
            **self.run.get("held_out", {}),
        }
        self.metrics = read(folder / METRICS)
        self.step = step
        self._point = point
        self._experiment = point.build()
        self.task: Task = self._experiment.task
        self.model: Model = with_weights(self._experiment, tree, folder)
        self._graphdef, self._params = nnx.split(self.model)
        self._outputs = self._compiled(_outputs, 0)
        self._sample = self._compiled(sample_text, 0, 4)
        self._answer = self._compiled(_answer, 0, 3, 4, 5)

    def __repr__(self) -> str:
        score = self.run["score"]
        return f"<{self.run['name']}: {score['name']} test {shown(score['test'])}, {self.folder}>"

    def _compiled(self, function: Callable[..., Any], *static: int) -> Callable[..., Any]:
        """A function of the model, in the precision in which it was trained."""
        lowered = with_products_in(self._experiment.precision, function, static)
        return jax.jit(lowered, static_argnums=static)

    def predict(self, inputs: Any, lengths: Any = None) -> np.ndarray:
        """The model's outputs: logits or values, as the task measures them.

        Computed in batches of the run's `eval_batch_size`, as training evaluates.

        Args:
            inputs: `[B, T]` tokens or `[B, T, D]` features, right-padded; without B for one
                sequence. T may differ from the task's.
            lengths: `[B]` true lengths, a number for one sequence; None where nothing is padded.

        Returns:
            `[B, C]` outputs, or `[B, T, C]` for a task with an answer a step (what stands beyond a
            length means nothing); without B for one sequence.

        Raises:
            SeqexpError: inputs or lengths are not what the model was built for, or an answer is
                free, which `generate` writes.
        """
        if self.task.spec.answer == "free":
            raise SeqexpError(f"{self.run['task']} has free answers: use generate")
        sequences, alone = checked_inputs(self.task.spec, inputs, lengths)
        parts = [
            self._outputs(self._graphdef, self._params, each.inputs)
            for each in eval_batches([Batch(sequences, ())], self._experiment.eval_batch_size)
        ]
        outputs = np.concatenate([np.asarray(part) for part in parts])[: len(sequences.lengths)]
        return outputs[0] if alone else outputs

    def generate(
        self,
        prompt: Any,
        length: int | None = None,
        *,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> Any:
        """What the model writes: text after a prompt, or a free answer to an input.

        Args:
            prompt: text, or tokens; at least one. For free answers the inputs of one example,
                `[T]` tokens or `[T, D]` features.
            length: how many symbols to draw; None for as many as training's samples have, or as
                the longest answer.
            temperature: divides the logits; 0 always takes the largest. None for 1; where answers
                are free, for the task's own decoding, greedy or by a beam.
            top_k: draw among so many of the likeliest symbols; None for all.
            top_p: draw from the smallest set of them that has this probability; None for all.
            seed: draws; None for the run's own, with which training drew its samples.

        Returns:
            The prompt and what follows: text for text, a list of tokens for tokens. Of a free
            answer its tokens, up to its end.

        Raises:
            SeqexpError: the task is none of writing, or there is a mistake in an argument.
        """
        text, spec = text_of(self.task), self.task.spec
        beam = None
        if spec.answer == "free" and (temperature, top_k, top_p) == (None, None, None):
            temperature = 0.0
            beam = self.task.decoding if isinstance(self.task.decoding, Beam) else None
        how = (1.0 if temperature is None else temperature), top_k, top_p
        if spec.answer == "free":
            length = spec.max_answer_length if length is None else length
            require_drawing(length, *how)
            sequences, alone = checked_inputs(spec, prompt, None)
            if not alone:
                raise SeqexpError("give the inputs of one example, without B")
            model = self._graphdef, self._params
            drawn = self._answer(*model, sequences, length, spec, beam, self._key(seed), *how)
            return np.asarray(drawn.values[0])[: int(drawn.lengths[0])].tolist()
        if text is None:
            raise SeqexpError(
                f"{self.run['name']} can't generate: {self.run['task']} is no task of predicting "
                "the next token (it has no `text`); use predict"
            )
        length = text.length if length is None else length
        require_drawing(length, *how)
        tokens = prompt_tokens(text, prompt)
        drawn = self._sample(
            self._graphdef, self._params, self._key(seed), jnp.asarray(tokens), length, *how
        )
        whole = [*tokens.tolist(), *np.asarray(drawn).tolist()]
        return text.spell(whole) if isinstance(prompt, str) else whole

    def _key(self, seed: int | None) -> Any:
        return member_key(self.run["seed"] if seed is None else seed, SAMPLE)

    def evaluate(self, split: str = "test") -> dict[str, float]:
        """All metrics on a split of the task's data, by the program that training evaluates with.

        On the machine that trained, on as many cores, and by the same code, these are the recorded
        scores, bitwise. A warning tells if JAX was started with a single CPU device: then they may
        differ in the last digits.

        Args:
            split: "valid", "test", or another that was held out.

        Raises:
            SeqexpError: the data is missing, or the split unknown.
        """
        _require_split(split, self.scores)
        refuse_redacted({"task": self.config["task"]}, self.folder)
        recorded: Mapping[str, str] = {}
        with suppress(Damaged):  # Said when it was loaded.
            recorded = recorded_hashes(read_json(self.folder / MANIFEST) or {})
        for name, found in self.task.data_hashes().items():
            if recorded.get(name, found) != found:
                _log.warning("%s: its data has changed since: %s", self.folder, name)
        splits, hypers = self.task.load(), [self._point.hyper]
        _require_split(split, splits.held_out)
        program = Program.of(self._experiment, splits, hypers, group_mesh(1, 1))
        if lacks_devices():
            _log.warning(
                "%s: JAX was started with a single CPU device, on which scores may differ in the "
                "last digits: load the run first, and leave JAX_NUM_CPU_DEVICES unset",
                self.folder,
            )
        params = program.place([self._params])  # type: ignore[list-item]
        return program.evaluate(params, np.asarray([True]), split)[0].metrics


def load_run(folder: Path | str) -> TrainedRun:
    """Load a finished run with the weights that were best on validation; its data isn't needed.

    Where nothing has started JAX yet, each CPU core becomes one of its devices, as in training.

    Args:
        folder: of the run, wherever it lies now: `runs/study/id`.

    Raises:
        SeqexpError: there is no finished run, or its model can't be built or has no weights.

    Warns, in one line, of a run that was made by other code.
    """
    refuse_settings()
    with suppress(RuntimeError):  # JAX has been started.
        expose_cores()
    folder = Path(folder)
    run = read_run(folder)
    if run is None:
        raise SeqexpError(f"no run in {folder}: give the folder of a run, runs/STUDY/ID")
    if run.status == "diverged":
        raise SeqexpError(f"{folder} diverged at step {run.diverged_step}: no weights are kept")
    if run.status != "finished":
        raise SeqexpError(
            f"{folder} is not finished ({run.status}): the command that started it goes on"
        )
    point = recorded_point(folder, run)
    saved = best_weights(folder)
    trained = TrainedRun(folder, run, point, saved.step, saved.tree)
    warn_of_other_code(folder, point.config)
    return trained


def best_weights(folder: Path) -> checkpoint.Checkpoint:
    """The weights of a finished run that were best on validation, and their step.

    Raises:
        SeqexpError: they are missing or damaged.
    """
    path = folder / WEIGHTS
    try:
        return checkpoint.read(path)
    except FileNotFoundError as error:
        raise SeqexpError(f"{path} is missing: rerun=stale trains the run again") from error
    except (OSError, ValueError) as error:
        raise SeqexpError(f"{path} can't be read ({error}): rerun=stale trains it again") from error


def with_weights(experiment: Experiment, tree: Any, folder: Path) -> Any:
    """The model with weights in the place of those that a seed would draw."""
    graphdef, state = nnx.split(nnx.eval_shape(lambda: build(experiment, 0)))
    expected, found = _shapes(nnx.to_pure_dict(state)), _shapes(tree)
    if expected != found:
        other = next(iter(sorted(expected.items() ^ found.items())))[0]
        raise SeqexpError(
            f"{folder}: its weights are not those of the model that its config makes by the code "
            f"of today ({other} differs)"
        )
    nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, tree))
    return nnx.merge(graphdef, state)


def _shapes(tree: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    return {
        "/".join(str(part.key) for part in path): (tuple(leaf.shape), str(leaf.dtype))
        for path, leaf in jax.tree.leaves_with_path(tree)
    }


def _outputs(graphdef: nnx.GraphDef, params: Any, inputs: Sequences) -> Any:
    return nnx.merge(graphdef, params)(inputs).outputs


def _answer(
    graphdef: nnx.GraphDef,
    params: Any,
    inputs: Sequences,
    length: int,
    spec: TaskSpec,
    beam: Beam | None,
    key: Any,
    temperature: Any,
    top_k: Any,
    top_p: Any,
) -> Sequences:
    assert spec.start is not None and spec.end is not None
    model = nnx.merge(graphdef, params)
    if beam is not None:
        return best_of_beam(spec, model, inputs, beam, length)
    how = {"key": key, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    written = decode(model, inputs, jnp.full(1, spec.start), length, **how)
    return before_end(written, spec.end)


def _require_split(split: str, there: Mapping[str, Any]) -> None:
    if split not in there:
        raise SeqexpError(f"split must be {' or '.join(map(repr, there))}, not {split!r}")
