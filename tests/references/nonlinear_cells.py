"""Nonlinear recurrent cells, transcribed from their papers in numpy: one sequence, step by step.

Each reads `p`, the parameters by name in the papers' convention of column vectors (W x), inputs
`xs` `[T, D]`, and gives the outputs `[T, H]`.
"""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def mgu(p, xs):
    """Zhou et al. 2016, table 1, equations 7a to 7c."""
    h, hs = np.zeros(len(p["b_f"])), []
    for x in xs:
        f = sigmoid(p["W_f"] @ np.concatenate([h, x]) + p["b_f"])
        candidate = np.tanh(p["W_h"] @ np.concatenate([f * h, x]) + p["b_h"])
        h = (1 - f) * h + f * candidate
        hs.append(h)
    return np.array(hs)


def ugrnn(p, xs):
    """Collins et al. 2017, section 2.1 (UGRNN)."""
    h, hs = np.zeros(len(p["b_c"])), []
    for x in xs:
        c = np.tanh(p["W_ch"] @ h + p["W_cx"] @ x + p["b_c"])
        g = sigmoid(p["W_gh"] @ h + p["W_gx"] @ x + p["b_g"])
        h = g * h + (1 - g) * c
        hs.append(h)
    return np.array(hs)


def indrnn(p, xs):
    """Li et al. 2018, equation 4."""
    h, hs = np.zeros(len(p["b"])), []
    for x in xs:
        h = np.maximum(p["W"] @ x + p["u"] * h + p["b"], 0)
        hs.append(h)
    return np.array(hs)


def sru(p, xs, alpha):
    """Lei et al. 2018, equations 1 to 4, and the scaling of their section 3.2; where the widths
    differ x passes through `W_x`."""
    c, hs = np.zeros(len(p["b_f"])), []
    for x in xs:
        f = sigmoid(p["W_f"] @ x + p["v_f"] * c + p["b_f"])
        r = sigmoid(p["W_r"] @ x + p["v_r"] * c + p["b_r"])
        c = f * c + (1 - f) * (p["W"] @ x)
        through = p["W_x"] @ x if "W_x" in p else x
        hs.append(r * c + (1 - r) * through * alpha)
    return np.array(hs)


def qrnn(p, xs, window):
    """Bradbury et al. 2017, equations 1, 2 and 4: convolutions along time, of steps before alone,
    and fo-pooling. `p["W_z"]` `[window, H, D]` has the present step's weights first."""

    def convolved(W, b):
        earlier = np.concatenate([np.zeros((window - 1, xs.shape[1])), xs])
        return np.array(
            [
                sum(W[lag] @ earlier[t + window - 1 - lag] for lag in range(window)) + b
                for t in range(len(xs))
            ]
        )

    Z = np.tanh(convolved(p["W_z"], p["b_z"]))
    F = sigmoid(convolved(p["W_f"], p["b_f"]))
    O = sigmoid(convolved(p["W_o"], p["b_o"]))  # noqa: E741
    c, hs = np.zeros(len(p["b_z"])), []
    for z, f, o in zip(Z, F, O, strict=True):
        c = f * c + (1 - f) * z
        hs.append(o * c)
    return np.array(hs)


def antisymmetric(p, xs, gated, epsilon, gamma):
    """Chang et al. 2019, equations 10 to 12."""
    M = p["W_h"] - p["W_h"].T - gamma * np.eye(len(p["W_h"]))
    h, hs = np.zeros(len(M)), []
    for x in xs:
        z = sigmoid(M @ h + p["V_z"] @ x + p["b_z"]) if gated else 1
        h = h + epsilon * z * np.tanh(M @ h + p["V_h"] @ x + p["b_h"])
        hs.append(h)
    return np.array(hs)


def cornn(p, xs, dt, gamma, epsilon):
    """Rusch and Mishra 2021, equation 3 with z at n - 1 in the damping."""
    y, z, ys = np.zeros(len(p["b"])), np.zeros(len(p["b"])), []
    for u in xs:
        force = np.tanh(p["W"] @ y + p["W_z"] @ z + p["V"] @ u + p["b"])
        z = z + dt * force - dt * gamma * y - dt * epsilon * z
        y = y + dt * z
        ys.append(y)
    return np.array(ys)


def lem(p, xs, dt):
    """Rusch et al. 2022, equation 3."""
    y, z, ys = np.zeros(len(p["b_1"])), np.zeros(len(p["b_1"])), []
    for u in xs:
        step = dt * sigmoid(p["W_1"] @ y + p["V_1"] @ u + p["b_1"])
        step_bar = dt * sigmoid(p["W_2"] @ y + p["V_2"] @ u + p["b_2"])
        z = (1 - step) * z + step * np.tanh(p["W_z"] @ y + p["V_z"] @ u + p["b_z"])
        y = (1 - step_bar) * y + step_bar * np.tanh(p["W_y"] @ z + p["V_y"] @ u + p["b_y"])
        ys.append(y)
    return np.array(ys)


def exprnn(p, xs):
    """Lezcano-Casado and Martinez-Rubio 2019, equations 1 and 2, with modReLU (Arjovsky et al.
    2016, equation 8): exp of a skew-symmetric matrix by its eigenvectors, which are unitary."""
    values, vectors = np.linalg.eigh(1j * (p["A"] - p["A"].T))
    B = np.real(vectors * np.exp(-1j * values) @ vectors.conj().T)
    h, hs = np.zeros(len(B)), []
    for x in xs:
        u = B @ h + p["T"] @ x
        size = np.abs(u) + p["b"]
        h = np.where(size >= 0, size * np.sign(u), 0)
        hs.append(h)
    return np.array(hs)


def slstm(p, xs, forget):
    """Beck et al. 2024, equations 8 to 14, without the stabilisation of 15 to 17, which changes no
    output; R is a full matrix, zero where the heads do not meet."""
    opened = np.exp if forget == "exponential" else sigmoid
    c = n = h = np.zeros(len(p["b_z"]))
    hs = []
    for x in xs:
        z, i, f, o = (p[f"W_{g}"] @ x + p[f"R_{g}"] @ h + p[f"b_{g}"] for g in "zifo")
        c = opened(f) * c + np.exp(i) * np.tanh(z)
        n = opened(f) * n + np.exp(i)
        h = sigmoid(o) * c / n
        hs.append(h)
    return np.array(hs)
