"""An NNX cell as the analyses take one: a first carry and a step, functions of its state."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from flax import nnx

from gru_research.types import Array, Carry


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """An NNX cell for `gru_research.analysis`, Flax's own or one of ours, made by `recurrence`."""

    graph: nnx.GraphDef[Any]

    def initial_carry(self, params: Any, batch: Sequence[int]) -> Carry:
        """The carry before the first step; where it is drawn, with one key, always the same."""
        cell: Any = nnx.merge(self.graph, params)
        return cell.initialize_carry((*batch, 1), nnx.Rngs(0))  # of the input's shape it reads the batch

    def step(self, params: Any, carry: Any, x: Array) -> tuple[Carry, Array]:
        """The new carry, and the output `[*batch, H]` of `x [*batch, I]`."""
        cell: Any = nnx.merge(self.graph, params)
        carry, y = cell(carry, x)
        return carry, y


def recurrence(cell: nnx.RNNCellBase) -> tuple[Recurrence, nnx.State]:
    """An NNX cell and its state for `gru_research.analysis`, which take `(cell, params, inputs)`.

        gradient_flow(*rnn.recurrence(model.rnn.cell), xs)

    What only our own cells have (gates by name, interventions) takes them with weights brought over by
    `gru_research.adapters.weights`.

    Raises TypeError where it isn't a cell, such as an `nnx.RNN`, or one with other inputs than `[*batch, I]`.
    """
    if not isinstance(cell, nnx.RNNCellBase) or cell.num_feature_axes != 1:
        raise TypeError(f"{type(cell).__name__} isn't an NNX cell of inputs [*batch, I]; of an RNN give .cell")
    graph, state = nnx.split(cell)
    return Recurrence(graph), state
