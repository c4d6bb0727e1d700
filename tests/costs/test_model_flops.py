"""FLOPs of a model's equations: closed forms for every cell, option and wrapper, and for models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM, Elman
from seqexp.cells.prepared import prepared
from seqexp.costs import Flops, count, model_flops
from seqexp.costs.model_flops import TRAINING
from seqexp.layers import Zoneout
from seqexp.models import SequenceModel
from seqexp.types import Features, Prediction, TaskSpec, Tokens
from tests.variants import OPTIONS, WRAPPERS, cell_classes, wrapped_cells

D, H, T = 3, 4, 5


def elman(D: int, H: int, activation: str = "tanh", **starts: Any) -> Flops:
    """h = f(x W + h U + b)"""
    tanh = activation == "tanh"
    return Flops(
        matmul=2 * (D + H) * H, elementwise=(2 if tanh else 3) * H, transcendental=tanh * H
    )


def lstm(
    D: int,
    H: int,
    peepholes: bool = False,
    coupled: bool = False,
    layer_norm: bool = False,
    projection: int | None = None,
) -> Flops:
    """i, f, g, o = x W + h U + b; c = f c + i g; h = o tanh(c), and what its options add."""
    gates, P = 3 if coupled else 4, projection or H
    matmul = 2 * (D + P) * gates * H
    elementwise, transcendental = 2 * gates * H + 3 * H + H, (gates + 1) * H
    if coupled:  # 1 - i
        elementwise += H
    if peepholes:  # one product and one sum of i, f and o
        elementwise += 2 * (gates - 1) * H
    if layer_norm:
        elementwise += 2 * (norm(gates * H) + gates * H) + norm(H) + 2 * H
        transcendental += 3
    if projection:
        matmul += 2 * H * projection
    return Flops(matmul, elementwise=elementwise, transcendental=transcendental)


def norm(n: int) -> int:
    """Mean (n + 1), difference (n), square (n), mean (n + 1), epsilon (1), quotient (n)."""
    return 5 * n + 3


def gru(D: int, H: int, reset: str = "before") -> Flops:
    """r, z and n, then h = z h + (1 - z) n; "after" has a bias more."""
    return Flops(
        matmul=2 * (D + H) * 3 * H,
        elementwise=(3 + 3 + 1 + 4 + (reset == "after")) * H,
        transcendental=3 * H,
    )


def of_units(D: int, H: int, inputs: int, states: int, elementwise: int, transcendental: int):
    """A cell of so many input and recurrent kernels `[D, H]` and `[H, H]`, and operations a unit;
    of these one is the bias of each input kernel."""
    return Flops(
        matmul=2 * (D * inputs + H * states) * H,
        elementwise=(inputs + elementwise) * H,
        transcendental=transcendental * H,
    )


def mgu(D: int, H: int) -> Flops:
    """Two sums with h U, f h, 1 - f, and the new h."""
    return of_units(D, H, 2, 2, elementwise=2 + 1 + 1 + 3, transcendental=2)


def ugrnn(D: int, H: int) -> Flops:
    """Two sums with h U, 1 - g, and the new h."""
    return of_units(D, H, 2, 2, elementwise=2 + 1 + 3, transcendental=2)


def indrnn(D: int, H: int) -> Flops:
    """u within two limits, which the gradient passes (a difference and a sum), u h, the sum, and
    relu."""
    return of_units(D, H, 1, 0, elementwise=2 + 2 + 1 + 1 + 1, transcendental=0)


def sru(D: int, H: int) -> Flops:
    """a x, v c twice and its sums, 1 - f and 1 - r, and the new c and h; x by a kernel of its
    own."""
    return of_units(D, H, 4, 0, elementwise=1 + 4 + 2 + 6, transcendental=2)


def qrnn(D: int, H: int, window: int = 2) -> Flops:
    """1 - f, the new c, and o c."""
    return of_units(window * D, H, 3, 0, elementwise=1 + 3 + 1, transcendental=3)


def antisymmetric(D: int, H: int, gated: bool = False) -> Flops:
    """Sums with h M, which z shares, z of the candidate, eps, and the new h."""
    gates = 1 + gated
    elementwise = gates + gated + 1 + 1
    return of_units(D, H, gates, 1, elementwise=elementwise, transcendental=gates)


def cornn(D: int, H: int) -> Flops:
    """The sum with (y, z) U, gamma y, eps z, two differences, dt and the sum; dt z and the sum."""
    return of_units(D, H, 1, 2, elementwise=1 + 2 + 2 + 2 + 2, transcendental=1)


def lem(D: int, H: int) -> Flops:
    """Four sums with products, dt of both gates, 1 - d and 1 - e, and the new z and y."""
    return of_units(D, H, 4, 4, elementwise=4 + 2 + 2 + 6, transcendental=4)


def exprnn(D: int, H: int) -> Flops:
    """The sum with h B, no bias but that of modReLU: sign, absolute value, sum, relu, product."""
    return of_units(D, H, 1, 1, elementwise=1 + 5 - 1, transcendental=0)


def slstm(D: int, P: int, heads: int = 4, forget: str = "sigmoid") -> Flops:
    """Four sums with h R, log f + m, the largest, i - m and its exponential, log f + m - m and
    its, the new c and n, c / n, and its product with o.

    log sigmoid(f) is -log(exp(-f) + exp(0)), where log(exp(a) + exp(b)) is max(a, b) +
    log1p(exp(-|a - b|)), and a + b where their difference is not a number.
    """
    units = -(-P // heads)
    H = heads * units
    step = of_units(D, H, 4, 0, elementwise=4 + 1 + 1 + 2 + 3 + 2 + 2, transcendental=4)
    log_sigmoid = Flops(elementwise=8 * H, transcendental=2 * H)
    projection = Flops(2 * H * P) if H != P else Flops()
    recurrent = Flops(2 * heads * units * 4 * units)
    return step + recurrent + projection + (log_sigmoid if forget == "sigmoid" else Flops())


def lmu(D: int, H: int, N: int = 32) -> Flops:
    """u = x e_x + h e_h + m e_m; m = A m + B u; h = tanh(x W_x + h W_h + m W_m)"""
    return Flops(
        matmul=2 * (D + H + N) * (H + 1) + 2 * N * N,
        elementwise=2 + 2 * N + 2 * H,
        transcendental=H,
    )


FORMS: dict[str, Callable[..., Flops]] = {
    "Elman": elman,
    "LSTM": lstm,
    "GRU": gru,
    "MGU": mgu,
    "UGRNN": ugrnn,
    "IndRNN": indrnn,
    "SRU": sru,
    "QRNN": qrnn,
    "AntisymmetricRNN": antisymmetric,
    "CoRNN": cornn,
    "LEM": lem,
    "ExpRNN": exprnn,
    "SLSTM": slstm,
    "LMU": lmu,
}

VARIANTS = [(name, options) for name in cell_classes() for options in [{}, *OPTIONS.get(name, [])]]


def abstract(make: Callable[[], Any]) -> tuple[nnx.GraphDef, Any, Any]:
    """A cell's graph, the shapes of its arrays, and those of one sequence's carry."""
    cell = nnx.eval_shape(lambda: prepared(make()))
    graph, state = nnx.split(cell)
    carry = jax.eval_shape(lambda state: nnx.merge(graph, state).initial_carry(1), state)
    return graph, state, carry


def counted_step(make: Callable[[], Any]) -> Flops:
    graph, state, carry = abstract(make)
    x = jax.ShapeDtypeStruct((1, D), jnp.float32)
    return count(lambda state, carry, x: nnx.merge(graph, state).step(carry, x), state, carry, x)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
def test_a_step_is_its_closed_form(name, options):
    kind = cell_classes()[name]
    expected = FORMS[name](D, H, **options)
    assert counted_step(lambda: kind(D, H, **options, rngs=nnx.Rngs(0))) == expected


@pytest.mark.parametrize("name", wrapped_cells(full=False))
def test_a_wrapper_computes_only_what_it_does_at_evaluation(name):
    """Nothing, but for zoneout: p old + (1 - p) new, of each number in the carry."""
    wrapper, _, bare = name.removesuffix(")").partition("(")
    carry = 2 * H if bare == "LSTM" else H
    zoneout = Flops(elementwise=3 * carry if wrapper in ("Zoneout", "everything") else 0)
    assert counted_step(wrapped_cells(full=False)[name]) == FORMS[bare](D, H) + zoneout
    assert wrapper in [*WRAPPERS, "everything"]


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
def test_training_a_fully_unrolled_program_is_three_times_the_products(name, options):
    kind = cell_classes()[name]
    graph, state, carry = abstract(lambda: kind(D, H, **options, rngs=nnx.Rngs(0)))
    xs = jax.ShapeDtypeStruct((T, 1, D), jnp.float32)

    def loss(state, carry, xs):
        cell, total = nnx.merge(graph, state), 0.0
        for t in range(T):
            carry, y = cell.step(carry, xs[t])
            total += jnp.sum(y**2)
        return total

    trained = count(jax.value_and_grad(loss, (0, 1, 2)), state, carry, xs)
    products = FORMS[name](D, H, **options).matmul
    # The gradient of the LMU's matrix A `[32, 32]`, which is fixed, is not computed.
    fixed = 2 * 32 * 32 if name == "LMU" else 0
    assert trained.matmul == T * (TRAINING * products - fixed)


def built(cell: Any, spec: TaskSpec, **changes: Any) -> SequenceModel:
    settings: dict[str, Any] = {
        "features": H,
        "depth": 1,
        "bidirectional": False,
        "merge": "concat",
        "dropout": 0.3,
        "residual": False,
        "norm": "none",
        "pooling": "last",
    }
    build = partial(SequenceModel, spec, cell=cell, **(settings | changes))
    return nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0)))


TOKENS = TaskSpec(Tokens(7), "step", 2, T, causal=True)
ONE = TaskSpec(Features(D), "sequence", 2, T, causal=False)


def over(spec: TaskSpec, model: SequenceModel, steps: int = T) -> Flops:
    return model_flops(model, spec.example(1, steps))


def readout(width: int, outputs: int = 2) -> Flops:
    return Flops(2 * width * outputs, elementwise=outputs)


def test_a_model_of_tokens_reads_out_at_each_step():
    assert over(TOKENS, built(LSTM, TOKENS)) == (lstm(H, H) + readout(H)).times(T)
    deep = built(GRU, TOKENS, depth=3, embed_features=6)
    assert over(TOKENS, deep) == (gru(6, H) + gru(H, H).times(2) + readout(H)).times(T)


def test_a_model_with_one_answer_reads_out_once():
    assert over(ONE, built(Elman, ONE)) == elman(D, H).times(T) + readout(H)
    mean = Flops(elementwise=T * H + H)
    assert over(ONE, built(Elman, ONE, pooling="mean")) == (
        elman(D, H).times(T) + mean + readout(H)
    )


@pytest.mark.parametrize("remat", [None, 2])
def test_both_directions_and_wrapped_cells_and_checkpoints(remat):
    both = built(LSTM, ONE, bidirectional=True, depth=2, remat=remat)
    layers = lstm(D, H).times(2) + lstm(2 * H, H).times(2)
    assert over(ONE, both) == layers.times(T) + readout(2 * H)
    zoned = built(LSTM, ONE, cell_dropout=partial(Zoneout, rate=0.1), remat=remat)
    zoneout = Flops(elementwise=3 * 2 * H)
    assert over(ONE, zoned) == (lstm(D, H) + zoneout).times(T) + readout(H)


def test_what_a_program_does_beside_the_equations_is_not_in_them():
    """The bias as one more row of a kernel, a sigmoid too many, padding: see recurrences.lstm."""
    graph, state = nnx.split(built(LSTM, ONE))

    def forward(state, inputs):
        return nnx.merge(graph, state)(inputs).outputs

    program = count(forward, state, ONE.example(1, 2 * T).inputs)
    bias_as_row = Flops(2 * 4 * H, elementwise=-4 * H)
    assert program == (lstm(D, H) + bias_as_row + Flops(transcendental=H)).times(2 * T) + (
        readout(H)
    )


def test_a_model_stays_as_it_was():
    model = built(LSTM, TOKENS)
    before = nnx.graphdef(model)
    over(TOKENS, model)
    assert nnx.graphdef(model) == before


def test_a_model_without_cells_is_its_program():
    class Bag(nnx.Module):
        def __init__(self):
            self.readout = nnx.Linear(D, 2, rngs=nnx.Rngs(0))

        def __call__(self, inputs, prefix=None, *, key=None):
            return Prediction(self.readout(inputs.values.sum(1)), ())

        def stepwise(self):
            return self

    assert over(ONE, Bag()) == Flops(elementwise=T * D) + readout(D)  # pyright: ignore
