"""Presents a linen cell to the analyses, with an initial carry and a step as functions of its variables."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from flax import linen as nn

from gru_research.types import Array, Carry


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """A linen cell of Flax or of ours for `gru_research.analysis`. Its params are the cell's variables.

        gradient_flow(rnn.Recurrence(nn.GRUCell(64)), variables, xs)

    For a cell in a model, give its part of the variables: `{"params": variables["params"]["rnn"]["cell"]}`. Analyses of
    named gates and interventions need a cell of `gru_research`; `gru_research.adapters.weights` converts the weights.

    Raises TypeError if it isn't a cell (such as an `nn.RNN`), or if its inputs aren't `[*batch, I]`.
    """

    cell: nn.RNNCellBase

    def __post_init__(self) -> None:
        if not isinstance(self.cell, nn.RNNCellBase) or self.cell.num_feature_axes != 1:
            raise TypeError(
                f"{type(self.cell).__name__} isn't a linen cell of inputs [*batch, I]; of an RNN give .cell"
            )

    def initial_carry(self, params: Any, batch: Sequence[int]) -> Carry:
        """Returns the initial carry. A random carry is always drawn with the same key."""
        del params  # a linen cell's carry isn't one of its variables
        return self.cell.initialize_carry(jax.random.key(0), (*batch, 1))  # it reads only the batch axes of the shape

    def step(self, params: Any, carry: Any, x: Array) -> tuple[Carry, Array]:
        """Returns the new carry and the output `[*batch, H]` for `x [*batch, I]`."""
        new: Any = self.cell.apply(params, carry, x)
        return new
