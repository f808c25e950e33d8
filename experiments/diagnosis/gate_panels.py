"""Figures of a trained layer's gates over one sequence."""

from typing import Any

import numpy as np

from experiments.diagnosis.layer_trace import LayerTrace
from gru_research.analysis import Probe
from gru_research.report import exhibits
from gru_research.runs.trained import FinishedRun, TrainedCell
from gru_research.types import Batch

_MOST_UNITS = 32


def plain_label(label: str) -> str:
    """Formats a cell's label as a name in a sentence."""
    return label.replace("_", " ")


def gate_heatmap(
    name: str,
    run: FinishedRun,
    cell: TrainedCell,
    trace: LayerTrace,
    batch: Batch,
    seed: int,
    carried: str | None,
    values: np.ndarray | None,
    probe: Probe | None,
) -> exhibits.Heat:
    """The first sequence of one seed: its inputs, every gate's values, and what is carried beside what a probe reads.

    Units come in the order in which each alone carries the quantity, or of how much their gates move.
    """
    row = 0
    if probe is not None:
        units, order = probe.ranking, f"in the order in which each alone carries the {carried}, the best on top"
    else:
        moves = np.sum([trace.gates[gate][seed, row].std(0) for gate in trace.proper], axis=0)
        units, order = np.argsort(-moves, kind="stable"), "sorted by how much their gates move, the most on top"
    shown = tuple(units[:_MOST_UNITS].tolist())
    gates = {
        trace.title(gate): tuple(exhibits.numbers(trace.gates[gate][seed, row, :, unit]) for unit in shown)
        for gate in trace.proper
    }
    readings = {}
    if probe is not None and values is not None:
        readings = {str(carried): values[row], f"{carried}, read": probe.read(trace.states[seed, row])}
    few = f"{len(shown)} of {trace.states.shape[-1]} units" if len(shown) < trace.states.shape[-1] else "units"
    words = exhibits.Words(
        f"Gates of a trained {plain_label(cell.label)} over one sequence",
        f"The sequence's inputs, and below them as maps of {len(shown)} units by time: {', '.join(gates)}.",
        f"Seed {cell.seeds[seed]}, the one in the middle by its {run.plan.task.metric} on these sequences, on "
        f"{run.plan.task.name}; {few} {order}. Dark is closed (0), bright open (1). A gate that keeps the state is "
        "near 1 where nothing is to be written, and falls where something is.",
    )
    return exhibits.Heat(
        name,
        words,
        {label: exhibits.numbers(line) for label, line in input_lines(np.asarray(batch["inputs"])[row]).items()},
        gates,
        shown,
        {label: exhibits.numbers(line) for label, line in readings.items()},
    )


def input_lines(inputs: Any) -> dict[str, np.ndarray]:
    """Plots one sequence's inputs as lines: features `[T, I]` by number, tokens `[T]` by value."""
    array = np.asarray(inputs, np.float64)
    if array.ndim == 1:
        return {"token": array}
    if array.shape[1] <= 3:
        return {f"input {i}": column for i, column in enumerate(array.T)}
    return {"mean input": array.mean(-1)}
