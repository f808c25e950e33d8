"""Recurrent cells: one recurrence a file, behind the contract of `base`."""

from collections.abc import Callable
from typing import Any

from .base import Cell
from .gru import GRU
from .initializers import INITIALIZERS, Constant, GlorotUniform, Identity, Initializer, LecunNormal, Orthogonal, Zeros
from .lstm import LSTM
from .vanilla import VanillaRNN

CELLS: dict[str, Callable[..., Any]] = {"gru": GRU, "lstm": LSTM, "rnn": VanillaRNN}
"""The cells that a config can name; a new one is a frozen dataclass and a line here."""

__all__ = [
    "CELLS",
    "GRU",
    "INITIALIZERS",
    "LSTM",
    "Cell",
    "Constant",
    "GlorotUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "Orthogonal",
    "VanillaRNN",
    "Zeros",
]
