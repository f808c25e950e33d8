"""Layers around cells: frozen descriptions with `init` and `apply`, no arrays of their own."""

from .readout import READOUTS, Embedding, Readout
from .stack import Stack

__all__ = ["READOUTS", "Embedding", "Readout", "Stack"]
