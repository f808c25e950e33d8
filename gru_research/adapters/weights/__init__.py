"""Weights to and from PyTorch, Keras, Flax, Haiku and Equinox, as plain mappings of arrays.

from gru_research.adapters import weights

params = weights.from_library("torch.GRU", cell, module.state_dict())
state_dict = weights.to_library("torch.GRU", cell, params)

`LAYOUTS` describes the arrays of each library. None of the libraries is imported.
"""

from .convert import from_library, to_library
from .files import load_safetensors, save_safetensors
from .layouts import LAYOUTS, Layout

__all__ = ["LAYOUTS", "Layout", "from_library", "load_safetensors", "save_safetensors", "to_library"]
