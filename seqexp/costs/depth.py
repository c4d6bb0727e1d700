"""Sequential depth: how long a program's longest chain of dependent operations is.

It is the time that the program would take on hardware without limits, in operations: the span of
its work (Blelloch 1996, "Programming parallel algorithms", https://doi.org/10.1145/227234.227246).

    1   for an operation on arrays that `flops` counts: a matrix product, a sum, a tanh, a
        reduction, however large it is, for its elements do not wait for each other (a reduction's
        own rounds are not counted)
    0   for what is free there: moving, comparing and choosing data, integers

A `lax.scan` is as long as the longest chain through all its turns: of n turns it is n times the
longest way from carry to carry where there is one, and a single turn where there is none. An array
is there when all of it is, so a layer over time begins when the one below has ended; that a stack's
layers could follow each other step by step is not in the program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend import core

from seqexp.costs.flops import count_equation
from seqexp.costs.jaxprs import called, result, subjaxprs
from seqexp.types import SeqexpError

_NEVER = -np.inf

_CUDNN = {"rnn_fwd": 7, "rnn_bwd": 8}
"""Operations on the way from one step's carry to the next in cuDNN's LSTM, as in our own scan."""


def sequential_depth(fn: Callable[..., Any], *args: Any) -> int:
    """The longest chain of dependent operations of `fn(*args)`, which is traced and not run.

    Args:
        fn: a function of pytrees of arrays; a gradient of one too.
        args: arrays, or `jax.ShapeDtypeStruct`s in their place.

    Raises:
        SeqexpError: for a `while` loop that computes floats, and for an operation without a rule.

    Example:
        >>> import jax.numpy as jnp
        >>> sequential_depth(lambda x: jnp.tanh(x @ x) + x, jnp.ones((3, 3)))
        3
    """
    return jaxpr_depth(jax.make_jaxpr(fn)(*args))


def jaxpr_depth(closed_jaxpr: core.ClosedJaxpr) -> int:
    """The same of a jaxpr, as `jax.make_jaxpr` gives it."""
    return int(np.max(_ways(closed_jaxpr), initial=0))


def _ways(jaxpr: Any) -> np.ndarray:
    """The longest way from each input to each output: `[1 + inputs, outputs]`.

    Row 0 is the way from the start of the program, for what depends on no input.
    """
    if isinstance(jaxpr, core.ClosedJaxpr):
        jaxpr = jaxpr.jaxpr
    rows = 1 + len(jaxpr.invars)
    start = np.full(rows, _NEVER)
    start[0] = 0
    reached: dict[Any, np.ndarray] = dict.fromkeys(jaxpr.constvars, start)
    for row, var in enumerate(jaxpr.invars, start=1):
        reached[var] = np.full(rows, _NEVER)
        reached[var][row] = 0

    def at(variables: Any) -> np.ndarray:
        columns = [start if isinstance(v, core.Literal) else reached[v] for v in variables]
        return np.stack(columns, 1) if columns else np.empty((rows, 0))

    for eqn in jaxpr.eqns:
        ways = _along(np.column_stack([start, at(eqn.invars)]), _equation(eqn))
        reached |= zip(eqn.outvars, ways.T, strict=True)
    return at(jaxpr.outvars)


def _equation(eqn: core.JaxprEqn) -> np.ndarray:
    """The ways through one equation, as `_ways` has them."""
    name, params = eqn.primitive.name, eqn.params
    match name:
        case "scan":
            return _scan(eqn)
        case "cond":
            branches = np.max([_ways(branch) for branch in params["branches"]], axis=0)
            chosen = np.zeros((1, branches.shape[1]))
            return np.concatenate([branches[:1], chosen, branches[1:]])
        case "while":
            return _while(eqn)
        case "shard_map":
            return _ways(params["jaxpr"])
        case "rnn_fwd" | "rnn_bwd" if params["num_layers"] == 1 and not params["bidirectional"]:
            _, steps, _ = result(eqn).shape
            return _through(eqn, _CUDNN[name] * steps)
    if (jaxpr := called(eqn)) is not None:
        return _ways(jaxpr)
    return _through(eqn, int(count_equation(eqn).total > 0))


def _through(eqn: core.JaxprEqn, operations: int) -> np.ndarray:
    """Every output depends on every input."""
    return np.full((1 + len(eqn.invars), len(eqn.outvars)), float(operations))


def _scan(eqn: core.JaxprEqn) -> np.ndarray:
    """All steps of a scan's body, each step's carry going into the next.

    One turn is a matrix over (max, +), of what is there before it and what after: constants and
    inputs as they were, the new carry, and of the outputs the latest so far.
    """
    jaxpr, turns = eqn.params["jaxpr"], eqn.params["length"]
    body, carries = _ways(jaxpr), _of_one_turn(eqn.outvars, jaxpr.out_avals)
    rows, outputs = body.shape[0], body.shape[1] - carries
    first = 1 + _of_one_turn(eqn.invars, jaxpr.in_avals) - carries
    turn = np.full((rows + outputs, rows + outputs), _NEVER)
    np.fill_diagonal(turn, 0)
    turn[:rows, first : first + carries] = body[:, :carries]
    turn[:rows, rows:] = body[:, carries:]
    through = np.full_like(turn, _NEVER)
    np.fill_diagonal(through, 0)
    while turns:
        if turns % 2:
            through = _along(through, turn)
        turn, turns = _along(turn, turn), turns // 2
    wanted = [*range(first, first + carries), *range(rows, rows + outputs)]
    return through[:rows, wanted]


def _of_one_turn(variables: Any, in_body: Any) -> int:
    """How many of a scan's operands or results its body reads whole, not one slice a step.

    Told by their shapes: jax 0.10 has the numbers of constants and carries among the parameters,
    0.12 has trees in their place.
    """
    return sum(v.aval.ndim == a.ndim for v, a in zip(variables, in_body, strict=True))


def _while(eqn: core.JaxprEqn) -> np.ndarray:
    if any(np.any(_ways(jaxpr) > 0) for jaxpr in subjaxprs(eqn.params)):
        raise SeqexpError(
            "cannot tell the depth of a while loop, whose number of turns is not known: write it "
            "as lax.scan, or as lax.fori_loop between Python integers"
        )
    return _through(eqn, 0)


def _along(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The product over (max, +): the longest way along one and then the other."""
    return np.max(first[:, :, None] + second[None, :, :], axis=1, initial=_NEVER)
