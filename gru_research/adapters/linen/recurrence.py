"""A linen cell as the analyses take one: a first carry and a step, functions of its variables."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from flax import linen as nn

from gru_research.types import Array, Carry


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """A linen cell for `gru_research.analysis`, Flax's own or one of ours; its params are the cell's variables.

        gradient_flow(rnn.Recurrence(nn.GRUCell(64)), variables, xs)

    Of a cell within a model, `variables` are its part of them: `{"params": variables["params"]["rnn"]["cell"]}`. What
    only our own cells have (gates by name, interventions) takes them with weights brought over by
    `gru_research.adapters.weights`.

    Raises TypeError where it isn't a cell, such as an `nn.RNN`, or one with other inputs than `[*batch, I]`.
    """

    cell: nn.RNNCellBase

    def __post_init__(self) -> None:
        if not isinstance(self.cell, nn.RNNCellBase) or self.cell.num_feature_axes != 1:
            raise TypeError(
                f"{type(self.cell).__name__} isn't a linen cell of inputs [*batch, I]; of an RNN give .cell"
            )

    def initial_carry(self, params: Any, batch: Sequence[int]) -> Carry:
        """The carry before the first step; where it is drawn, with one key, always the same."""
        del params  # a linen cell's carry is none of its variables
        return self.cell.initialize_carry(jax.random.key(0), (*batch, 1))  # of the input's shape it reads the batch

    def step(self, params: Any, carry: Any, x: Array) -> tuple[Carry, Array]:
        """The new carry, and the output `[*batch, H]` of `x [*batch, I]`."""
        new: Any = self.cell.apply(params, carry, x)
        return new
