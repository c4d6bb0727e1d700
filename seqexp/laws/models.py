"""Laws of models, built for a task's spec: each says how it is broken, or None where it holds."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.compiling import quick_jit
from seqexp.laws.differences import difference
from seqexp.laws.drawing import drawn
from seqexp.training.random_batch import random_batch
from seqexp.types import Batch, Features, SeqexpError, Sequences, TaskSpec

STEPS, ANSWER_STEPS = 6, 5


class Case(NamedTuple):
    """A model and examples of three lengths, the first of which fills the arrays.

    Attributes:
        model: with parameters that nothing is zero in.
        spec: that it was built for.
        batch: of three examples.
    """

    model: Any
    spec: TaskSpec
    batch: Batch

    @property
    def read(self) -> str:
        """What of the batch an output stands at a step of: "inputs", or a free answer's prefix."""
        return "prefix" if self.spec.answer == "free" else "inputs"

    @property
    def by_step(self) -> bool:
        """Whether there is an output a step."""
        return self.spec.answer != "sequence"

    def outputs(self, batch: Batch) -> np.ndarray:
        """Of the model at evaluation, zero where padding is."""
        mask = np.asarray(self.spec.answer_mask(batch))[..., None]
        return np.where(mask, np.asarray(_evaluate(self.model, batch)), 0)

    def gradients(self, batch: Batch, key: Any = None) -> Any:
        """Of a sum of the true outputs by the parameters."""
        return _by_parameters(self.model, self.spec, batch, key)

    def unpadded(self) -> Batch:
        """The same examples, each as long as the arrays."""

        def full(read: Sequences) -> Sequences:
            return read._replace(lengths=np.full_like(read.lengths, read.values.shape[1]))

        return _on_sequences(full, self.batch)


def case(model: Any, spec: TaskSpec, dtype: Any = np.float32) -> Case:
    """A batch for a model, and parameters that are drawn: zeros would hide mistakes.

    Args:
        model: in form alone (`nnx.eval_shape`); no initializer is compiled.
        spec: that it is built for.
        dtype: of parameters and features.
    """
    steps, U = min(STEPS, spec.max_length), min(ANSWER_STEPS, spec.max_answer_length or 0)
    batch = random_batch(
        spec,
        3,
        steps,
        lengths=[steps, (steps + 1) // 2, 1],
        answer_lengths=[U, 1, (U + 1) // 2],
        dtype=dtype,
    )
    if batch.prefix is not None:
        batch = batch._replace(prefix=batch.prefix._replace(values=batch.prefix.values[:, :U]))
    model = drawn(model, np.random.default_rng(0), dtype)
    return Case(model, spec, batch._replace(targets=()))


def outputs_have_the_form_of_the_spec(of: Case) -> str | None:
    """`[B, C]`, `[B, T, C]` or `[B, U, C]`, finite."""
    asked = (*of.spec.answer_shape(of.batch), of.spec.output_size)
    outputs = _evaluate(of.model, of.batch)
    if outputs.shape != asked:
        return f"{list(outputs.shape)}, and the spec asks for {list(asked)}"
    return None if np.isfinite(of.outputs(of.batch)).all() else "not finite"


def steps_are_the_whole(of: Case) -> str | None:
    """Decoding step by step gives what one pass over the sequence gives, also behind a prefill."""
    whole = of.unpadded() if of.read == "inputs" else of.batch
    expected = np.asarray(_evaluate(of.model, whole))
    steps = getattr(whole, of.read).values.shape[1]
    for given in (0, steps // 2) if of.read == "inputs" else (0,):
        try:
            outputs = np.stack(_stepped(of, whole, given), 1)
        except SeqexpError as error:
            must = of.spec.causal or of.spec.answer == "free"
            return f"a causal task, and the model cannot decode: {error}" if must else None
        if not of.by_step:
            outputs, wanted = outputs[:, -1], expected
        elif of.read == "prefix":
            mask = np.asarray(whole.prefix.mask)[..., None]  # type: ignore[union-attr]
            outputs, wanted = np.where(mask, outputs, 0), np.where(mask, expected, 0)
        else:
            wanted = expected[:, given:]
        if problem := difference(outputs, wanted):
            return problem
    return None


def _stepped(of: Case, batch: Batch, given: int) -> list[np.ndarray]:
    """Outputs step by step, behind a prefill of so many steps, or of a free answer's inputs."""
    past, values = batch.inputs, getattr(batch, of.read).values[:, given:]
    if of.read == "inputs":
        lengths = np.full(len(past.values), given, np.int32)
        past = Sequences(past.values[:, : max(1, given)], lengths)  # type: ignore[arg-type]
    carry, outputs = _prefill(of.model, past), []
    for t in range(values.shape[1]):
        carry, y = _step(of.model, carry, values[:, t])
        outputs.append(np.asarray(y))
    return outputs


def padding_never_matters(of: Case) -> str | None:
    """What stands in it (NaN, tokens that are none) changes no output."""
    return difference(of.outputs(spoilt(of)), of.outputs(of.batch))


def a_sequence_alone_is_the_same(of: Case) -> str | None:
    """Alone in its batch and unpadded, or beside longer ones."""
    row = 1

    def cut(read: Sequences) -> Sequences:
        length = int(read.lengths[row])
        return Sequences(read.values[row : row + 1, :length], read.lengths[row : row + 1])

    one = _on_sequences(cut, of.batch)
    alone = of.outputs(one)[0]
    together = of.outputs(of.batch)[row]
    return difference(together[: len(alone)] if of.by_step else together, alone)


def padding_has_no_gradient(of: Case) -> str | None:
    """The gradient of the parameters is finite, and the same whatever stands in padding."""
    return difference(of.gradients(spoilt(of)), of.gradients(of.batch))


def gradients_are_finite(of: Case) -> str | None:
    """With dropout drawn, and NaN in padding."""
    gradients = of.gradients(spoilt(of), jax.random.key(0))
    for path, leaf in jax.tree.leaves_with_path(gradients):
        if not np.isfinite(leaf).all():
            return f"the gradient of {jax.tree_util.keystr(path)} is not finite"
    return None


def causal_is_causal(of: Case) -> str | None:
    """An output is the same whatever comes later, of the inputs or of a free answer."""
    if not of.spec.causal and of.spec.answer != "free":
        return None
    batch = of.unpadded()
    before = of.outputs(batch)
    read = getattr(batch, of.read)
    for t in range(1, read.values.shape[1]):
        later = np.array(read.values)
        size = of.spec.inputs.size if of.read == "inputs" else of.spec.output_size
        later[:, t:] = (later[:, t:] + 1) % size if later.ndim == 2 else 7.0
        after = of.outputs(batch._replace(**{of.read: read._replace(values=later)}))
        if problem := difference(after[:, :t], before[:, :t]):
            return f"outputs before step {t} change with the {of.read} from there on: {problem}"
    return None


def causal_by_gradient(of: Case) -> str | None:
    """An output of a causal model has no gradient by later inputs; tokens have none."""
    if not of.spec.causal or not isinstance(of.spec.inputs, Features):
        return None
    batch = of.unpadded()
    steps = batch.inputs.values.shape[1]
    slope = np.asarray(_slope(of.model, batch, steps // 2))
    late = [t for t in range(steps // 2 + 1, steps) if np.any(slope[:, t] != 0)]
    return f"the output of step {steps // 2} has a gradient by steps {late}" if late else None


def evaluation_is_deterministic(of: Case) -> str | None:
    """Twice the same numbers, bitwise, and the same dropout from the same key."""
    once, again = (_evaluate(of.model, of.batch) for _ in range(2))
    if not np.array_equal(once, again, equal_nan=True):
        return "evaluated twice, outputs are not the same"
    key = jax.random.key(1)
    once, again = (of.gradients(of.batch, key) for _ in range(2))
    same = jax.tree.map(lambda a, b: np.array_equal(a, b, equal_nan=True), once, again)
    return None if all(jax.tree.leaves(same)) else "the same key does not draw the same dropout"


def stepwise_is_the_same(of: Case) -> str | None:
    """The equations alone, of which operations are counted, give what the model gives."""
    found = _evaluate(of.model.stepwise(), of.batch)
    mask = np.asarray(of.spec.answer_mask(of.batch))[..., None]
    return difference(np.where(mask, found, 0), of.outputs(of.batch))


def spoilt(of: Case) -> Batch:
    """The batch with nonsense in padding."""

    def spoil(read: Sequences) -> Sequences:
        values, mask = np.asarray(read.values), np.asarray(read.mask)
        if values.ndim == 2:
            return read._replace(values=np.where(mask, values, 10**6).astype(np.int32))
        nonsense = np.where(mask[..., None], values, np.nan).astype(values.dtype)
        return read._replace(values=nonsense)

    return _on_sequences(spoil, of.batch)


QUICK = {
    "outputs have the form of the spec": outputs_have_the_form_of_the_spec,
    "steps are the whole": steps_are_the_whole,
    "padding never matters": padding_never_matters,
    "causal is causal": causal_is_causal,
}
"""Two or three small programs each."""

LAWS = QUICK | {
    "a sequence alone is the same": a_sequence_alone_is_the_same,
    "causal by gradient": causal_by_gradient,
    "padding has no gradient": padding_has_no_gradient,
    "gradients are finite": gradients_are_finite,
    "evaluation is deterministic": evaluation_is_deterministic,
    "stepwise is the same": stepwise_is_the_same,
}


def _on_sequences(change: Any, batch: Batch) -> Batch:
    prefix = None if batch.prefix is None else change(batch.prefix)
    return batch._replace(inputs=change(batch.inputs), prefix=prefix)


@quick_jit
def _evaluate(model: Any, batch: Batch) -> Any:
    return model(batch.inputs, batch.prefix).outputs


@quick_jit
def _prefill(model: Any, inputs: Sequences) -> Any:
    return model.prefill(inputs)


@quick_jit
def _step(model: Any, carry: Any, x: Any) -> Any:
    return model.step(carry, x)


@quick_jit
def _slope(model: Any, batch: Batch, step: Any) -> Any:
    def output(values: Any) -> Any:
        inputs = batch.inputs._replace(values=values)
        return jnp.sin(model(inputs, batch.prefix).outputs[:, step]).sum()

    return jax.grad(output)(batch.inputs.values)


def _by_parameters(model: Any, spec: TaskSpec, batch: Batch, key: Any) -> Any:
    return _gradient(model, batch, spec.answer_mask(batch), key)


@quick_jit
def _gradient(model: Any, batch: Batch, mask: Any, key: Any) -> Any:
    def true_sum(model: Any) -> Any:
        outputs = model(batch.inputs, batch.prefix, key=key).outputs
        return jnp.sin(jnp.where(mask[..., None], outputs, 0)).sum()

    return jax.grad(true_sum, allow_int=True)(model)
