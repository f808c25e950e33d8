"""The captions of the figures, computed from the results."""

from collections.abc import Sequence

import numpy as np

from gru_research.plural import several
from gru_research.report import formatting, results, summary


def curves(task: results.TaskResults) -> str:
    """Describes the learning curves, and says how many seeds solved the task and when."""
    seeds = max(cell.curve.values.shape[1] for cell in task.cells if len(cell.curve.steps))
    metric = task.task.validation_metric
    if seeds == 1:
        shown = f"Validation {metric} of the one seed."
    elif seeds < summary.MIN_SEEDS_FOR_INTERVAL:
        shown = (
            f"Validation {metric}: the thick line is the interquartile mean over {seeds} seeds, thin lines "
            "are the seeds, the band reaches from the lowest to the highest."
        )
    else:
        shown = (
            f"Validation {metric}: the line is the interquartile mean over {seeds} seeds, the band its "
            "bootstrap interval (nominally 95 %)."
        )
    if any(np.isinf(cell.curve.values).any() for cell in task.cells):
        shown += " A cross marks the last finite value of a seed that diverged; a line ends where its mean does."
    if stopped := [cell.label for cell in task.cells if _stopped_early(cell)]:
        shown += f" Seeds that stopped early keep their last value (in {', '.join(stopped)})."
    return f"{shown} {_solved(task)}".strip()


def _stopped_early(cell: results.CellResults) -> bool:
    last = int(cell.curve.steps[-1]) if len(cell.curve.steps) else 0
    return any(seed.diverged_at is None and (seed.updates or last) < last for seed in cell.seeds)


def test(task: results.TaskResults) -> str:
    """Describes the marks of the test metric, and gives each cell's IQM."""
    least = min(len(cell.seeds) for cell in task.complete)
    bar = " the bar is its bootstrap interval (nominally 95 %)," if least >= summary.MIN_SEEDS_FOR_INTERVAL else ""
    better = "lower" if task.task.direction == "min" else "higher"
    text = f"Each open mark is a seed, the filled one is the interquartile mean,{bar} {better} is better."
    rows = [summary.row(task, cell) for cell in task.complete]
    return f"{text} Interquartile means: {'; '.join(f'{row.cell} {formatting.number(row.iqm)}' for row in rows)}."


def solve(task: results.TaskResults) -> str:
    """Describes the step chart of solved seeds, and gives each cell's median."""
    rows = [summary.row(task, cell) for cell in task.complete]
    medians = "; ".join(f"{row.cell} {formatting.count(row.steps_to_solve).replace('inf', 'infinite')}" for row in rows)
    left = {row.cell: row.seeds - (row.solved_seeds or 0) for row in rows}
    unsolved = [f"{seeds} of {cell}" for cell, seeds in left.items() if seeds]
    text = (
        "The share of seeds that have solved the task by each step (Kaplan-Meier estimate), to within one interval "
        "between evaluations. Each mark is a seed that solves the task; higher and further left is better. The "
        "dashed line at one half marks the median."
    )
    if unsolved:
        text += f" A bar ends the line of a cell with seeds that never solved it: {', '.join(unsolved)}."
    return f"{text} Medians: {medians}."


def solving_table(task: results.TaskResults) -> str:
    """Describes the table of the times to solve."""
    text = (
        f"{task.task.name}: time to solve. Median: an unsolved seed counts as infinite. Mean: it counts as solved at "
        "a common end of training (restricted mean)"
    )
    least = min(len(cell.seeds) for cell in task.complete)
    text += "; in brackets the nominal 95 % interval." if least >= summary.MIN_SEEDS_FOR_INTERVAL else "."
    return (
        f"{text} Seconds are a seed's share of the time of all seeds that train side by side, without "
        "compilation, evaluation and tuning."
    )


def speed(rows: Sequence[summary.SummaryRow]) -> str:
    """Says what the time measures, and which cells took the least and the most."""
    text = (
        "Wall time of compiled training divided by updates and seeds, without evaluation and compilation, while "
        "seeds share the machine. It is the cost of this run, not a benchmark of the cells."
    )
    times = {row.cell: row.ms_per_step for row in rows if row.ms_per_step}
    if len(set(times.values())) > 1:
        fast, slow = min(times, key=times.__getitem__), max(times, key=times.__getitem__)
        text += f" {fast} took the least, {formatting.number(times[fast], 3)} ms; "
        text += f"{slow} the most, {formatting.number(times[slow], 3)} ms."
    return text


def _solved(task: results.TaskResults) -> str:
    """Returns for each complete cell e.g. "GRU: 5 of 5 seeds solved the task, the first at step 1,200."."""
    if task.task.threshold is None:
        return ""
    return " ".join(_solved_by(cell) for cell in task.complete)


def _solved_by(cell: results.CellResults) -> str:
    steps = [seed.steps_to_solve for seed in cell.seeds if seed.steps_to_solve is not None]
    first = f", the first at step {formatting.count(min(steps))}" if steps else ""
    return f"{cell.label}: {len(steps)} of {several(len(cell.seeds), 'seed')} solved the task{first}."
