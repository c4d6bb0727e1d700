"""torch's `nn.LSTM`, `nn.GRU` and `nn.RNN`, on a number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from problem import Answer, Problem, Weights, masked
from shapes import Case
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

KINDS = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "RNN": torch.nn.RNN}


class Torch:
    """A case in torch.

    Args:
        problem: what to compute.
        threads: for torch's operations; set anew at each run, as contestants take turns.
        packed: ragged batches as packed sequences, rather than computing on through the padding.
        low: products by `torch.autocast` in bfloat16.
    """

    def __init__(self, problem: Problem, threads: int, packed: bool = True, low: bool = False):
        self.problem = problem
        self._threads, self._low = threads, low
        self._module = build(problem.case, problem.weights)
        self._xs = torch.from_numpy(problem.xs).requires_grad_(problem.case.backward)
        self._lengths = None
        if packed and problem.lengths is not None:
            self._lengths = torch.from_numpy(problem.lengths.astype(np.int64))
        self._cotangent = torch.from_numpy(problem.cotangent)
        self._leaves = [self._xs, *self._module.parameters()]

    def run(self) -> Any:
        """Compute it once."""
        torch.set_num_threads(self._threads)
        if not self.problem.case.backward:
            with torch.inference_mode():
                return self._outputs()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._low):
            outputs = self._outputs().float()
        return outputs.detach(), torch.autograd.grad(outputs, self._leaves, self._cotangent)

    def answer(self) -> Answer:
        """What a run gives."""
        lengths = self.problem.lengths
        if not self.problem.case.backward:
            return Answer(masked(self.run().numpy(), lengths))
        outputs, (by_input, *gradients) = self.run()
        named = dict(zip(dict(self._module.named_parameters()), gradients, strict=True))
        return Answer(
            masked(outputs.numpy(), lengths), by_input.numpy(), read(self.problem.case, named)
        )

    def _outputs(self) -> torch.Tensor:
        if self._lengths is None:
            return self._module(self._xs)[0]
        packed = pack_padded_sequence(
            self._xs, self._lengths, batch_first=True, enforce_sorted=False
        )
        time = self._xs.shape[1]
        return pad_packed_sequence(self._module(packed)[0], batch_first=True, total_length=time)[0]


def build(case: Case, weights: list[list[Weights]]) -> torch.nn.Module:
    """torch's module of a case, with these weights; it keeps its gates in our order."""
    module = KINDS[case.cell](
        case.shape.input,
        case.shape.hidden,
        num_layers=case.layers,
        bidirectional=case.bidirectional,
        batch_first=True,
    )
    for layer, own in enumerate(weights):
        for direction, cell in enumerate(own):
            names = _names(layer, direction)
            # One of torch's two biases is one too many, but for what stands inside the reset.
            inside = np.zeros_like(cell.bias)
            if cell.reset_bias is not None:
                inside[-case.shape.hidden :] = cell.reset_bias
            arrays = cell.input.T, cell.recurrent.T, cell.bias, inside
            for name, array in zip(names, arrays, strict=True):
                module.get_parameter(name).data.copy_(torch.from_numpy(array))
    return module


def read(case: Case, named: dict[str, torch.Tensor]) -> list[list[Weights]]:
    """The gradients of named parameters in our layout."""

    def cell(layer: int, direction: int) -> Weights:
        names = _names(layer, direction)
        by_input, recurrent, bias, inside = (named[name].numpy() for name in names)
        return Weights(
            by_input.T,
            recurrent.T,
            bias,
            inside[-case.shape.hidden :] if case.reset_after else None,
        )

    return [
        [cell(layer, direction) for direction in range(case.directions)]
        for layer in range(case.layers)
    ]


def _names(layer: int, direction: int) -> list[str]:
    end = f"l{layer}" + ("_reverse" if direction else "")
    return [f"{kind}_{end}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
