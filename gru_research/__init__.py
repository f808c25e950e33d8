"""Gated recurrence in JAX: GRU, LSTM and vanilla RNN as functions, for use in any model.

import gru_research as gr

cell = gr.GRU(hidden_size=128)
params = cell.init(key, input_size=32)
final_carry, ys = gr.unroll(cell, params, xs)   # xs [B, T, 32] -> ys [B, T, 128]
"""

from .cells import (
    GRU,
    LSTM,
    MGU,
    BlockGRU,
    Cell,
    Chrono,
    Constant,
    GlorotUniform,
    Identity,
    Initializer,
    LayerNormGRU,
    LayerNormLSTM,
    LecunNormal,
    MinGRU,
    MinLSTM,
    Orthogonal,
    VanillaRNN,
    Zeros,
)
from .layers import Bahdanau, Bidirectional, Luong, Noise, Stack
from .time_loop import UnrollOptions, trace, unroll

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "MGU",
    "Bahdanau",
    "Bidirectional",
    "BlockGRU",
    "Cell",
    "Chrono",
    "Constant",
    "GlorotUniform",
    "Identity",
    "Initializer",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LecunNormal",
    "Luong",
    "MinGRU",
    "MinLSTM",
    "Noise",
    "Orthogonal",
    "Stack",
    "UnrollOptions",
    "VanillaRNN",
    "Zeros",
    "__version__",
    "trace",
    "unroll",
]
