"""An inspection: all probes of a level, on the same examples at each step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from threadpoolctl import threadpool_limits

from seqexp.compiling import fast_options
from seqexp.inspection.decay import without_decay
from seqexp.inspection.fixed_batch import COUNTED, first_examples, in_chunks, kept
from seqexp.inspection.health import Figures, warnings
from seqexp.inspection.probe import Probe
from seqexp.inspection.probes import full_probes, light_probes
from seqexp.inspection.settings import Settings
from seqexp.inspection.shown import Spells
from seqexp.inspection.traces import kinds
from seqexp.inspection.training_probe import training_norms_of
from seqexp.training import Experiment, Hyper
from seqexp.types import Batch, SeqexpError, reason

SMALL = 1e9
"""Multiplications of a pass over the examples, parameters times steps, below which it takes longer
to optimize programs than to run them."""


@dataclass(frozen=True)
class Inspection:
    """What is found of a model at a step of training.

    Attributes:
        record: its line in `inspection.jsonl`: step, level, seconds and numbers by name, and where
            there is attention the tokens of the first example's source and answer.
        arrays: by name, on the host.
    """

    record: dict[str, Any]
    arrays: dict[str, np.ndarray]


class Inspector:
    """Inspects models of one make, with whatever parameters; compiles at the first.

    Args:
        experiment: what trains them.
        graphdef: the model without its arrays.
        valid: the validation split, whose first examples are looked at.
        settings: the level, not "off", and how many examples.

    Attributes:
        failed: by probe, how it failed, other than by not being defined; known once compiled.
    """

    def __init__(
        self,
        experiment: Experiment,
        graphdef: nnx.GraphDef,
        valid: Sequence[Batch],
        settings: Settings,
    ) -> None:
        self.settings = settings
        self._experiment = experiment
        self._graphdef = graphdef
        counted = first_examples(valid, max(COUNTED, settings.examples))
        size = min(settings.examples, len(counted.inputs.lengths))
        self._chunks = in_chunks(counted, size)
        self._not_defined: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._programs: dict[str, Any] = {}

    def __call__(
        self,
        params: Any,
        step: int,
        hyper: Hyper,
        optimizer_state: optax.OptState | None = None,
    ) -> Inspection:
        """Inspect the model with these parameters.

        Args:
            params: the state of an nnx module.
            step: of training.
            hyper: of the member.
            optimizer_state: after the step; None where it is not known.
        """
        arguments = params, np.int32(step), hyper.traced(), optimizer_state, self._chunks
        started = time.perf_counter()
        compile_seconds = 0.0
        if not self._programs:
            self._compile(*arguments)
            compile_seconds = time.perf_counter() - started
        found: dict[str, Any] = {}
        # On cores that others use, too, threads of BLAS wait for each other a hundred times longer
        # than a decomposition of this size takes.
        with threadpool_limits(1, "blas"):
            for program in self._programs.values():
                found |= jax.device_get(jax.block_until_ready(program(*arguments)))
        first = jax.tree.map(lambda array: array[0], self._chunks)
        per_step = self._experiment.task.spec.answer == "step"
        arrays = {name: _plain(a) for name, a in {**kept(first, per_step), **found}.items()}
        numbers = {name: float(arrays.pop(name)) for name in list(arrays) if not arrays[name].ndim}
        tokens = self._tokens(first) if "attention" in arrays else None
        record = {
            "step": step,
            "level": self.settings.level,
            "seconds": time.perf_counter() - started - compile_seconds,
            "compile_seconds": compile_seconds,
            "examples": len(first.inputs.lengths),
            **numbers,
            "keeps": self._keeping(params),
            "no_decay": without_decay(numbers),
            "warnings": warnings(_figures(numbers, arrays)),
            "not_defined": dict(self._not_defined),
            **({} if tokens is None else {"attention_tokens": tokens}),
        }
        return Inspection(record, arrays)

    def _compile(self, params: Any, *others: Any) -> None:
        """Compile a program for each probe that is defined, and note why another is not.

        With one for all of them XLA would begin with many at once, and need the memory of all.
        """
        options = self._options(params)
        for name in self._probes(*others):
            asked = jax.jit(partial(self._found, name), compiler_options=options)
            try:
                self._programs[name] = asked.lower(params, *others).compile()
            except SeqexpError as error:
                self._not_defined[name] = reason(error)
            # Whatever a model of somebody else's does to one probe, the others are worth having.
            except Exception as error:
                self.failed[name] = self._not_defined[name] = f"the probe failed: {reason(error)}"

    def _probes(
        self, step: Any, hyper: Hyper, optimizer_state: Any, chunks: Batch
    ) -> dict[str, Probe]:
        task = self._experiment.task
        return {
            **light_probes(task, chunks),
            "gradient_norm": training_norms_of(self._experiment, hyper, step, optimizer_state),
            **(full_probes(task) if self.settings.level == "full" else {}),
        }

    def _found(
        self, name: str, params: Any, step: Any, hyper: Hyper, optimizer_state: Any, chunks: Batch
    ) -> Mapping[str, Any]:
        """What a probe finds. What is not defined of it is noted while it is traced."""
        probe = self._probes(step, hyper, optimizer_state, chunks)[name]
        model = nnx.merge(self._graphdef, params)
        batch = jax.tree.map(lambda array: array[0], chunks)
        found = probe(model, batch, jax.random.key(0))
        self._not_defined |= found.not_defined
        return dict(found.arrays)

    def _tokens(self, batch: Batch) -> tuple[list[str], list[str]] | None:
        """Those of the first example's source and answer; None where a task does not spell them."""
        task = self._experiment.task
        if not isinstance(task, Spells):
            return None
        try:
            source, answer = task.spelled(batch)[0]
            return list(map(str, source)), list(map(str, answer))
        except Exception as error:  # Of somebody else's task: the weights are worth having.
            self._not_defined["attention_tokens"] = f"spelling them failed: {reason(error)}"
            return None

    def _options(self, params: Any) -> dict[str, Any]:
        """How programs are compiled: what is small runs in no time, however it is compiled."""
        sizes = sum(np.size(leaf) for leaf in jax.tree.leaves(params))
        steps = np.prod(self._chunks.inputs.values.shape[1:3])
        if jax.default_backend() == "cpu" and sizes * steps < SMALL:
            return fast_options()
        return {}

    def _keeping(self, params: Any) -> list[str]:
        """The gates that multiply the previous state, as "layer_1/forget"."""
        try:
            found = kinds(nnx.merge(self._graphdef, params))
        except SeqexpError:
            return []
        return [
            f"{layer}/{gate}"
            for layer, gates in found.items()
            for gate, kind in gates.items()
            if kind.keeps
        ]


def _plain(array: Any) -> np.ndarray:
    """An array as it is kept: numbers with fractions in float32, counts in int32."""
    array = np.asarray(array)
    return array.astype(np.int32 if np.issubdtype(array.dtype, np.integer) else np.float32)


def _figures(numbers: Mapping[str, float], arrays: Mapping[str, np.ndarray]) -> Figures:
    """What `warnings` asks for."""

    def of(kind: str) -> dict[str, float]:
        start = f"{kind}/"
        return {n.removeprefix(start): v for n, v in numbers.items() if n.startswith(start)}

    curves = {
        name.removeprefix("gradient_by_lag/"): quartiles[1]
        for name, quartiles in arrays.items()
        if name.startswith("gradient_by_lag/")
    }
    reach = {name: _reach(medians) for name, medians in curves.items()}
    return Figures(of("saturated"), of("dead"), reach, of("update_ratio"))


def _reach(medians: np.ndarray) -> float:
    """The gradient at the largest lag that is known over that at the smallest."""
    known = medians[np.isfinite(medians)]
    return float(known[-1] / known[0]) if len(known) and known[0] > 0 else float("nan")
