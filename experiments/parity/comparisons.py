"""What is compared: each of ours, theirs, the package that has it, and how close they must be."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Comparison(NamedTuple):
    """One of ours beside one of theirs.

    Attributes:
        ours: our class or function.
        theirs: theirs.
        package: what pip calls the package of theirs; the first to be installed beside torch.
        needs: the name under which it is imported.
        module: the file beside this one whose function of the comparison's name makes the pair.
        tolerance: the largest relative difference allowed, in float64 on both sides.
    """

    ours: str
    theirs: str
    package: str
    needs: str
    module: str
    tolerance: float = 1e-11


def _transformers(ours: str, theirs: str, module: str) -> Comparison:
    return Comparison(ours, theirs, "transformers", "transformers", module)


def _fla(ours: str, theirs: str, tolerance: float = 1e-11) -> Comparison:
    package = "flash-linear-attention"
    return Comparison(ours, theirs, package, "fla", "linear_recurrences", tolerance)


COMPARISONS = {
    "mamba": _transformers("Mamba", "MambaMixer", "state_space_models"),
    "mamba2": _transformers("Mamba2", "Mamba2Mixer", "state_space_models"),
    "gated_delta_net": _transformers("GatedDeltaNet", "Qwen3NextGatedDeltaNet", "delta_rules"),
    "kimi_delta_attention": _transformers(
        "KimiDeltaAttention", "KimiLinearDeltaAttention", "delta_rules"
    ),
    "mlstm": _transformers("MLSTM", "xLSTMLayer", "xlstm_layers"),
    "rg_lru": _transformers("RGLRU", "RecurrentGemmaRecurrentBlock", "griffin"),
    "attention": _transformers("Attention", "LlamaAttention", "rotary_attention"),
    "slstm": Comparison("SLSTM", "sLSTMCell_vanilla", "xlstm", "xlstm", "xlstm_layers"),
    # It has exp(-1/2) in six digits, and no epsilon in the length of a key.
    "rwkv7": Comparison("RWKV7", "RWKV_x070_TMix_one", "rwkv", "rwkv", "rwkv_layer", 1e-5),
    "retention": Comparison(
        "Retention", "MultiScaleRetention", "torchscale", "torchscale", "retnet"
    ),
    "min_gru": Comparison("MinGRU", "minGRU", "minGRU-pytorch", "minGRU_pytorch", "minimal_units"),
    "min_lstm": Comparison(
        "MinLSTM", "minLSTM", "minGRU-pytorch", "minGRU_pytorch", "minimal_units"
    ),
    "tcn": Comparison("TCN", "TCN", "pytorch-tcn", "pytorch_tcn", "convolutional"),
    # It adds 1e-10 to the denominator.
    "linear_attention": _fla("LinearAttention", "naive_recurrent_linear_attn", 1e-9),
    "linear_attention_recurrence": _fla("chunked.outer", "naive_recurrent_linear_attn"),
    "retention_recurrence": _fla("chunked.outer", "naive_retention"),
    "head_decay_recurrence": _fla("chunked.outer", "naive_recurrent_simple_gla"),
    "key_decay_recurrence": _fla("chunked.outer", "naive_recurrent_gla"),
    "delta_rule_recurrence": _fla("chunked.delta", "delta_rule_recurrence"),
    "gated_delta_rule_recurrence": _fla("chunked.delta", "naive_recurrent_gated_delta_rule"),
    "kimi_delta_rule_recurrence": _fla("chunked.delta", "naive_recurrent_kda"),
    "low_rank_recurrence": _fla("chunked.low_rank", "dplr_recurrence"),
}
EXTRA = {
    "transformers": ("safetensors",),
    "flash-linear-attention": ("fla-core", "einops"),
    "torchscale": ("fairscale",),
}
"""What some packages need that torch does not bring."""
VERSIONS = "jax", "flax", "numpy", "torch"


def missing(names: Iterable[str]) -> list[str]:
    """The packages to install for these comparisons, as pip calls them."""
    wanted = {"torch": "torch"}
    wanted |= {COMPARISONS[name].needs: COMPARISONS[name].package for name in names}
    absent = [package for needs, package in wanted.items() if not importlib.util.find_spec(needs)]
    return [each for package in absent for each in (package, *EXTRA.get(package, ()))]


def refusal(names: Iterable[str]) -> str | None:
    """Why these comparisons can't be made: one that is not there, or what to install and how."""
    unknown = [name for name in names if name not in COMPARISONS]
    if unknown:
        return f"no comparison {', '.join(unknown)}: there are {', '.join(COMPARISONS)}"
    absent = missing(names)
    if not absent:
        return None
    others = [each for each in absent if each != "torch"]
    commands = ["pip install torch"] if others != absent else []
    commands += [f"pip install --no-deps {' '.join(others)}"] if others else []
    return f"not installed: {' && '.join(commands)}"


def versions(names: Iterable[str]) -> dict[str, str]:
    """Of what these comparisons compute with."""
    packages = sorted({COMPARISONS[name].package for name in names})
    return {name: importlib.metadata.version(name) for name in (*VERSIONS, *packages)}


def maker(name: str) -> Callable[..., Any]:
    """What makes the pair of a comparison, from random numbers and sizes."""
    return getattr(importlib.import_module(COMPARISONS[name].module), name)
