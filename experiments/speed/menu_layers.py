"""Every layer of the menu, forward and backward, with the batch split over devices."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from hydra.utils import instantiate
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from omegaconf import OmegaConf
from own_form import Roofline, bytes_of, kept_bytes, roofline, work_of
from shapes import Shape

from seqexp.training.precision import Precision, with_products_in

MENU = Path(__file__).parents[2] / "conf" / "layer"
ALONE = "attention", "rwkv7_channel_mixing"
"""Parts of other layers of the menu."""


def menu() -> list[str]:
    """The names of the layers."""
    return sorted(path.stem for path in MENU.glob("*.yaml") if path.stem not in ALONE)


TURNS = 2
"""Passes of a program: in a loop buffers are there after the first one, as they are in training."""


class Pass:
    """A layer's outputs, and the gradients of its parameters and inputs for random cotangents.

    Args:
        name: of a file in `conf/layer`.
        shape: of the inputs, and the layer's width.
        devices: how many share the batch.
        precision: of its matrix products, both ways.
    """

    def __init__(self, name: str, shape: Shape, devices: int, precision: Precision = "float32"):
        build = instantiate(OmegaConf.load(MENU / f"{name}.yaml"))
        layer = build(shape.input, shape.hidden, rngs=nnx.Rngs(0))
        graph, state = nnx.split(layer)
        # Bare arrays: flattening an nnx state anew at each call would cost Python time.
        self._leaves, tree = jax.tree.flatten(state)
        self.devices = devices
        rng = np.random.default_rng(0)
        sizes = [(shape.time, shape.batch, width) for width in (shape.input, shape.hidden)]
        self._xs, self._cotangent = (rng.normal(size=size).astype(np.float32) for size in sizes)

        def forward(leaves: Any, xs: Any) -> Any:
            return nnx.merge(graph, jax.tree.unflatten(tree, leaves)).unroll(xs)[0]

        def backward(leaves: Any, xs: Any, cotangent: Any) -> Any:
            ys, pull = jax.vjp(forward, leaves, xs)
            return ys, *pull(cotangent)

        self._forward = forward
        self._backward = with_products_in(precision, backward)

    @cached_property
    def run(self) -> Callable[[], Any]:
        """Computes it `TURNS` times, and returns the last one when it is there."""
        mesh = Mesh(np.asarray(jax.local_devices()[: self.devices]), ("batch",))
        everywhere, split = PartitionSpec(), PartitionSpec(None, "batch")

        def compute(leaves: Any, xs: Any, cotangent: Any) -> Any:
            def again(_: Any, found: Any) -> Any:
                # What it begins with depends on the pass before, so that none is left out.
                return self._backward(leaves, xs + 1e-30 * found[2], cotangent)

            zeros = jnp.zeros_like(cotangent), jax.tree.map(jnp.zeros_like, leaves), xs
            ys, dleaves, dxs = jax.lax.fori_loop(0, TURNS, again, zeros)
            return ys, jax.lax.psum(dleaves, "batch"), dxs

        program = jax.jit(
            jax.shard_map(
                compute,
                mesh=mesh,
                in_specs=(everywhere, split, split),
                out_specs=(split, everywhere, split),
                check_vma=False,
            )
        )
        at = [NamedSharding(mesh, spec) for spec in (everywhere, split, split)]
        given = jax.device_put((self._leaves, self._xs, self._cotangent), tuple(at))
        return lambda: jax.block_until_ready(program(*given))

    @property
    def roofline(self) -> Roofline:
        """Of one device, where all are at work."""
        own = slice(self._xs.shape[1] // self.devices)
        xs, cotangent = self._xs[:, own], self._cotangent[:, own]
        work = work_of(self._backward, self._leaves, xs, cotangent)
        ends = jax.eval_shape(self._backward, self._leaves, xs, cotangent)
        size = bytes_of((self._leaves, xs, cotangent, ends))
        size += 2 * kept_bytes(self._forward, self._leaves, xs)
        return roofline(work, size, self.devices)
