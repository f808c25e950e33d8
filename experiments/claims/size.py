"""Claim: a GRU has three quarters of an LSTM's parameters."""

import dataclasses
import math
from typing import Any

import jax

import gru_research as gr
from experiments.claims.context import ClaimContext, WithoutRuns
from gru_research.report.claims.findings import Finding
from gru_research.tables import Column, Table, tabulate
from gru_research.training import nearest_size
from gru_research.training.flops import count_flops

CLAIM = "A GRU has fewer parameters than an LSTM: three quarters of them."
_CELLS = {"GRU": gr.GRU, "LSTM": gr.LSTM, "vanilla RNN": gr.VanillaRNN}
_NEAR = 0.01


@dataclasses.dataclass(frozen=True)
class Size(WithoutRuns):
    """Counts parameters, operations and carry entries of the three cells. Trains nothing.

    Attributes:
      hidden_sizes: the hidden sizes H at which they are counted.
      input_size: I.
    """

    hidden_sizes: tuple[int, ...] = (32, 128, 512)
    input_size: int = 32

    def __post_init__(self) -> None:
        if not self.hidden_sizes or min(self.hidden_sizes) < 1:
            raise ValueError(f"hidden_sizes={self.hidden_sizes!r} must be one or more whole numbers, at least 1")
        if self.input_size < 1:
            raise ValueError(f"input_size={self.input_size!r} must be at least 1")

    def find(self, context: ClaimContext, name: str) -> Finding:
        del context
        counts = {H: {label: parameters(make(H), self.input_size) for label, make in _CELLS.items()}
                  for H in self.hidden_sizes}  # fmt: skip
        ratios = [count["GRU"] / count["LSTM"] for count in counts.values()]
        off = max(abs(ratio - 0.75) for ratio in ratios)
        exact = f"{min(ratios):.4f} to {max(ratios):.4f}" if len(ratios) > 1 else f"{ratios[0]:.4f}"
        return Finding(
            name=name,
            claim=CLAIM,
            ran=(
                f"Parameters counted of one layer with {self.input_size} inputs and {_listed(self.hidden_sizes)} "
                "units, readout left out; operations of one step for one sequence; numbers of the "
                "carry for each unit. What a training step stores is measured with its speed."
            ),
            rule=f"The claim holds if the ratio at equal width is within {_NEAR} of 3/4 at every width.",
            verdict="holds" if off <= _NEAR else "doesn't hold",
            says=(
                f"At equal width a GRU has {exact} of an LSTM's parameters (the part above 3/4 is the hidden bias of "
                "the form that cuDNN and Flax use). At equal parameters it is the wider one, by a factor of "
                f"{self._wider():.3f}."
            ),
            shown=(self._table(counts),),
        )

    def _wider(self) -> float:
        """Returns H of a GRU over H of an LSTM with as many parameters, for the largest of `hidden_sizes`."""
        H = max(self.hidden_sizes)
        wanted = parameters(gr.LSTM(H), self.input_size)
        return nearest_size(lambda size: parameters(gr.GRU(size), self.input_size), wanted) / H

    def _table(self, counts: dict[int, dict[str, int]]) -> Table:
        def matched(H: int, make: Any) -> Any:
            wanted = counts[H]["LSTM"]
            return make(nearest_size(lambda size: parameters(make(size), self.input_size), wanted))

        columns = [
            Column("cell", lambda H, label, cell, other: f"{label}, {H} units", "left"),
            Column("parameters", lambda H, label, cell, other: f"{counts[H][label]:,}"),
            Column("of the LSTM's", lambda H, label, cell, other: f"{counts[H][label] / counts[H]['LSTM']:.4f}"),
            Column("operations a step", lambda H, label, cell, other: f"{operations(cell, self.input_size):,}"),
            Column(
                "numbers of carry a unit",
                lambda H, label, cell, other: f"{numbers_of_a_carry(cell, self.input_size) / H:g}",
            ),
            Column("width at equal parameters", lambda H, label, cell, other: f"{other.hidden_size:,}"),
            Column("operations there", lambda H, label, cell, other: f"{operations(other, self.input_size):,}"),
        ]
        return tabulate(
            columns,
            ((H, label, make(H), matched(H, make)) for H in counts for label, make in _CELLS.items()),
            "Size at equal width, then the width at which a cell has as many parameters as the LSTM of that width, and "
            "its operations there",
        )


def parameters(cell: Any, input_size: int) -> int:
    shapes = jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def operations(cell: Any, input_size: int) -> int:
    """Returns the floating-point operations of one step for one sequence, as counted by `count_flops`."""
    params = jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0))
    carry = jax.eval_shape(lambda p: cell.initial_carry(p, ()), params)
    return count_flops(cell.step, params, carry, jax.ShapeDtypeStruct((input_size,), "float32"))


def numbers_of_a_carry(cell: Any, input_size: int) -> int:
    params = jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0))
    carry = jax.eval_shape(lambda p: cell.initial_carry(p, ()), params)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(carry))


def _listed(values: tuple[int, ...]) -> str:
    words = [f"{value:,}" for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
