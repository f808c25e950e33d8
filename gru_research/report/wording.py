"""The report's words: numbers as text, the notes below the table, the captions of the figures.

Every sentence is computed from the results and says no more than they do.
"""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gru_research import records, stats
from gru_research.plural import several
from gru_research.report import results, summary

UNKNOWN = "-"
NOT_FINITE = "not finite"

# Sizes further than this from the reference's are worth a note.
_PARAMETER_TOLERANCE = 0.02


def number(value: float | None, digits: int = 4) -> str:
    """`digits` significant digits; "-" where unknown, "not finite" where infinite."""
    if value is None:
        return UNKNOWN
    return f"{value:.{digits}g}" if math.isfinite(value) else NOT_FINITE


def count(value: float | None) -> str:
    """A count with thousands separated; "-" where unknown, "inf" where infinite."""
    if value is None:
        return UNKNOWN
    return f"{value:,.10g}" if math.isfinite(value) else "inf"


def power(log10: float) -> str:
    """A positive number from its logarithm to base 10, which may be too small or too large for a float."""
    if not math.isfinite(log10):
        return "0" if log10 < 0 else NOT_FINITE
    exponent = math.floor(log10)
    if -3 <= exponent <= 3:
        return f"{10**log10:.2g}"
    return f"{10 ** (log10 - exponent):.1f}e{exponent}"


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def json_text(value: Any) -> str:
    """Plain JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def interval_heading(rows: Sequence[summary.SummaryRow]) -> str:
    """What `interval` shows in these rows."""
    shown = {row.ci_low is not None for row in rows}
    return {frozenset([True]): "95\u00a0% interval", frozenset([False]): "seeds"}.get(
        frozenset(shown), "interval or seeds"
    )


def interval(row: summary.SummaryRow, cell: results.CellResults) -> str:
    """The interval of the IQM; every seed's value where there are too few for one."""
    if row.ci_low is not None:
        return f"[{number(row.ci_low, 3)}, {number(row.ci_high, 3)}]"
    values = (math.inf if seed.test_metric is None else seed.test_metric for seed in cell.seeds)
    return ", ".join(number(value, 3) for value in values)


def reference(task: results.Task) -> str:
    """The trivial answers, the threshold and the length of a task, as one line."""
    parts = []
    if len(task.trivial) == 1:
        parts.append(f"Baseline ({task.baseline_name}): {task.metric} {number(task.baseline)}.")
    elif task.trivial:
        reached = "; ".join(f"{name} {number(value)}" for name, value in task.trivial.items())
        parts.append(f"Trivial answers, {task.metric}: {reached}.")
    if task.threshold is not None:
        parts.append(
            "Solved: the first of two consecutive evaluations with a validation "
            f"{task.validation_metric} {threshold(task)}; steps to solve is the median over seeds, where an unsolved "
            "one counts as infinite."
        )
    if not parts:
        parts.append("The task states no trivial answer and no threshold.")
    if task.length is not None:
        parts.append(f"The longest training sequence has {several(task.length, 'step')}.")
    return " ".join([*parts, task.scaling]).strip()


def threshold(task: results.Task) -> str:
    """Such as "below 0.01" or "at or above 0.9"."""
    below = task.on_validation().direction == "min"
    return f"{'below' if below else 'at or above'} {number(task.threshold)}"


def ending(run: records.Run) -> str | None:
    """What to say of a run that didn't finish; None for one that did."""
    if run.finished:
        return None
    if run.end is not None:
        return "This run was interrupted: what follows covers what it had done by then."
    return "This run has not ended: it is still training, or it was killed. What follows covers what it had written."


def notes(run: records.Run, task: results.TaskResults) -> list[str]:
    """What a reader must know, besides `ending`, before comparing the rows of a task."""
    lines = ["The records end in half a line, which is left out."] if run.incomplete_line else []
    if not task.complete:
        lines.append("No cell has the results of all its seeds.")
    lines += _incomplete_cells(task)
    lines += _interval_notes(task.complete)
    lines += [*_training_notes(run, task), *(str(warning) for warning in run.header.warnings or ())]
    for cell in task.cells:
        if run.header.warnings is None:  # those that are there say it
            lines += _size_notes(cell)
        lines += _divergence_notes(cell)
    return lines


def _training_notes(run: records.Run, task: results.TaskResults) -> Iterable[str]:
    """What cells don't share, or not every run has: other numbers of updates, and which parameters were tested."""
    updates = {cell.label: cell.updates for cell in task.cells if cell.updates}
    if len(set(updates.values())) > 1:
        given = ", ".join(f"{label} {count(number)}" for label, number in updates.items())
        yield f"Cells were given different numbers of updates: {given}."
    if run.header.config.get("select") == "best":
        yield "Tested are each seed's parameters at its best validation evaluation, not its last."


def _incomplete_cells(task: results.TaskResults) -> Iterable[str]:
    for cell in task.cells:
        if not cell.complete:
            last = f"its last evaluation is at step {count(cell.curve.steps[-1])}" if len(cell.curve.steps) else ""
            yield f"{cell.label} has no complete result{'; ' if last else ''}{last}."
    tuning = [found.label for found in task.tunings if found.label in task.missing]
    for label in tuning:
        yield f"{label} was still being tuned."
    if idle := [label for label in task.missing if label not in tuning]:
        yield f"Not begun: {', '.join(idle)}."


def _interval_notes(cells: Sequence[results.CellResults]) -> Iterable[str]:
    for seeds in sorted({len(cell.seeds) for cell in cells}):
        if seeds == 1:
            yield "One seed: there is no interval, and nothing is known of the spread between seeds."
        elif seeds < 10:
            covered = f"about {percent(stats.MEASURED_COVERAGE[seeds])} (simulated, normal data)"
            if seeds < summary.MIN_SEEDS_FOR_INTERVAL:
                yield (
                    f"With {seeds} seeds no interval is shown: a nominal 95 % interval would cover the true IQM less "
                    f"often, {covered}. Every seed's value stands instead."
                )
            else:
                yield f"With {seeds} seeds the interval covers less than its nominal 95 %: {covered}."


def _size_notes(cell: results.CellResults) -> Iterable[str]:
    if cell.parameters is None or not cell.reference_parameters:
        return
    off = cell.parameters / cell.reference_parameters - 1
    if abs(off) > _PARAMETER_TOLERANCE:
        size = f"{percent(abs(off), 1)} {'more' if off > 0 else 'fewer'}"
        yield (
            f"{cell.label} has {count(cell.parameters)} parameters, {size} than the reference's "
            f"{count(cell.reference_parameters)}: the sizes are not matched."
        )


def _divergence_notes(cell: results.CellResults) -> Iterable[str]:
    diverged = [seed for seed in cell.seeds if seed.diverged_at is not None]
    if diverged:
        where = ", ".join(f"seed {seed.seed} at step {count(seed.diverged_at)}" for seed in diverged)
        seeds = several(len(cell.seeds), "seed")
        yield f"{cell.label} diverged in {len(diverged)} of {seeds} ({where}); they rank worst."
    lost = [str(seed.seed) for seed in cell.seeds if seed.diverged_at is None and seed.test_metric is None]
    if lost:
        yield f"{cell.label} has a test metric that isn't finite for seed {', '.join(lost)}; it ranks worst."


def curves_caption(task: results.TaskResults) -> str:
    """What the learning curves show, and which seeds solved the task when."""
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


def test_caption(task: results.TaskResults) -> str:
    """What the marks show, and each cell's IQM."""
    least = min(len(cell.seeds) for cell in task.complete)
    bar = " the bar is its bootstrap interval (nominally 95 %)," if least >= summary.MIN_SEEDS_FOR_INTERVAL else ""
    better = "lower" if task.task.direction == "min" else "higher"
    text = f"Each open mark is a seed, the filled one is the interquartile mean,{bar} {better} is better."
    rows = [summary.row(task, cell) for cell in task.complete]
    return f"{text} Interquartile means: {'; '.join(f'{row.cell} {number(row.iqm)}' for row in rows)}."


def solve_caption(task: results.TaskResults) -> str:
    """What the steps show, and each cell's median."""
    rows = [summary.row(task, cell) for cell in task.complete]
    medians = "; ".join(f"{row.cell} {count(row.steps_to_solve).replace('inf', 'infinite')}" for row in rows)
    left = {row.cell: row.seeds - (row.solved_seeds or 0) for row in rows}
    unsolved = [f"{seeds} of {cell}" for cell, seeds in left.items() if seeds]
    text = (
        "The share of seeds that had solved the task by then (the Kaplan-Meier estimate), known to within one "
        "interval between evaluations; each mark is a seed that solves it, further up and further left is better. The "
        "dashed line is at one half: the median."
    )
    if unsolved:
        text += f" A bar ends the line of a cell with seeds that never solved it: {', '.join(unsolved)}."
    return f"{text} Medians: {medians}."


def solving_caption(task: results.TaskResults) -> str:
    """What the table of the times to solve holds."""
    text = (
        f"{task.task.name}: time to solve. Median: an unsolved seed counts as infinite. Mean: it counts as solved at "
        "the end, which is the same for all cells (restricted mean)"
    )
    least = min(len(cell.seeds) for cell in task.complete)
    text += "; in brackets the nominal 95 % interval." if least >= summary.MIN_SEEDS_FOR_INTERVAL else "."
    return (
        f"{text} Seconds are a seed's share of the time of all that train side by side, without compilation, "
        "evaluation and tuning."
    )


def speed_caption(rows: Sequence[summary.SummaryRow]) -> str:
    """What the time measures, and which cells took the least and the most."""
    text = (
        "Wall time of compiled training divided by updates and seeds, without evaluation and compilation, while "
        "seeds share the machine: it says what this run cost, and is no benchmark of the cells."
    )
    times = {row.cell: row.ms_per_step for row in rows if row.ms_per_step}
    if len(set(times.values())) > 1:
        fast, slow = min(times, key=times.__getitem__), max(times, key=times.__getitem__)
        text += f" {fast} took the least, {number(times[fast], 3)} ms; {slow} the most, {number(times[slow], 3)} ms."
    return text


def _solved(task: results.TaskResults) -> str:
    """Such as "GRU: 5 of 5 seeds solved the task, the first at step 1,200." for each complete cell."""
    if task.task.threshold is None:
        return ""
    return " ".join(_solved_by(cell) for cell in task.complete)


def _solved_by(cell: results.CellResults) -> str:
    steps = [seed.steps_to_solve for seed in cell.seeds if seed.steps_to_solve is not None]
    first = f", the first at step {count(min(steps))}" if steps else ""
    return f"{cell.label}: {len(steps)} of {several(len(cell.seeds), 'seed')} solved the task{first}."
