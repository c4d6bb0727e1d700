"""Layers of transformers in its own PyTorch code, whatever packages with kernels are installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import DynamicCache

KERNELS = "causal_conv1d", "fla", "mamba_ssm", "xlstm"
"""Packages whose functions transformers would take in the place of its own."""


@contextmanager
def without(packages: tuple[str, ...]) -> Iterator[None]:
    """Within it these packages cannot be imported."""
    before = {name: sys.modules[name] for name in packages if name in sys.modules}
    blocked: dict[str, Any] = dict.fromkeys(packages)
    sys.modules.update(blocked)
    try:
        yield
    finally:
        for name in packages:
            del sys.modules[name]
        sys.modules.update(before)


with without(KERNELS):
    from transformers.models.kimi_linear.modeling_kimi_linear import KimiLinearDeltaAttention
    from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRotaryEmbedding
    from transformers.models.mamba.modeling_mamba import MambaMixer
    from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer
    from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextGatedDeltaNet
    from transformers.models.recurrent_gemma.modeling_recurrent_gemma import (
        RecurrentGemmaRecurrentBlock,
    )
    from transformers.models.xlstm.modeling_xlstm import xLSTMLayer
    from transformers.utils import logging

# It says once of each function that no kernel is there.
logging.set_verbosity_error()


def with_state(module: nn.Module, config: Any, xs: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and the final state of a layer, which the cache keeps."""
    cache = DynamicCache(config=config)
    ys = module(xs, cache=cache)
    state = cache.get_recurrent_state(0)
    assert state is not None
    return ys, state


__all__ = [
    "KimiLinearDeltaAttention",
    "LlamaAttention",
    "LlamaRotaryEmbedding",
    "Mamba2Mixer",
    "MambaMixer",
    "Qwen3NextGatedDeltaNet",
    "RecurrentGemmaRecurrentBlock",
    "with_state",
    "xLSTMLayer",
]
