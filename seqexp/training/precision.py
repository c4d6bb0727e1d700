"""Products in bfloat16, everything else in float32: a function's matrix products, rewritten."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.layout import Layout, with_layout_constraint
from jax.extend import core

from seqexp.types import Array, SeqexpError

Precision = Literal["float32", "bfloat16"]

PRECISIONS = get_args(Precision)

PRODUCTS = ("dot_general", "conv_general_dilated")
"""JAX's names of the operations that multiply."""
RECURRENT_KERNELS = ("rnn_fwd", "rnn_bwd")
"""Those of cuDNN's recurrent layers, which multiply in float32."""
INSTRUCTIONS = {"AMX": "amx_bf16", "AVX512-BF16": "avx512_bf16"}
"""A processor's for products of bfloat16, the fastest first: their names and Linux's."""

CPUINFO = Path("/proc/cpuinfo")


@cache
def fast_products() -> str | None:
    """By what the devices that train multiply bfloat16: "AMX", "AVX512-BF16", "GPU" or "TPU"; None
    for nothing that is faster than float32."""
    platform = jax.default_backend()
    if platform != "cpu":
        return platform.upper()
    try:
        told = CPUINFO.read_text()
    except OSError:
        return None
    found = re.search(r"^flags\s*:(.*)$", told, re.MULTILINE)
    flags = found[1].split() if found else []
    return next((name for name, flag in INSTRUCTIONS.items() if flag in flags), None)


def with_products_in(
    precision: Precision, function: Callable[..., Any], static: Sequence[int] = ()
) -> Callable[..., Any]:
    """The same function, its matrix products and convolutions taken in a precision.

        x W  ->  float32(sum over k of bfloat16(x_k) * bfloat16(W_k))

    Operands are rounded to bfloat16, which has float32's range and 8 bits of precision; products
    are summed in float32, and results are float32. All else stays as it is: parameters, carries,
    gates, norms, sums, losses. So does a product that asks for `jax.lax.Precision.HIGHEST`, as one
    does in which rounding would change what a layer is, such as a matrix exponential.

    On a processor that has no such products (see `fast_products`) the operands are rounded all the
    same, and multiplied in float32: the same numbers but for the order of sums, and no faster.
    So are, on any CPU, those of convolutions and of products where a side is one row or column.

    The rewritten function is not differentiable: rewrite one that computes gradients already.

    Args:
        precision: "float32" leaves the function alone on a CPU. Elsewhere it asks for products that
            are no less: GPUs would take them in TF32, of 11 bits, unless JAX's setting
            `jax_default_matmul_precision` says what is wanted, which is part of a run's identity.
        function: pure, of pytrees of arrays.
        static: the places of those of its arguments that are no arrays.

    Source:
        Micikevicius et al. 2018, "Mixed precision training", https://arxiv.org/abs/1710.03740;
        Kalamkar et al. 2019, "A study of bfloat16 for deep learning training",
        https://arxiv.org/abs/1905.12322.
    """
    if precision == "float32":
        return _no_less(function)

    @wraps(function)
    def rewritten(*arguments: Any) -> Any:
        trace = jax.make_jaxpr(function, static_argnums=tuple(static), return_shape=True)
        closed, shapes = trace(*arguments)
        arrays = [each for place, each in enumerate(arguments) if place not in static]
        outputs = core.jaxpr_as_fun(_lowered(closed))(*jax.tree.leaves(arrays))
        return jax.tree.unflatten(jax.tree.structure(shapes), outputs)

    return rewritten


def _no_less(function: Callable[..., Any]) -> Callable[..., Any]:
    asked = jax.config.values["jax_default_matmul_precision"]
    if jax.default_backend() == "cpu" or asked is not None:
        return function

    @wraps(function)
    def asking(*arguments: Any) -> Any:
        with jax.default_matmul_precision("highest"):
            return function(*arguments)

    return asking


def _lowered(value: Any) -> Any:
    """A jaxpr with its products in bfloat16; so are those among the parameters of an equation."""
    # From JAX 0.12 on the two are one class, whose consts are kept.
    if isinstance(value, core.Jaxpr):
        return value.replace(eqns=[_equation(eqn) for eqn in value.eqns])
    if isinstance(value, core.ClosedJaxpr):
        return core.ClosedJaxpr(_lowered(value.jaxpr), value.consts)
    if isinstance(value, tuple):
        items = [_lowered(item) for item in value]
        if any(a is not b for a, b in zip(items, value, strict=True)):
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def _equation(eqn: core.JaxprEqn) -> core.JaxprEqn:
    if eqn.primitive.name in RECURRENT_KERNELS:
        raise SeqexpError(
            "trainer.precision=bfloat16 and model.cell.implementation=cudnn, which multiplies in "
            "float32: leave one of them out"
        )
    if eqn.primitive.name not in PRODUCTS:
        return eqn.replace(params={name: _lowered(value) for name, value in eqn.params.items()})
    if not _is_lowered(eqn):
        return eqn

    on_a_cpu = jax.default_backend() == "cpu"
    if fast_products() is None or (on_a_cpu and not _has_matrices(eqn)):
        product = _product(eqn, _rounded)
    else:
        product = _cpu_product(eqn) if on_a_cpu else _product(eqn, _in_bfloat16)
    # Its one equation, a call, takes this one's place.
    (call,) = jax.make_jaxpr(jax.jit(product))(*(atom.aval for atom in eqn.invars)).eqns
    return call.replace(invars=eqn.invars, outvars=eqn.outvars)


def _product(eqn: core.JaxprEqn, lowered: Callable[[Array], Array]) -> Callable[..., Array]:
    """The equation's product of other operands, summed in float32."""

    def product(*operands: Array) -> Array:
        params = {**eqn.params, "preferred_element_type": jnp.float32}
        return eqn.primitive.bind(*map(lowered, operands), **params)

    return product


def _cpu_product(eqn: core.JaxprEqn) -> Callable[..., Array]:
    """A product in bfloat16 as XLA's CPU compiler takes it: `[N, m, k]` times `[N, k, n]` or
    `[N, n, k]`, or the same without the N.

    Others it takes back to float32, or fails when they run (jaxlib 0.10.1 to 0.12.0). It does so
    too where a transpose of the left side or of the result could become a part of the product: so
    all three stand by themselves, and both sides lie in memory row by row. (Of the right side that
    is not needed, but faster.)
    """
    contracted, batch = eqn.params["dimension_numbers"]
    result: Any = eqn.outvars[0].aval

    def product(left: Array, right: Array) -> Array:
        left, _ = _matrices(left, contracted[0], batch[0], is_left=True)
        right, summed = _matrices(right, contracted[1], batch[1], is_left=False)
        many = tuple(range(left.ndim - 2))
        dimensions = ((left.ndim - 1,), (summed,)), (many, many)
        found = lax.dot_general(left, right, dimensions, preferred_element_type=jnp.float32)
        return lax.optimization_barrier(found).reshape(result.shape)

    return product


def _matrices(
    array: Array, contracted: Sequence[int], batch: Sequence[int], is_left: bool
) -> tuple[Array, int]:
    """An operand in bfloat16 as matrices `[N, free, contracted]`, or `[N, contracted, free]` if the
    right one is so already; and which axis is summed."""
    free = [axis for axis in range(array.ndim) if axis not in (*contracted, *batch)]
    by_rows = not is_left and [*batch, *contracted, *free] == list(range(array.ndim))
    groups = (batch, contracted, free) if by_rows else (batch, free, contracted)
    shape = [math.prod(array.shape[axis] for axis in group) for group in groups]
    shape = shape if shape[0] != 1 else shape[1:]
    array = array.astype(jnp.bfloat16).transpose([axis for group in groups for axis in group])
    rows = with_layout_constraint(array.reshape(shape), Layout(tuple(range(len(shape)))))
    return lax.optimization_barrier(rows), len(shape) - (2 if by_rows else 1)


def _in_bfloat16(operand: Array) -> Array:
    return operand.astype(jnp.bfloat16)


def _rounded(operand: Array) -> Array:
    """The same numbers, in float32."""
    return lax.reduce_precision(operand, exponent_bits=8, mantissa_bits=7)


def _has_matrices(eqn: core.JaxprEqn) -> bool:
    """Whether a product is of matrices, and of some, none of them a row or a column."""
    result: Any = eqn.outvars[0].aval
    if eqn.primitive.name != "dot_general" or result.size == 0:
        return False
    contracted, batch = eqn.params["dimension_numbers"]
    sides: list[Any] = [atom.aval for atom in eqn.invars]
    sizes = [
        math.prod(n for axis, n in enumerate(side.shape) if axis not in (*summed, *many))
        for side, summed, many in zip(sides, contracted, batch, strict=True)
    ]
    sizes.append(math.prod(sides[0].shape[axis] for axis in contracted[0]))
    return min(sizes) > 1


def _is_lowered(eqn: core.JaxprEqn) -> bool:
    operands: list[Any] = [atom.aval for atom in eqn.invars]
    floats = all(each.dtype == jnp.float32 for each in operands)
    highest = lax.Precision.HIGHEST
    return floats and eqn.params["precision"] not in (highest, (highest, highest))
