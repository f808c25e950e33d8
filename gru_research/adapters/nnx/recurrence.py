"""Presents an NNX cell to the analyses, with an initial carry and a step as functions of its state."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from flax import nnx

from gru_research.types import Array, Carry


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """An NNX cell of Flax or of ours for `gru_research.analysis`. `recurrence` makes it."""

    graph: nnx.GraphDef[Any]

    def initial_carry(self, params: Any, batch: Sequence[int]) -> Carry:
        """Returns the initial carry. A random carry is always drawn with the same key."""
        cell: Any = nnx.merge(self.graph, params)
        return cell.initialize_carry((*batch, 1), nnx.Rngs(0))  # it reads only the batch axes of the shape

    def step(self, params: Any, carry: Any, x: Array) -> tuple[Carry, Array]:
        """Returns the new carry and the output `[*batch, H]` for `x [*batch, I]`."""
        cell: Any = nnx.merge(self.graph, params)
        carry, y = cell(carry, x)
        return carry, y


def recurrence(cell: nnx.RNNCellBase) -> tuple[Recurrence, nnx.State]:
    """Returns a cell and its state for the functions of `gru_research.analysis`, which take `(cell, params, inputs)`.

        gradient_flow(*rnn.recurrence(model.rnn.cell), xs)

    Analyses of named gates and interventions need a cell of `gru_research`; `gru_research.adapters.weights` converts
    the weights.

    Raises TypeError if it isn't a cell (such as an `nnx.RNN`), or if its inputs aren't `[*batch, I]`.
    """
    if not isinstance(cell, nnx.RNNCellBase) or cell.num_feature_axes != 1:
        raise TypeError(f"{type(cell).__name__} isn't an NNX cell of inputs [*batch, I]; of an RNN give .cell")
    graph, state = nnx.split(cell)
    return Recurrence(graph), state
