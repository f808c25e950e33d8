"""Measures and shows how long an input matters to each cell, before and after training."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from experiments.diagnosis import flow, gate_panels
from gru_research.analysis import input_influence, memory_horizon
from gru_research.report import exhibits, formatting, over_seeds
from gru_research.runs import trained
from gru_research.tables import Column, Table, tabulate
from gru_research.training import evaluation_hooks
from gru_research.types import Batch, Params

SHARE = 0.01
"""Share of the largest change below which an input no longer matters."""


@dataclasses.dataclass(frozen=True)
class Reach:
    """One cell's seeds at the `lags` `[K]`: `change` `[S, K]` and `horizon` `[S]`, by "before" and "after"."""

    lags: np.ndarray
    change: Mapping[str, np.ndarray]
    horizon: Mapping[str, np.ndarray]


def measure(run: trained.FinishedRun, cell: trained.TrainedCell, examples: int) -> Reach:
    """Measures a cell's seeds on the first validation examples."""
    batch = run.validation(examples)
    found = {when: _one(cell, params, batch) for when, params in (("before", cell.initial), ("after", cell.params))}
    lags = found["before"][0][0]
    return Reach(lags, {when: of[1] for when, of in found.items()}, {when: of[2] for when, of in found.items()})


def _one(cell: trained.TrainedCell, params: Params, batch: Batch) -> Any:
    def one(mine: Params) -> tuple[jax.Array, jax.Array, jax.Array]:
        lags, change = input_influence(
            cell.model.stack, mine["stack"], evaluation_hooks.inputs_of(cell.model, mine, batch)
        )
        return lags, change / change.max(), memory_horizon(lags, change, SHARE)

    return trained.per_seed(one, params)


def figure(reach: Mapping[str, Reach]) -> exhibits.Plot:
    """Plots the change against the number of steps ago, one line per cell."""
    panels = []
    ago, relative = exhibits.Axis("steps ago", "log"), exhibits.Axis("change of the state", "powers")
    for when in flow.WHEN:
        lines = []
        for place, (label, of) in enumerate(reach.items()):
            with np.errstate(divide="ignore"):
                change = np.log10(of.change[when])
            lines.append(over_seeds.line(gate_panels.plain_label(label), place, (of.lags + 1).tolist(), change))
        panels.append(exhibits.Panel(f"{when} training", tuple(lines), ago, relative))
    words = exhibits.Words(
        "How much an input still matters",
        "Change of the last state against the number of steps since the exchanged input, one line per cell. "
        + "; ".join(
            f"{gate_panels.plain_label(label)} after training: {median(of, 'after')} steps"
            for label, of in reach.items()
        ),
        "The input of one step is exchanged for another sequence's, and the state at the end changes: "
        f"{over_seeds.shown(_seeds(reach))}, relative to the step at which it changes most. The last input is at 1. "
        "Below about 1e-6 it is the rounding of float32.",
    )
    return exhibits.Plot("influence", words, tuple(panels))


def table(reach: Mapping[str, Reach]) -> Table:
    """Tabulates the horizons before and after training."""

    def text(of: Reach, when: str) -> str:
        return over_seeds.text(of.horizon[when], lambda steps: _steps(steps, of))

    columns = [
        Column("cell", lambda label, of: gate_panels.plain_label(label), "left"),
        Column("before training, steps", lambda label, of: text(of, "before")),
        Column("after", lambda label, of: text(of, "after")),
    ]
    caption = (
        f"Horizon: how far back exchanging an input changes the state by {formatting.percent(SHARE)} of the most; "
        + over_seeds.shown(_seeds(reach))
    )
    return tabulate(columns, reach.items(), caption)


def median(of: Reach, when: str) -> str:
    """Formats the median horizon."""
    return _steps(float(over_seeds.median(of.horizon[when])), of)


def _steps(value: float, of: Reach) -> str:
    return f"over {of.lags[-1]}" if value == np.inf else formatting.number(value, 3)


def _seeds(reach: Mapping[str, Reach]) -> int:
    return len(next(iter(reach.values())).horizon["before"])
