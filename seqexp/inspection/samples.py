"""The first probe, asked at each evaluation: what a model writes, and answers to a few examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.data.sampled_text import Text
from seqexp.inspection.attention_maps import attention_maps, attention_tokens
from seqexp.inspection.probe import Found, Probe
from seqexp.inspection.shown import (
    LEGEND_SUFFIX,
    Shown,
    Shows,
    Spells,
    shown_decoding,
    shown_examples,
    text_of,
)
from seqexp.training.decoding import decoded, sample_text
from seqexp.training.experiment import Experiment
from seqexp.training.precision import Precision, with_products_in
from seqexp.training.step import SAMPLE, member_key
from seqexp.types import Batch, KeyArray, Model, SeqexpError, Sequences, Task, reason


class Samples(NamedTuple):
    """What is kept of a model at an evaluation, for people to look at.

    Attributes:
        texts: what it wrote, and the task's texts.
        pictures: `[H, W]` from 0, white, to 1, black, by name.
        files: their bytes, by name.
        legends: what is seen in a picture, by its name.
    """

    texts: Sequence[str]
    pictures: Mapping[str, np.ndarray]
    files: Mapping[str, bytes]
    legends: Mapping[str, str]


def written(length: int) -> Probe:
    """The probe of what a model writes: text [U], so many tokens drawn after the inputs of the
    batch, the prompt [1, T]."""

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        prompt = batch.inputs.values[0]
        return Found({"text": sample_text(*nnx.split(model), key, prompt, length)})

    return probe


def answers(task: Task) -> Probe:
    """The probe of what `show` is given: outputs [B, ..., C], decoded [B, U] or [B, U, C] with
    decoded_lengths [B], and attention [B, U, T]."""

    def probe(model: Model, batch: Batch, key: KeyArray) -> Found:
        prediction = model(batch.inputs, batch.prefix)
        arrays = {"outputs": prediction.outputs}
        not_defined: dict[str, str] = {}
        how = shown_decoding(task)
        if how is not None:
            try:
                values, lengths = decoded(task.spec, model, batch, how, key)
                arrays |= {"decoded": values, "decoded_lengths": lengths}
            except SeqexpError as error:
                not_defined["decoded"] = reason(error)
        if prediction.attention is not None:
            arrays["attention"] = prediction.attention
        return Found(arrays, not_defined)

    return probe


class Sampler:
    """Samples from models of one make, with whatever parameters; compiles at the first.

    Args:
        experiment: that trains them.
        graphdef: the model without its arrays.
        valid: the validation split, whose first examples are shown.
    """

    def __init__(
        self, experiment: Experiment, graphdef: nnx.GraphDef, valid: Sequence[Batch]
    ) -> None:
        self._task = task = experiment.task
        self._precision: Precision = experiment.precision
        self._graphdef = graphdef
        self._text, count = text_of(task), shown_examples(task)
        self._probes: dict[str, tuple[Any, Batch]] = {}
        if self._text is not None:
            probe = written(self._text.length)
            self._probes["text"] = self._compiled(probe), _prompt(self._text)
        if count:
            few = jax.tree.map(lambda array: np.asarray(array)[:count], valid[0])
            self._probes["answers"] = self._compiled(answers(task)), few

    def __call__(self, params: Any, seed: Any) -> Samples:
        """The samples of a model; the same for the same parameters and seed.

        Args:
            params: the state of an nnx module.
            seed: of its member, which draws.
        """
        key = member_key(seed, SAMPLE)
        found = {
            name: jax.tree.map(np.asarray, program(params, batch, key))
            for name, (program, batch) in self._probes.items()
        }
        texts = []
        if self._text is not None:
            prompt = self._text.encode(self._text.prompt)
            texts.append(self._text.spell([*prompt, *found["text"]["text"]]))
        shown = self._shown(found["answers"]) if "answers" in found else {}
        said = {name: each for name, each in shown.items() if isinstance(each, str)}
        pictures = {name: each for name, each in shown.items() if isinstance(each, np.ndarray)}
        legends = {
            name: said.pop(name + LEGEND_SUFFIX)
            for name in pictures
            if name + LEGEND_SUFFIX in said
        }
        files = {name: each for name, each in shown.items() if isinstance(each, bytes)}
        return Samples([*texts, *said.values()], pictures, files, legends)

    def _compiled(self, probe: Probe) -> Any:
        def found(params: Any, batch: Batch, key: KeyArray) -> Mapping[str, Any]:
            return dict(probe(nnx.merge(self._graphdef, params), batch, key).arrays)

        return jax.jit(with_products_in(self._precision, found))

    def _shown(self, found: Mapping[str, Any]) -> Shown:
        """What the task shows of the answers, and what the model attended to."""
        task, (_, batch) = self._task, self._probes["answers"]
        assert isinstance(task, Shows)
        generated = None
        if "decoded" in found:
            generated = Sequences(found["decoded"], found["decoded_lengths"])
        shown = task.show(batch, found["outputs"].astype(np.float32), generated)
        if "attention" not in found:
            return shown
        spelled = task.spelled(batch) if isinstance(task, Spells) else ()
        maps = attention_maps(found["attention"], batch)
        return {**shown, **maps, **attention_tokens(spelled)}


def _prompt(text: Text) -> Batch:
    tokens = jnp.asarray(text.encode(text.prompt))[None]
    return Batch(Sequences(tokens, jnp.full(1, tokens.shape[1], jnp.int32)), ())
