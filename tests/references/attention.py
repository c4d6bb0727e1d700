"""Attention as in Vaswani et al. 2017 (eq. 1, section 3.2.2) and Su et al. 2021 (eq. 14)."""

from __future__ import annotations

import numpy as np


def rotation(place, width, theta):
    """Su et al. 2021, eq. 15, with the two numbers of pair i at i and i + width / 2."""
    R = np.zeros((width, width))
    half = width // 2
    for i in range(half):
        angle = place * theta ** (-2 * i / width)
        R[i, i] = R[i + half, i + half] = np.cos(angle)
        R[i, i + half], R[i + half, i] = -np.sin(angle), np.sin(angle)
    return R


def attention(xs, W_q, W_k, W_v, W_o, *, window=None, theta=None):
    """`xs` `[T, D]`; `W_q`, `W_k`, `W_v` `[heads, D, K]`, `W_o` `[heads, K, P]`."""
    T, width = len(xs), W_q.shape[-1]
    ys = np.zeros((T, W_o.shape[-1]))
    for Q, K, V, leave in zip(W_q, W_k, W_v, W_o, strict=True):
        for t in range(T):
            q = xs[t] @ Q
            seen = [s for s in range(t + 1) if window is None or t - s < window]
            scores = []
            for s in seen:
                k = xs[s] @ K
                if theta is not None:
                    score = rotation(t, width, theta) @ q @ (rotation(s, width, theta) @ k)
                else:
                    score = q @ k
                scores.append(score / np.sqrt(width))
            weights = np.exp(scores) / np.sum(np.exp(scores))
            ys[t] += sum(w * (xs[s] @ V) for w, s in zip(weights, seen, strict=True)) @ leave
    return ys
