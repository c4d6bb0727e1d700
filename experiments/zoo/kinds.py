"""The architectures of the zoo, by kind, in the order of the menu."""

KINDS = {
    "classic and nonlinear": (
        "rnn irnn lstm gru mgu ugrnn indrnn sru antisymmetric cornn lem exprnn slstm"
    ),
    "diagonal, linear": "qrnn min_gru min_lstm lru s4d s5 rg_lru mamba",
    "matrix state": "linear_attention retnet gla mamba2 mlstm deltanet gated_deltanet kda rwkv7",
    "memory unit": "lmu",
    "not recurrent": "transformer sliding_window tcn",
}
KIND = {model: kind for kind, models in KINDS.items() for model in models.split()}
