"""Drawing a deep model ends, on any number of threads.

jaxlib hands batched QR decompositions to the pool of threads that its programs run on: two of them
at once on a pool of two wait for each other for ever.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import jax
from flax import nnx
from seqexp.cells import LSTM

def draw(key):
    rngs = nnx.Rngs(params=key)
    return [nnx.state(LSTM(200, 200, rngs=rngs)) for _ in range(4)]

draw = jax.jit(draw)
for seed in range(8):
    jax.block_until_ready(draw(jax.random.key(seed)))
"""


@pytest.mark.full
def test_many_deep_models_are_drawn():
    environment = {**os.environ, "NPROC": "2"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, timeout=600)
    assert done.returncode == 0
