"""Measures and shows how far gradients reach in each cell of a run, before and after training."""

import dataclasses
from collections.abc import Mapping
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from experiments.diagnosis import gate_panels
from gru_research.analysis import half_life
from gru_research.report import exhibits, formatting, over_seeds
from gru_research.report.gradient_flow import LAG, NORM
from gru_research.runs import trained
from gru_research.tables import Column, Table, tabulate
from gru_research.tasks import Task
from gru_research.training import evaluation_hooks
from gru_research.types import Batch, Params

WHEN = ("before", "after")
_LINE_POINTS = 40


@dataclasses.dataclass(frozen=True)
class Flow:
    """The gradient of one cell's seeds against the lag, at one time of training.

    Attributes:
      log10: the logarithm to base 10 of its norm at the lags 1 to T, `[S, T]`: for each seed the median over
        sequences, of a gradient that has norm 1 at the last output. -inf where it is 0; NaN where the seed diverged.
      half_life: steps in which it halves, `[S]`.
    """

    log10: np.ndarray
    half_life: np.ndarray

    @property
    def at_end(self) -> np.ndarray:
        """Norms at the longest lag, `[S]`."""
        return self.log10[:, -1]


Flows: TypeAlias = Mapping[str, Mapping[str, Flow]]
"""Flows by cell, then by `WHEN`."""


def measure(run: trained.FinishedRun, cell: trained.TrainedCell, examples: int) -> dict[str, Flow]:
    """Measures the gradient flow of a cell's seeds on the first validation examples, by `WHEN`."""
    batch = run.validation(examples)
    return {
        when: flow(cell, params, batch, run.plan.task)
        for when, params in zip(WHEN, (cell.initial, cell.params), strict=True)
    }


def flow(cell: trained.TrainedCell, params: Params, batch: Batch, task: Task) -> Flow:
    """The gradient is the task's own at the last output, or a random direction where the readout reads every step."""

    def one(mine: Params) -> tuple[jax.Array, jax.Array]:
        middle = jnp.nanmedian(evaluation_hooks.loss_flow(cell.model, task, mine, batch), axis=0)
        return middle, half_life(middle)

    logs, half_lives = trained.per_seed(one, params)
    return Flow(logs / np.log(10), half_lives)


def curves(flows: Flows) -> exhibits.Plot:
    """Plots norm against lag, one line per cell, one panel per time."""
    length, seeds = shape(flows)
    lags = evaluation_hooks.geometric_lags(length, _LINE_POINTS)
    panels = []
    for when in WHEN:
        lines = [
            over_seeds.line(gate_panels.plain_label(label), place, lags.tolist(), of[when].log10[:, lags - 1])
            for place, (label, of) in enumerate(flows.items())
        ]
        panels.append(exhibits.Panel(f"{when} training", tuple(lines), LAG, NORM))
    ends = {
        when: "; ".join(f"{gate_panels.plain_label(label)} {power(of[when])}" for label, of in flows.items())
        for when in WHEN
    }
    text = over_seeds.shown(seeds)
    words = exhibits.Words(
        "How far back the gradient reaches",
        f"Gradient norm against lag on logarithmic axes, before and after training. At lag {length} before: "
        f"{ends['before']}; after: {ends['after']}.",
        f"{text[0].upper()}{text[1:]}; 1 is the gradient at the last output. A line that falls straight down loses the "
        "same share at every step; one that stays level lets the loss reach the first input.",
    )
    return exhibits.Plot("gradients", words, tuple(panels))


def table(flows: Flows) -> Table:
    """Tabulates the norm at the longest lag and the half-life, before and after training."""
    length, seeds = shape(flows)
    columns = [
        Column("cell", lambda label, of: gate_panels.plain_label(label), "left"),
        Column("before training", lambda label, of: over_seeds.text(of["before"].at_end, formatting.power)),
        Column("after", lambda label, of: over_seeds.text(of["after"].at_end, formatting.power)),
        Column("half-life before, steps", lambda label, of: median_half_life(of["before"])),
        Column("half-life after, steps", lambda label, of: median_half_life(of["after"])),
    ]
    return tabulate(columns, flows.items(), f"Gradient norm at lag {length}: {over_seeds.shown(seeds)}")


def shape(flows: Flows) -> tuple[int, int]:
    """Returns the longest lag and the number of seeds."""
    seeds, length = next(iter(flows.values()))["before"].log10.shape
    return length, seeds


def power(of: Flow) -> str:
    """Formats the median at the longest lag."""
    return formatting.power(float(over_seeds.median(of.at_end)))


def median_half_life(of: Flow) -> str:
    """Formats the median half-life in steps."""
    return formatting.half_life(float(over_seeds.median(of.half_life)))
