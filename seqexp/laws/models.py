"""Laws of models, built for a task's spec: each says how it is broken, or None where it holds."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqexp.laws.compiling import quick_jit
from seqexp.laws.differences import difference
from seqexp.types import SeqexpError, TaskSpec

STEPS = 6


class Case(NamedTuple):
    """A model and sequences of three lengths, the first of which fills the arrays.

    Attributes:
        model: with parameters that nothing is zero in.
        spec: that it was built for.
        inputs: `[3, T]` tokens or `[3, T, D]` features.
        lengths: `[3]`.
    """

    model: Any
    spec: TaskSpec
    inputs: np.ndarray
    lengths: np.ndarray

    def outputs(self, inputs: Any, lengths: Any = None) -> np.ndarray:
        """Of the model at evaluation, zero where padding is."""
        return _true(self, _evaluate(self.model, inputs, self._or_all(lengths)), lengths)

    def gradients(self, inputs: Any, key: Any = None) -> Any:
        """Of a sum of the true outputs by the parameters."""
        return _gradients(self.model, inputs, self.lengths, self.spec.outputs == "step", key)

    def _or_all(self, lengths: Any) -> Any:
        return self.lengths if lengths is None else lengths


def case(model: Any, spec: TaskSpec, dtype: Any = np.float32) -> Case:
    """Inputs for a model, and parameters that are drawn: zeros would hide mistakes.

    Args:
        model: in form alone (`nnx.eval_shape`); no initializer is compiled.
        spec: that it is built for.
        dtype: of parameters and features.
    """
    rng = np.random.default_rng(0)
    steps = min(STEPS, spec.length)

    def draw(leaf: Any) -> Any:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return np.zeros(leaf.shape, leaf.dtype)
        wide = leaf.shape[0] if len(leaf.shape) > 1 else 4
        return (rng.normal(0, 1, leaf.shape) / np.sqrt(wide)).astype(dtype)

    if spec.inputs == "tokens":
        inputs = rng.integers(0, spec.input_size, (3, steps)).astype(np.int32)
    else:
        inputs = rng.normal(size=(3, steps, spec.input_size)).astype(dtype)
    lengths = np.array([steps, (steps + 1) // 2, 1], np.int32)
    return Case(jax.tree.map(draw, model), spec, inputs, lengths)


def outputs_have_the_form_of_the_spec(of: Case) -> str | None:
    """`[B, C]` or `[B, T, C]`, finite."""
    lead = of.inputs.shape[: 2 if of.spec.outputs == "step" else 1]
    outputs = _evaluate(of.model, of.inputs, of.lengths)
    if outputs.shape != (*lead, of.spec.output_size):
        return f"{list(outputs.shape)}, and the spec asks for {[*lead, of.spec.output_size]}"
    return None if np.isfinite(of.outputs(of.inputs)).all() else "not finite"


def steps_are_the_whole(of: Case) -> str | None:
    """Decoding step by step gives what one pass over the sequence gives."""
    try:
        carry, outputs = of.model.initial_carry(len(of.inputs)), []
        for t in range(of.inputs.shape[1]):
            carry, y = _step(of.model, carry, of.inputs[:, t])
            outputs.append(np.asarray(y))
    except SeqexpError as error:
        return f"a causal task, and the model cannot decode: {error}" if of.spec.causal else None
    full = np.full(len(of.inputs), of.inputs.shape[1], np.int32)
    whole = np.asarray(_evaluate(of.model, of.inputs, full))
    stepped = np.stack(outputs, 1) if of.spec.outputs == "step" else outputs[-1]
    return difference(stepped, whole)


def padding_never_matters(of: Case) -> str | None:
    """What stands in it (NaN, tokens that are none) changes no output."""
    return difference(of.outputs(spoilt(of)), of.outputs(of.inputs))


def a_sequence_alone_is_the_same(of: Case) -> str | None:
    """Alone in its batch and unpadded, or beside longer ones."""
    clean = of.outputs(of.inputs)
    row, length = 1, int(of.lengths[1])
    inputs, lengths = of.inputs[row : row + 1, :length], of.lengths[row : row + 1]
    alone = np.asarray(_evaluate(of.model, inputs, lengths))[0]
    together = clean[row, :length] if of.spec.outputs == "step" else clean[row]
    return difference(together, alone)


def padding_has_no_gradient(of: Case) -> str | None:
    """The gradient of the parameters is finite, and the same whatever stands in padding."""
    return difference(of.gradients(spoilt(of)), of.gradients(of.inputs))


def gradients_are_finite(of: Case) -> str | None:
    """With dropout drawn, and NaN in padding."""
    gradients = of.gradients(spoilt(of), jax.random.key(0))
    for path, leaf in jax.tree.leaves_with_path(gradients):
        if not np.isfinite(leaf).all():
            return f"the gradient of {jax.tree_util.keystr(path)} is not finite"
    return None


def causal_is_causal(of: Case) -> str | None:
    """An output is the same whatever comes later."""
    if not of.spec.causal:
        return None
    before = of.outputs(of.inputs, np.full(3, of.inputs.shape[1], np.int32))
    for t in range(1, of.inputs.shape[1]):
        later = np.array(of.inputs)
        later[:, t:] = (later[:, t:] + 1) % of.spec.input_size if later.ndim == 2 else 7.0
        after = of.outputs(later, np.full(3, of.inputs.shape[1], np.int32))
        if problem := difference(after[:, :t], before[:, :t]):
            return f"outputs before step {t} change with the inputs from there on: {problem}"
    return None


def causal_by_gradient(of: Case) -> str | None:
    """An output of a causal model has no gradient by later inputs; tokens have none."""
    if not of.spec.causal or of.inputs.ndim == 2:
        return None
    middle = of.inputs.shape[1] // 2
    slope = np.asarray(_slope(of.model, of.inputs, middle))
    seen = [t for t in range(of.inputs.shape[1]) if np.any(slope[:, t] != 0)]
    late = [t for t in seen if t > middle]
    return f"the output of step {middle} has a gradient by steps {late}" if late else None


def evaluation_is_deterministic(of: Case) -> str | None:
    """Twice the same numbers, bitwise, and the same dropout from the same key."""
    once, again = (_evaluate(of.model, of.inputs, of.lengths) for _ in range(2))
    if not np.array_equal(once, again, equal_nan=True):
        return "evaluated twice, outputs are not the same"
    key = jax.random.key(1)
    once, again = (of.gradients(of.inputs, key) for _ in range(2))
    same = jax.tree.map(lambda a, b: np.array_equal(a, b, equal_nan=True), once, again)
    return None if all(jax.tree.leaves(same)) else "the same key does not draw the same dropout"


def spoilt(of: Case) -> np.ndarray:
    """The inputs with nonsense in padding."""
    real = np.arange(of.inputs.shape[1]) < of.lengths[:, None]
    if of.inputs.ndim == 2:
        return np.where(real, of.inputs, of.spec.input_size + 99).astype(np.int32)
    return np.where(real[..., None], of.inputs, np.nan).astype(of.inputs.dtype)


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
}


def _true(of: Case, outputs: Any, lengths: Any) -> np.ndarray:
    outputs = np.asarray(outputs)
    if of.spec.outputs != "step":
        return outputs
    lengths = of.lengths if lengths is None else lengths
    return np.where((np.arange(outputs.shape[1]) < lengths[:, None])[..., None], outputs, 0)


@quick_jit
def _evaluate(model: Any, inputs: Any, lengths: Any) -> Any:
    return model(inputs, lengths).outputs


@quick_jit
def _step(model: Any, carry: Any, x: Any) -> Any:
    return model.step(carry, x)


@quick_jit
def _slope(model: Any, inputs: Any, step: Any) -> Any:
    lengths = jnp.full(inputs.shape[0], inputs.shape[1])
    return jax.grad(lambda xs: jnp.sin(model(xs, lengths).outputs[:, step]).sum())(inputs)


def _gradients(model: Any, inputs: Any, lengths: Any, by_step: bool, key: Any) -> Any:
    return _by_parameters(model, inputs, lengths, key, by_step=by_step)


def _sum_of_true(model: Any, inputs: Any, lengths: Any, key: Any, by_step: bool) -> Any:
    outputs = model(inputs, lengths, key).outputs
    if by_step:
        real = jnp.arange(outputs.shape[1]) < lengths[:, None]
        outputs = jnp.where(real[..., None], outputs, 0)
    return jnp.sin(outputs).sum()


_by_parameters = quick_jit(
    lambda model, inputs, lengths, key, by_step: jax.grad(_sum_of_true, allow_int=True)(
        model, inputs, lengths, key, by_step
    ),
    static_argnames="by_step",
)
