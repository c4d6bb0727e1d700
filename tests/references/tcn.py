"""The temporal convolutional network as Bai et al. 2018 write it, section 3.2 to 3.4."""

from __future__ import annotations

import numpy as np


def convolution(xs, kernel, dilation):
    """F(s) = sum_i f(i) x_{s - d i}, their section 3.2, eq. 3; `kernel[i]` is f(K - 1 - i)."""
    ys = np.zeros((len(xs), kernel.shape[-1]))
    for s in range(len(xs)):
        for i in range(len(kernel)):
            if s - dilation * i >= 0:
                ys[s] += xs[s - dilation * i] @ kernel[len(kernel) - 1 - i]
    return ys


def normalised(direction, scale):
    """Salimans and Kingma 2016, eq. 2, for each output."""
    return np.stack(
        [
            scale[p] * direction[..., p] / np.linalg.norm(direction[..., p])
            for p in range(len(scale))
        ],
        axis=-1,
    )


def tcn(xs, directions, scales, biases, project=None):
    """`xs` `[T, D]`; two convolutions a level; `project` maps the first level's input."""
    for level in range(len(directions) // 2):
        ys = xs
        for index in (2 * level, 2 * level + 1):
            kernel = normalised(directions[index], scales[index])
            ys = np.maximum(convolution(ys, kernel, 2**level) + biases[index], 0)
        around = xs if level or project is None else project(xs)
        xs = np.maximum(around + ys, 0)
    return xs
