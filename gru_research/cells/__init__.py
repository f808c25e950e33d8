"""Recurrent cells: one recurrence a file, behind the contract of `base`."""

from collections.abc import Callable
from typing import Any

from .base import Cell
from .block_gru import BlockGRU
from .gru import GRU
from .initializers import (
    INITIALIZERS,
    Chrono,
    Constant,
    GlorotUniform,
    Identity,
    Initializer,
    LecunNormal,
    Orthogonal,
    Zeros,
)
from .layer_norm import LayerNormGRU, LayerNormLSTM
from .lstm import LSTM
from .mgu import MGU
from .min_gru import MinGRU
from .min_lstm import MinLSTM
from .vanilla import VanillaRNN

CELLS: dict[str, Callable[..., Any]] = {
    "gru": GRU,
    "lstm": LSTM,
    "rnn": VanillaRNN,
    "mgu": MGU,
    "block_gru": BlockGRU,
    "min_gru": MinGRU,
    "min_lstm": MinLSTM,
    "layer_norm_gru": LayerNormGRU,
    "layer_norm_lstm": LayerNormLSTM,
}
"""The cells that a config can name; a new one is a frozen dataclass and a line here."""

__all__ = [
    "CELLS",
    "GRU",
    "INITIALIZERS",
    "LSTM",
    "MGU",
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
    "MinGRU",
    "MinLSTM",
    "Orthogonal",
    "VanillaRNN",
    "Zeros",
]
