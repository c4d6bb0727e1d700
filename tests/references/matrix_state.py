"""Layers whose state is a matrix, from their papers: one sequence, one step, one head at a time.

Matrices stand to the right of row vectors, as most of the papers have it; `[heads, D, K]` arrays
hold one matrix a head.
"""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), 1 - 1 / (1 + np.exp(-np.abs(x))))


def swish(x):
    return x * sigmoid(x)


def softplus(x):
    return np.log(1 + np.exp(x))


def layer_norm(x, eps=1e-5):
    return (x - x.mean()) / np.sqrt(x.var() + eps)


def rms_norm(x, eps=1e-5):
    return x / np.sqrt((x**2).mean() + eps)


def l2_norm(x):
    return x / np.sqrt((x**2).sum() + 1e-6)


def causal_convolution(xs, kernel, bias):
    """Depthwise: `xs` `[T, C]`, `kernel` `[width, C]`; the last row meets the present."""
    ys = np.zeros_like(xs)
    for t in range(len(xs)):
        for k in range(len(kernel)):
            past = t - (len(kernel) - 1 - k)
            if past >= 0:
                ys[t] += kernel[k] * xs[past]
    return ys + bias


def linear_attention(xs, W_q, W_k, W_v, W_o):
    """Katharopoulos et al. 2020, equations 16 to 20, with phi of equation 7."""

    def phi(x):
        return np.where(x > 0, x, np.exp(x) - 1) + 1

    heads = []
    for Q, K, V in zip(W_q, W_k, W_v, strict=True):
        s, z, ys = np.zeros((K.shape[1], V.shape[1])), np.zeros(K.shape[1]), []
        for x in xs:
            s = s + np.outer(phi(x @ K), x @ V)
            z = z + phi(x @ K)
            ys.append(phi(x @ Q) @ s / (phi(x @ Q) @ z))
        heads.append(ys)
    return np.concatenate(heads, axis=-1) @ W_o


def rotate(x, place):
    """e^{i n theta} on the pairs (x_j, x_{j + K/2}), theta_j = 10000^(-2j/K)."""
    half = len(x) // 2
    pairs = x[:half] + 1j * x[half:]
    turned = pairs * np.exp(1j * place * 10_000.0 ** (-2 * np.arange(half) / len(x)))
    return np.concatenate([turned.real, turned.imag])


def retention(xs, W_q, W_k, W_v, W_g, W_o, rotary):
    """Sun et al. 2023, equations 6 (recurrent form) and 8; keys over sqrt(d) as in section 2.1."""
    heads = []
    for i, (Q, K, V) in enumerate(zip(W_q, W_k, W_v, strict=True)):
        gamma, S, ys = 1 - 2.0 ** (-5 - i), np.zeros((K.shape[1], V.shape[1])), []
        for n, x in enumerate(xs):
            q, k = x @ Q, x @ K / np.sqrt(K.shape[1])
            if rotary:
                q, k = rotate(q, n), rotate(k, n)
            S = gamma * S + np.outer(k, x @ V)
            ys.append(layer_norm(q @ S))
        heads.append(ys)
    return (swish(xs @ W_g) * np.concatenate(heads, axis=-1)) @ W_o


def gla(xs, W_q, W_k, W_v, decay, W_r, b_r, scale, shift, W_o):
    """Yang et al. 2024, section 4.1 (equation 3, tau = 16) and 4.4; queries over sqrt(K).

    `decay`: W_1 `[D, rank]`, W_2 `[heads, rank, K]` and b `[heads, K]`.
    """
    W_1, W_2, b = decay
    heads = []
    for i, (Q, K, V) in enumerate(zip(W_q, W_k, W_v, strict=True)):
        S, ys = np.zeros((K.shape[1], V.shape[1])), []
        for x in xs:
            alpha = sigmoid(x @ W_1 @ W_2[i] + b[i]) ** (1 / 16)
            S = np.outer(alpha, np.ones(V.shape[1])) * S + np.outer(x @ K, x @ V)
            o = (x @ Q / np.sqrt(K.shape[1])) @ S
            ys.append(layer_norm(o) * scale + shift)
        heads.append(ys)
    return (swish(xs @ W_r + b_r) * np.concatenate(heads, axis=-1)) @ W_o


def mamba2(xs, W, kernel, bias, A_log, dt_bias, D, scale, W_o, heads, state):
    """Dao and Gu 2024: the recurrence of equation 16, and the block of section 7 (figure 6)."""
    inner = len(W_o)
    P = inner // heads
    projected = xs @ W
    z, xBC, r = np.split(projected, [inner, 2 * inner + 2 * state], axis=-1)
    xBC = swish(causal_convolution(xBC, kernel, bias))
    x, B, C = np.split(xBC, [inner, inner + state], axis=-1)
    dt, A = softplus(r + dt_bias), -np.exp(A_log)
    ys = np.zeros((len(xs), inner))
    for h in range(heads):
        own, H = slice(h * P, (h + 1) * P), np.zeros((P, state))
        for t in range(len(xs)):
            H = np.exp(dt[t, h] * A[h]) * H + dt[t, h] * np.outer(x[t, own], B[t])
            ys[t, own] = H @ C[t] + D[h] * x[t, own]
    return np.stack([rms_norm(y) * scale for y in ys * swish(z)]) @ W_o


def delta_inputs(xs, W, kernel, bias, heads, K, V):
    """q, k and v of Yang et al. 2024b, section 3.4: convolution, SiLU, and q, k of length 1.

    Returns:
        `[heads, T, K]`, `[heads, T, K]` and `[heads, T, V]`.
    """
    ys = xs @ W
    if kernel is not None:
        ys = causal_convolution(ys, kernel, bias)
    q, k, v = np.split(swish(ys), [heads * K, 2 * heads * K], axis=-1)
    apart = [np.split(part, heads, axis=-1) for part in (q, k, v)]
    unit = [[np.stack([l2_norm(row) for row in head]) for head in part] for part in apart[:2]]
    return *unit, apart[2]


def delta_net(xs, inputs, W_beta, largest_beta, scale, W_o):
    """Yang et al. 2024b, equation 4 as an update: the old value at k_t out, a mixture in."""
    heads = []
    for h, (q, k, v) in enumerate(zip(*inputs, strict=True)):
        S, ys = np.zeros((v.shape[1], k.shape[1])), []
        for t, x in enumerate(xs):
            beta = largest_beta * sigmoid(x @ W_beta[:, h])
            old = S @ k[t]
            new = beta * v[t] + (1 - beta) * old
            S = S - np.outer(old, k[t]) + np.outer(new, k[t])
            ys.append(rms_norm(S @ q[t]) * scale)
        heads.append(ys)
    return np.concatenate(heads, axis=-1) @ W_o


def gated_delta_net(xs, inputs, W_alpha, W_beta, largest_beta, A_log, dt_bias, W_g, scale, W_o):
    """Yang et al. 2025, equation 10; alpha as in Mamba-2, the gate of section 3.4."""
    heads = []
    for h, (q, k, v) in enumerate(zip(*inputs, strict=True)):
        S, ys = np.zeros((v.shape[1], k.shape[1])), []
        for t, x in enumerate(xs):
            alpha = np.exp(-np.exp(A_log[h]) * softplus(x @ W_alpha[:, h] + dt_bias[h]))
            beta = largest_beta * sigmoid(x @ W_beta[:, h])
            S = S @ (alpha * (np.eye(k.shape[1]) - beta * np.outer(k[t], k[t])))
            S = S + beta * np.outer(v[t], k[t])
            ys.append(rms_norm(S @ q[t]) * scale)
        heads.append(ys)
    return (swish(xs @ W_g) * np.concatenate(heads, axis=-1)) @ W_o


def kimi_delta_attention(xs, inputs, decay, W_beta, gate, scale, W_o):
    """Kimi Linear 2025, equation 1 and section 4 (equations 9 and 10).

    `decay`: W_1, W_2 `[heads, rank, K]`, a `[heads]` and b `[heads, K]`; `gate`: W_3 and W_4.
    """
    W_1, W_2, a, b = decay
    heads = []
    for h, (q, k, v) in enumerate(zip(*inputs, strict=True)):
        S, ys = np.zeros((k.shape[1], v.shape[1])), []
        for t, x in enumerate(xs):
            alpha = np.exp(-np.exp(a[h]) * softplus(x @ W_1 @ W_2[h] + b[h]))
            beta = sigmoid(x @ W_beta[:, h])
            transition = (np.eye(k.shape[1]) - beta * np.outer(k[t], k[t])) @ np.diag(alpha)
            S = transition @ S + beta * np.outer(k[t], v[t])
            ys.append(rms_norm(q[t] @ S) * scale)
        heads.append(ys)
    return (sigmoid(xs @ gate[0] @ gate[1]) * np.concatenate(heads, axis=-1)) @ W_o


def mlstm(xs, q, k, v, gates, forget, o, scale, W_o):
    """Beck et al. 2024, equations 19 to 27, unstabilised; `q`, `k`, `v`, `o` are (W, b) of all
    heads, `[heads, D, K]` and `[heads, K]`; `gates` (w_i, b_i, w_f, b_f), a column a head."""
    w_i, b_i, w_f, b_f = gates
    heads = []
    for h in range(len(scale)):
        (Q, b_q), (K, b_k), (V, b_v), (W_out, b_o) = ((W[h], b[h]) for W, b in (q, k, v, o))
        d = K.shape[1]
        C, n, ys = np.zeros((V.shape[1], d)), np.zeros(d), []
        for x in xs:
            f_tilde = x @ w_f[:, h] + b_f[h]
            i_t = np.exp(x @ w_i[:, h] + b_i[h])
            f_t = np.exp(f_tilde) if forget == "exponential" else sigmoid(f_tilde)
            q_t, k_t, v_t = x @ Q + b_q, (x @ K + b_k) / np.sqrt(d), x @ V + b_v
            C = f_t * C + i_t * np.outer(v_t, k_t)
            n = f_t * n + i_t * k_t
            h_tilde = C @ q_t / max(abs(n @ q_t), 1)
            ys.append(sigmoid(x @ W_out + b_o) * layer_norm(h_tilde) * scale[h])
        heads.append(ys)
    return np.concatenate(heads, axis=-1) @ W_o


def rwkv7(xs, mu, W, decay, rate, gate, xi, alpha, rho, norm, W_o):
    """Peng et al. 2025, section 4.1: token shift, equations 8 to 17 and 22, without value residual.

    `mu` and `W` by the letters r, d, k, v, a, g; `decay` and `rate` (W_1, W_2, b), `gate`
    (W_1, W_2); `xi`, `alpha`, `rho` `[heads, K]`; `norm` (scale, shift) `[heads, K]`.
    """
    heads, K = xi.shape
    states, ys = np.zeros((heads, K, K)), []
    before = np.zeros(xs.shape[1])
    for x in xs:
        mixed = {name: x + (before - x) * share for name, share in mu.items()}
        before = x
        r, k, v = ((mixed[name] @ W[name]).reshape(heads, K) for name in "rkv")
        d = np.tanh(mixed["d"] @ decay[0]) @ decay[1] + decay[2]
        w = np.exp(-np.exp(-0.5) * sigmoid(d)).reshape(heads, K)
        a = sigmoid(mixed["a"] @ rate[0] @ rate[1] + rate[2]).reshape(heads, K)
        g = sigmoid(mixed["g"] @ gate[0]) @ gate[1]
        out = []
        for h in range(heads):
            removal = l2_norm(k[h] * xi[h])
            replacement = k[h] * (1 + (a[h] - 1) * alpha[h])
            transition = np.diag(w[h]) - np.outer(removal, a[h] * removal)
            states[h] = states[h] @ transition + np.outer(v[h], replacement)
            p = layer_norm(states[h] @ r[h], 64e-5) * norm[0][h] + norm[1][h]
            out.append(p + (r[h] @ (rho[h] * replacement)) * v[h])
        ys.append((g * np.concatenate(out)) @ W_o)
    return np.stack(ys)


def rwkv7_channel_mixing(xs, mu, W_k, W_v):
    """Peng et al. 2025, section 4.2: relu squared of a mixture with the step before."""
    before = np.concatenate([np.zeros_like(xs[:1]), xs[:-1]])
    return np.maximum((xs + (before - xs) * mu) @ W_k, 0) ** 2 @ W_v
