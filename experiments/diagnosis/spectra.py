"""Lyapunov exponents and singular values along a sequence, before and after training: numbers and figure."""

import dataclasses
from collections.abc import Mapping

import jax
import numpy as np

from experiments.diagnosis import flow, gate_panels
from gru_research.analysis import log_singular_values, lyapunov_exponents
from gru_research.report import exhibits, formatting, over_seeds
from gru_research.runs import trained
from gru_research.training import evaluation_hooks
from gru_research.types import Batch, Params

VALUES = 8
"""The number of singular values computed, the largest ones."""


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """One cell's seeds along one sequence, by "before" and "after".

    Attributes:
      exponent: the largest Lyapunov exponent, in nats a step, `[S]`.
      values: the logarithms to base 10 of the largest singular values of `d carry_T / d carry_0`, `[S, K]`.
    """

    exponent: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]


def measure(run: trained.FinishedRun, cell: trained.TrainedCell) -> Spectrum:
    """Measures a cell's seeds along the first validation sequence."""
    batch = run.validation(1)
    found = {
        when: _one(cell, params, batch) for when, params in zip(flow.WHEN, (cell.initial, cell.params), strict=True)
    }
    return Spectrum({when: of[0] for when, of in found.items()}, {when: of[1] for when, of in found.items()})


def _one(cell: trained.TrainedCell, params: Params, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    stack = cell.model.stack

    def one(mine: Params) -> tuple[jax.Array, jax.Array]:
        xs = evaluation_hooks.inputs_of(cell.model, mine, batch)[0]
        size = sum(a.size for a in jax.tree.leaves(stack.initial_carry(mine["stack"], ())))
        largest = lyapunov_exponents(stack, mine["stack"], xs, count=1, discard=xs.shape[0] // 4)[0]
        return largest, log_singular_values(stack, mine["stack"], xs, count=min(VALUES, size), iterations=5)

    exponents, logs = trained.per_seed(one, params)
    return exponents, logs / np.log(10)


def figure(found: Mapping[str, Spectrum]) -> exhibits.Plot:
    """Plots the singular values by rank, one line per cell."""
    panels, seeds = [], 1
    rank, value = exhibits.Axis("rank"), exhibits.Axis("singular value", "powers")
    for when in flow.WHEN:
        lines = []
        for place, (label, of) in enumerate(found.items()):
            values = of.values[when]
            seeds = len(values)
            lines.append(over_seeds.line(gate_panels.plain_label(label), place, range(1, values.shape[1] + 1), values))
        panels.append(exhibits.Panel(f"{when} training", tuple(lines), rank, value))
    text = over_seeds.shown(seeds)
    words = exhibits.Words(
        "Singular values of the Jacobian over a sequence",
        "The largest singular values of the derivative of the last carry by the first, by rank, one line per cell.",
        "The factors by which perturbations of the first carry reach the last, in the directions that keep "
        f"most: {text}. Values near 1 in several directions are memory; values above 1 are growth, and gradients that "
        "explode.",
    )
    return exhibits.Plot("why-spectrum", words, tuple(panels))


def exponents(of: Spectrum, when: str) -> str:
    """Formats the largest exponent."""
    return over_seeds.text(of.exponent[when], lambda value: formatting.number(value, 2))
