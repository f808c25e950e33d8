"""Flax linen's recurrent modules, with its names, signatures and parameter trees, around our cells.

    from gru_research.adapters import linen as rnn      # instead of `from flax import linen as rnn`
    layer = rnn.RNN(rnn.GRUCell(128))

Differences from Flax 0.12.8: outputs past a row's `seq_lengths` are 0, and a row of length 0 returns its initial carry.
`dtype` is the type of the outputs; a carry that isn't given is float32 or wider. There is no ConvLSTMCell; Flax's works
in this `RNN`. Replace both the cell and the `RNN`: only together are they fast.
"""

from flax.linen import Bidirectional, RNNCellBase

from .cells import GRUCell, LSTMCell, MGUCell, OptimizedLSTMCell, SimpleCell
from .recurrence import Recurrence
from .rnn import RNN

__all__ = [
    "RNN",
    "Bidirectional",
    "GRUCell",
    "LSTMCell",
    "MGUCell",
    "OptimizedLSTMCell",
    "RNNCellBase",
    "Recurrence",
    "SimpleCell",
]
