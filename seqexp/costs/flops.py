"""Floating-point operations of a JAX program, counted on its jaxpr.

XLA's own `cost_analysis` counts the body of a loop once, however often it runs; here a `lax.scan`
counts as many times as it runs, and a program that cannot be counted exactly is an error.

    matmul           2 b m n k for a product of [b, m, k] and [b, k, n]; n^2 m for the solution of
                     a triangular system, [n, n] and [n, m]
    conv             2 for each output element and kernel tap, taps that fall on padding included
    elementwise      1 for each output element of an arithmetic operation; for a reduction or a
                     cumulative sum, 1 for each input element; 5 n log2 n for an FFT
    transcendental   1 for each output element of exp, log, tanh, logistic, sqrt, pow, ...

Only floating-point results count. Integers, booleans, comparisons, selection, sorting, indexing,
moving and converting data, and drawing random bits are free. A complex product is 6 (8 inside a
matrix product or convolution, with its addition), any other complex operation 2.

The program is counted as written: what XLA merges or drops is counted, the backward pass of a
gradient is part of its jaxpr, the dearest branch of a `cond` is taken, and the body of a
`shard_map` runs once on each device of the axes that it maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from seqexp.costs.jaxprs import called, operands, result, subjaxprs
from seqexp.types import SeqexpError

_PRODUCTS = frozenset("mul div square integer_pow reduce_prod cumprod scatter-mul".split())
_ELEMENTWISE = frozenset(
    "add add_any sub mul div rem neg abs sign max min clamp floor ceil round nextafter square "
    "integer_pow one_minus_square".split()
)
_TRANSCENDENTAL = frozenset(
    "exp exp2 expm1 log log2 log1p logistic pow sqrt rsqrt cbrt sin cos tan asin acos atan atan2 "
    "sinh cosh tanh asinh acosh atanh erf erfc erf_inv lgamma digamma polygamma igamma igammac "
    "igamma_grad_a bessel_i0e bessel_i1e regularized_incomplete_beta zeta cumlogsumexp".split()
)
_REDUCTIONS = frozenset(
    "reduce_sum reduce_prod reduce_max reduce_min cumsum cumprod cummax cummin psum "
    "psum_invariant unreduced_psum pmax pmin reduce_scatter".split()
)
_SCATTERS = frozenset("scatter-add scatter-sub scatter-mul scatter-max scatter-min".split())
_WINDOWS = frozenset("reduce_window_sum reduce_window_max reduce_window_min".split())
_FREE = frozenset(
    # Moving, shaping and naming data.
    "broadcast_in_dim reshape squeeze transpose rev slice dynamic_slice "
    "dynamic_update_slice gather scatter concatenate stack unstack split pad tile copy "
    "iota empty empty2 convert_element_type bitcast_convert_type reduce_precision real imag conj "
    "complex stop_gradient name optimization_barrier device_put sharding_constraint "
    "layout_constraint dce_sink debug_callback debug_print create_token after_all "
    "platform_index "
    # Comparing, choosing and ordering.
    "eq ne lt le gt ge eq_to lt_to le_to is_finite select_n select_and_gather_add argmax argmin "
    "sort top_k approx_top_k reduce_and reduce_or reduce_xor and or xor not shift_left "
    "shift_right_logical shift_right_arithmetic population_count clz mulhi "
    # Talking between devices.
    "axis_index ppermute pbroadcast all_gather all_gather_invariant all_to_all pvary reshard "
    # Drawing random bits, which is integer work.
    "random_seed random_wrap random_unwrap random_split random_fold_in random_clone random_bits "
    "threefry2x32 threefry4x32 philox2x32 philox4x32 rng_bit_generator rng_uniform "
    "iota_2x32_shape".split()
)


@dataclass(frozen=True)
class Flops:
    """Floating-point operations by kind; the module's docstring says what each counts."""

    matmul: int = 0
    conv: int = 0
    elementwise: int = 0
    transcendental: int = 0

    @property
    def total(self) -> int:
        return self.matmul + self.conv + self.elementwise + self.transcendental

    def __add__(self, other: Flops) -> Flops:
        return Flops(
            self.matmul + other.matmul,
            self.conv + other.conv,
            self.elementwise + other.elementwise,
            self.transcendental + other.transcendental,
        )

    def times(self, n: int) -> Flops:
        """The operations of `n` repetitions."""
        return Flops(n * self.matmul, n * self.conv, n * self.elementwise, n * self.transcendental)


def count(fn: Callable[..., Any], *args: Any) -> Flops:
    """The operations of `fn(*args)`, which is traced and not run.

    Args:
        fn: a function of pytrees of arrays; a gradient of one too.
        args: arrays, or `jax.ShapeDtypeStruct`s in their place.

    Raises:
        SeqexpError: for a `while` loop that computes floats, and for an operation without a rule.

    Example:
        >>> count(jnp.dot, jnp.ones((2, 3)), jnp.ones((3, 5)))
        Flops(matmul=60, conv=0, elementwise=0, transcendental=0)
    """
    return count_jaxpr(jax.make_jaxpr(fn)(*args))


def count_jaxpr(closed_jaxpr: core.ClosedJaxpr) -> Flops:
    """The operations of a jaxpr, as `jax.make_jaxpr` gives it. Raises as `count` does."""
    return _walk(closed_jaxpr)


def _walk(jaxpr: core.Jaxpr | core.ClosedJaxpr) -> Flops:
    return sum((count_equation(eqn) for eqn in jaxpr.eqns), Flops())


def count_equation(eqn: core.JaxprEqn) -> Flops:
    """The operations of one equation of a jaxpr, with all that it calls. Raises as `count` does."""
    name, params = eqn.primitive.name, eqn.params
    match name:
        case "dot_general":
            return Flops(matmul=_dot_general(eqn))
        case "conv_general_dilated":
            return Flops(conv=_convolution(eqn))
        case "triangular_solve":
            matrix, right = operands(eqn)
            return Flops(matmul=_weight(eqn, 4) * right.size * matrix.shape[-1])
        case "select_and_scatter_add":
            return Flops(elementwise=_weight(eqn) * operands(eqn)[0].size)
        case "fft":
            return Flops(elementwise=_fft(eqn))
        case "scan":
            return _walk(params["jaxpr"]).times(params["length"])
        case "cond":
            return max((_walk(branch) for branch in params["branches"]), key=lambda f: f.total)
        case "while":
            return _while(eqn)
        case "shard_map":
            return _walk(params["jaxpr"]).times(_devices(params))
        case "rnn_fwd" | "rnn_bwd" if params["num_layers"] == 1 and not params["bidirectional"]:
            return _cudnn_lstm(eqn)
    if name in _FREE:
        return Flops()
    if name in _ELEMENTWISE:
        return Flops(elementwise=_weight(eqn) * result(eqn).size)
    if name in _TRANSCENDENTAL:
        return Flops(transcendental=_weight(eqn) * result(eqn).size)
    if name in _REDUCTIONS:
        return Flops(elementwise=_weight(eqn) * sum(a.size for a in operands(eqn)))
    if name in _SCATTERS:
        return Flops(elementwise=_weight(eqn) * operands(eqn)[2].size)
    if name in _WINDOWS:
        window = math.prod(params["window_dimensions"])
        return Flops(elementwise=_weight(eqn) * result(eqn).size * window)
    if (jaxpr := called(eqn)) is not None:
        return _walk(jaxpr)
    raise SeqexpError(
        f"cannot count the FLOPs of the operation {name!r}: write the model without it, or add its "
        "rule to seqexp/costs/flops.py"
    )


def _dot_general(eqn: core.JaxprEqn) -> int:
    (contracted, _), _ = eqn.params["dimension_numbers"]
    left = operands(eqn)[0]
    k = math.prod(left.shape[axis] for axis in contracted)
    return _weight(eqn, 4) * 2 * result(eqn).size * k


def _convolution(eqn: core.JaxprEqn) -> int:
    kernel = operands(eqn)[1]
    outputs = kernel.shape[eqn.params["dimension_numbers"].rhs_spec[0]]
    return _weight(eqn, 4) * 2 * result(eqn).size * (kernel.size // outputs)


def _fft(eqn: core.JaxprEqn) -> int:
    # FFTW's convention, http://www.fftw.org/speed/method.html: half of it where one side is real.
    sides = operands(eqn)[0], result(eqn)
    complex_sides = sum(jnp.issubdtype(side.dtype, jnp.complexfloating) for side in sides)
    transformed = max(side.size for side in sides)
    n = math.prod(eqn.params["fft_lengths"])
    return round(2.5 * complex_sides * transformed * math.log2(n))


def _while(eqn: core.JaxprEqn) -> Flops:
    if any(_walk(jaxpr).total for jaxpr in subjaxprs(eqn.params)):
        raise SeqexpError(
            "cannot count the FLOPs of a while loop, whose number of turns is not known: write it "
            "as lax.scan, or as lax.fori_loop between Python integers"
        )
    return Flops()


def _devices(params: dict[str, Any]) -> int:
    # jax 0.11 renamed it.
    axes = params["manual_axes" if "manual_axes" in params else "newly_manual_axes"]
    return math.prod(params["mesh"].shape[axis] for axis in axes)


def _cudnn_lstm(eqn: core.JaxprEqn) -> Flops:
    """One layer as its equations read, the bias one more row of the kernel, as in our own scan.

    The backward pass finds the gates in cuDNN's reserve space, and computes none again.
    """
    batch_size, steps, _ = result(eqn).shape
    rows, units = eqn.params["input_size"] + eqn.params["hidden_size"], eqn.params["hidden_size"]
    states = batch_size * steps * units
    if eqn.primitive.name == "rnn_fwd":
        return Flops(8 * states * (rows + 1), elementwise=8 * states, transcendental=5 * states)
    return Flops(8 * states * (2 * rows + 1), elementwise=23 * states)


def _weight(eqn: core.JaxprEqn, complex_factor: int | None = None) -> int:
    """Real operations for each one of the equation: 0 where the result is no float."""
    dtype = result(eqn).dtype
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return complex_factor or (6 if eqn.primitive.name in _PRODUCTS else 2)
    return int(jnp.issubdtype(dtype, jnp.floating))
