"""Flax NNX's recurrent modules, with its names, signatures and parameter trees, around our cells.

    from gru_research.adapters import nnx as rnn      # instead of `from flax import nnx as rnn`
    layer = rnn.RNN(rnn.GRUCell(32, 128, rngs=nnx.Rngs(0)))

Differences from Flax 0.12.8: outputs past a row's `seq_lengths` are 0, and a row of length 0 returns its initial carry.
Fused recurrent kernels are orthogonal gate by gate. A zero carry draws no random numbers, so that a module closed over
by a jax transform works. `dtype` is the type of the outputs; a carry that isn't given is float32 or wider. Replace both
the cell and the `RNN`: only together are they fast.
"""

from flax.nnx import Bidirectional, RNNCellBase

from .cells import GRUCell, LSTMCell, OptimizedLSTMCell, SimpleCell
from .recurrence import Recurrence, recurrence
from .rnn import RNN
from .trees import fuse_lstm, split_lstm, with_hidden_bias

__all__ = [
    "RNN",
    "Bidirectional",
    "GRUCell",
    "LSTMCell",
    "OptimizedLSTMCell",
    "RNNCellBase",
    "Recurrence",
    "SimpleCell",
    "fuse_lstm",
    "recurrence",
    "split_lstm",
    "with_hidden_bias",
]
