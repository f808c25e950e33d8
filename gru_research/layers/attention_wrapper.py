"""Wraps a cell with attention: at every step its previous state queries a memory, and the context is an input."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import jax.numpy as jnp

from gru_research.cells import base, dtypes
from gru_research.cells.arguments import split
from gru_research.cells.base import Cell
from gru_research.cells.wrapper import CellWrapper
from gru_research.time_loop.sharding import alike
from gru_research.types import Array, Arrays, Carry, Params, PRNGKey

from .attention import Attention

CONTEXT = "context"
WEIGHTS = "attention weights"


@dataclasses.dataclass(frozen=True)
class AttentionWrapper(CellWrapper):
    """The cell whose inputs are `[x; context]`, with the context that its last h reads (Bahdanau, Cho and Bengio 2015,
    arXiv 1409.0473, section A.2.2), and whose outputs are `[h; context]`.

    Its parameters are `{"cell": ..., "attention": ..., "memory": Memory}`: the memory is among them, as it is the same
    at all steps. The cell's `project` is in the loop, since it needs the context; the memory is projected before.

    Attributes:
      cell: the cell inside; its input has `memory_size` features more than x.
      attention: its scores compare h with the memory.
      memory_size: E, the number of the memory's features.
    """

    parameters_by_row: ClassVar[tuple[str, ...]] = ("memory",)

    attention: Attention
    memory_size: int

    def init(self, key: PRNGKey, input_size: int) -> Params:
        """The parameters without the memory."""
        cell_key, attention_key = split(key)
        return {
            "cell": self.cell.init(cell_key, input_size + self.memory_size),
            "attention": self.attention.init(attention_key, self.cell.hidden_size, self.memory_size),
        }

    def within(self, params: Params, input_size: int) -> tuple[Cell, Params, int]:
        """The cell inside, with its parameters and its input size."""
        return self.cell, params["cell"], input_size + self.memory_size

    def initial_carry(self, params: Params, batch: Sequence[int]) -> Carry:
        return self.cell.initial_carry(params["cell"], batch)

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        del params
        return {"x": x}

    def gates(self, params: Params, carry: Carry, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The cell's gates, "context" and "attention weights"."""
        context, weights = self.attention.apply(params["attention"], self.cell.hidden(carry), params["memory"])
        dtype = dtypes.promoted(p["x"], context)
        (x,) = alike([p["x"].astype(dtype)], context)
        inputs = jnp.concatenate([x, context.astype(dtype)], -1)
        g = self.cell.gates(params["cell"], carry, self.cell.project(params["cell"], inputs), fixed)
        return g | {CONTEXT: context, WEIGHTS: weights}

    def combine(self, carry: Carry, g: Arrays) -> tuple[Carry, Array]:
        inner = {name: a for name, a in g.items() if name not in (CONTEXT, WEIGHTS)}
        carry, y = self.cell.combine(carry, inner)
        dtype = dtypes.promoted(y, g[CONTEXT])
        return carry, jnp.concatenate([y.astype(dtype), g[CONTEXT].astype(dtype)], -1)
