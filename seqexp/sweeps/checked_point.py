"""A point that can be trained: built, its data there, its shapes traced, before anything trains."""

from __future__ import annotations

import math
from functools import partial

import jax

from seqexp.costs.counting import training_flops
from seqexp.costs.figures import Figures
from seqexp.sweeps.data import Data
from seqexp.sweeps.point import Point
from seqexp.training import Experiment
from seqexp.training.batches import bucket_shares
from seqexp.training.mesh import (
    AUTO,
    auto_batch_devices,
    devices_at_work,
    group_mesh,
    require_devices,
)
from seqexp.training.program import require_share
from seqexp.training.step import loss_and_sums, outline
from seqexp.types import SeqexpError, first_line


def checked(
    point: Point, members: int, data: Data, job_devices: int | None, traced: bool = False
) -> tuple[Experiment, int]:
    """The experiment of a point, built, its data there, its shapes traced; its batch devices.

    Args:
        point: to be trained.
        members: how many points share the experiment; `auto_batch_devices` asks for it.
        data: that is there.
        job_devices: how many devices a job of an executor has; None to train in this process.
        traced: whether a point was traced that differs in options without effect alone.

    Raises:
        SeqexpError: its config, data or shapes are wrong.
    """
    experiment = point.build()
    splits = data.load(point.config["task"], experiment)
    splits.train.steps_per_epoch(experiment.batch_size)
    devices = point.config["trainer"]["batch_devices"]
    if devices != AUTO:
        if job_devices is None:
            group_mesh(1, devices)
        else:
            has = f"a job has {job_devices} device(s) (executor.cpus, or executor.gpus)"
            require_devices(devices, job_devices, has)
        for bucket in splits.train.buckets(experiment.batch_size):
            require_share(bucket.batch_size, devices)
        if traced:
            return experiment, devices
    try:
        graphdef, state = outline(experiment)
        jax.eval_shape(
            partial(loss_and_sums, experiment, graphdef, key=None),
            state.params,
            batch=splits.held_out["valid"][0],
        )
    except (TypeError, ValueError) as error:
        raise SeqexpError(
            f"{point.model} does not fit {point.task}: {first_line(error)}"
        ) from error
    if devices == AUTO:
        stream, size = splits.train, experiment.batch_size
        buckets = list(bucket_shares(stream, size).items())
        flops = Figures().take("flops", training_flops, experiment, graphdef, state, stream)
        # Without a number of FLOPs nobody knows whether a device would be worth it.
        a_time_step = (flops or 0) / sum(share * bucket.length for bucket, share in buckets)
        sizes = [bucket.batch_size for bucket, _ in buckets]
        there = job_devices or devices_at_work()
        devices = auto_batch_devices(members, math.gcd(*sizes), a_time_step, there)
    return experiment, devices
