"""minGRU and minLSTM as Feng et al. 2024 write them, sections 3.1 and 3.2."""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def g(x):
    """Appendix B.1, listing 5: positive and continuous."""
    return np.array([v + 0.5 if v >= 0 else sigmoid(v) for v in x])


def min_gru(xs, W_z, b_z, W_h, b_h, positive):
    """`xs` `[T, D]` to `[T, H]`, from h_0 = 0."""
    h, hs = np.zeros(len(b_z)), []
    for x in xs:
        z = sigmoid(x @ W_z + b_z)
        candidate = x @ W_h + b_h
        candidate = g(candidate) if positive else candidate
        h = (1 - z) * h + z * candidate
        hs.append(h)
    return np.array(hs)


def min_lstm(xs, W_f, b_f, W_i, b_i, W_h, b_h, positive):
    """`xs` `[T, D]` to `[T, H]`, from h_0 = 0, the gates divided by their sum."""
    h, hs = np.zeros(len(b_f)), []
    for x in xs:
        f, i = sigmoid(x @ W_f + b_f), sigmoid(x @ W_i + b_i)
        candidate = x @ W_h + b_h
        candidate = g(candidate) if positive else candidate
        h = f / (f + i) * h + i / (f + i) * candidate
        hs.append(h)
    return np.array(hs)
