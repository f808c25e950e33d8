"""Layers around cells: frozen descriptions with `init` and `apply`, no arrays of their own."""

from .attention import SCORES, Attention, Bahdanau, Luong, Memory
from .attention_wrapper import AttentionWrapper
from .bidirectional import MERGES, Bidirectional
from .connections import CONNECTIONS
from .noise import Noise, has_cell_state
from .pooling import AttentionPooling
from .readout import READOUTS, Embedding, OneHot, Readout, read_states, real_steps
from .stack import Stack

__all__ = [
    "CONNECTIONS",
    "MERGES",
    "READOUTS",
    "SCORES",
    "Attention",
    "AttentionPooling",
    "AttentionWrapper",
    "Bahdanau",
    "Bidirectional",
    "Embedding",
    "Luong",
    "Memory",
    "Noise",
    "OneHot",
    "Readout",
    "Stack",
    "has_cell_state",
    "read_states",
    "real_steps",
]
