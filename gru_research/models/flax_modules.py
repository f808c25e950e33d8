"""Our own small models made of Flax's parts. Flax takes a second to import, which no other model needs."""

from gru_research.cells import Cell
from gru_research.spec import Spec

from .base import Model


def linen(spec: Spec, cell: Cell, *, embedding_size: int = 64, dropout: float = 0.0) -> Model:
    """A Linen module: an embedding for tokens, a layer, dropout on what the readout reads, and a Dense readout."""
    from .linen import LinenModel, Recurrent

    return LinenModel(Recurrent(spec, cell, embedding_size, dropout))


def nnx(spec: Spec, cell: Cell, *, embedding_size: int = 64, dropout: float = 0.0) -> Model:
    """An NNX module: an embedding for tokens, a layer, dropout on what the readout reads, and a linear readout."""
    from .nnx import NNXModel, Recurrent

    return NNXModel(lambda rngs: Recurrent(spec, cell, embedding_size, dropout, rngs=rngs))
