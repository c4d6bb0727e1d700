"""What the cells share that are written as their equations alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar

from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Activation, DropoutMasks
from seqexp.recurrences import fused
from seqexp.recurrences.fused import Products, products_of
from seqexp.recurrences.products import affine
from seqexp.recurrences.scan import scan
from seqexp.types import Array, Carry, KeyArray, SeqexpError

Equations = Callable[
    [Any, Array, Any, Products, DropoutMasks], tuple[Any, Mapping[str, Float[Array, "B H"]]]
]
"""`(carry, x W + b, small, products, dropout)` to the new carry, and the activations that are
shown."""


class FusedCell(nnx.Module):
    """A cell by its equations; over time they run as `recurrences.fused` does, or as a plain scan
    of steps for a cell that is not `fused`.

    A cell says its `equations`, and beside the input kernel W and the bias b what they read: the
    `kernels` that multiply something of the carry, and what else is `small`.
    """

    in_features: int
    features: int
    out_features: int
    input_kernel: nnx.Param
    bias: nnx.Param
    given: ClassVar[str] = "h"
    """The part of the carry that is given out."""
    fused: ClassVar[bool] = True
    """False where automatic differentiation of the steps was measured to be as fast or faster."""

    @property
    @abstractmethod
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """The parameters that multiply the previous output or state."""

    @abstractmethod
    def initial_carry(self, batch_size: int) -> Carry:
        """Zeros."""

    @property
    @abstractmethod
    def activation_kinds(self) -> Mapping[str, Activation]:
        """What is known of each activation that the equations show."""

    @abstractmethod
    def equations(self) -> Equations:
        """The step: a function that holds numbers and options, and no arrays."""

    def kernels(self) -> tuple[Float[Array, ...], ...]:
        """What the products of the equations multiply by, in their order; none by default."""
        return ()

    def small(self) -> Any:
        """Other arrays that the equations read, a pytree; none by default."""
        return ()

    def project(self, xs: Float[Array, "*N D"]) -> Float[Array, "*N K"]:
        """What the equations see of the input: x W + b."""
        kernel, bias = self.input_kernel[...], self.bias[...]
        return xs @ kernel + bias if xs.ndim == 2 else affine(xs, kernel, bias)

    def give(self, hs: Float[Array, "*N H"]) -> Float[Array, "*N P"]:
        """The output of the part `given` of the carry: itself by default."""
        return hs

    def output(self, carry: Carry) -> Float[Array, "B P"]:
        """The part of a carry that is given out."""
        return self.give(getattr(carry, self.given))

    def dropout_masks(self, key: KeyArray, batch_size: int, steps: int) -> DropoutMasks:
        """None of its own."""
        return {}

    def activations(self, carry: Carry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """Those of `activation_kinds`, `[B, H]`."""
        return self._advance(carry, self.project(x), {})[1]

    def step(
        self, carry: Carry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[Carry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `[B, P]`."""
        carry, _ = self._advance(carry, self.project(x), dropout or {})
        return carry, self.output(carry)

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: Carry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """All steps, time first: `xs` `[T, B, D]` to `[T, B, P]` and the final carry."""
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        if not self.fused:
            return scan(self.step, carry, xs, mask, dropout or {}, reverse)
        projected = self.project(xs)
        equations, kernels, small = self.equations(), self.kernels(), self.small()
        output = attrgetter(self.given)
        if dropout:

            def advance(carry: Carry, p: Array, dropout: DropoutMasks) -> tuple[Carry, Array]:
                new, _ = equations(carry, p, small, products_of(kernels), dropout)
                return new, output(new)

            hs, carry = scan(advance, carry, projected, mask, dropout, reverse)
        else:
            step = partial(_without_dropout, equations)
            hs, carry = fused.unroll(step, output, kernels, projected, small, carry, mask, reverse)
        return self.give(hs), carry

    def _advance(
        self, carry: Carry, projected: Float[Array, "B K"], dropout: DropoutMasks
    ) -> tuple[Carry, Mapping[str, Array]]:
        products = products_of(self.kernels())
        return self.equations()(carry, projected, self.small(), products, dropout)


def masked(values: Float[Array, "*N H"], dropout: DropoutMasks, name: str) -> Float[Array, "*N H"]:
    """`values` times the dropout mask of that name, if there is one."""
    return values * dropout[name] if name in dropout else values


def refuse_update(cell: str, dropout: DropoutMasks) -> None:
    """Raise SeqexpError if the update is to be dropped of a cell that has none."""
    if "update" in dropout:
        raise SeqexpError(
            f"{cell} writes its whole state anew, so it has no update to drop: "
            "use Variational or Zoneout instead of RecurrentDropout"
        )


def refuse_hidden(cell: str, dropout: DropoutMasks) -> None:
    """Raise SeqexpError if hidden units are to be dropped where they enter no matrix."""
    if "hidden" in dropout:
        raise SeqexpError(
            f"{cell} multiplies no previous output by a matrix, so it has no hidden units to "
            "drop: use hidden_rate=0"
        )


def _without_dropout(
    equations: Equations, carry: Any, projected: Array, small: Any, products: Products
) -> Any:
    return equations(carry, projected, small, products, {})[0]
