"""Notes below a table, computed from the results: what a reader must know before comparing its rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gru_research import records, stats
from gru_research.plural import several
from gru_research.report import formatting, results, summary

# Relative deviations from the reference size above this get a note.
_PARAMETER_TOLERANCE = 0.02


def reference(task: results.Task) -> str:
    """Describes the trivial answers, the threshold and the length of a task in one line."""
    parts = []
    if len(task.trivial) == 1:
        parts.append(f"Baseline ({task.baseline_name}): {task.metric} {formatting.number(task.baseline)}.")
    elif task.trivial:
        reached = "; ".join(f"{name} {formatting.number(value)}" for name, value in task.trivial.items())
        parts.append(f"Trivial answers, {task.metric}: {reached}.")
    if task.threshold is not None:
        parts.append(
            "Solved: the first of two consecutive evaluations with a validation "
            f"{task.validation_metric} {threshold(task)}; steps to solve is the median over seeds, with unsolved "
            "seeds as infinite."
        )
    if not parts:
        parts.append("The task states no trivial answer and no threshold.")
    if task.length is not None:
        parts.append(f"The longest training sequence has {several(task.length, 'step')}.")
    return " ".join([*parts, task.scaling]).strip()


def threshold(task: results.Task) -> str:
    """Formats the threshold, such as "below 0.01" or "at or above 0.9"."""
    below = task.on_validation().direction == "min"
    return f"{'below' if below else 'at or above'} {formatting.number(task.threshold)}"


def ending(run: records.Run) -> str | None:
    """Returns a note on an unfinished run; None for a finished one."""
    if run.finished:
        return None
    if run.end is not None:
        return "This run was interrupted: the report covers only what was done before."
    return "This run has not ended: it is still training, or it was killed. The report covers its records so far."


def notes(run: records.Run, task: results.TaskResults) -> list[str]:
    """Returns the notes on a task's rows, without `ending`."""
    lines = ["The records end in an incomplete line, which is ignored."] if run.incomplete_line else []
    if not task.complete:
        lines.append("No cell has the results of all its seeds.")
    lines += _incomplete_cells(task)
    lines += _interval_notes(task.complete)
    lines += [*_training_notes(run, task), *(str(warning) for warning in run.header.warnings or ())]
    for cell in task.cells:
        if run.header.warnings is None:  # recorded warnings already include sizes
            lines += _size_notes(cell)
        lines += _divergence_notes(cell)
    return lines


def _training_notes(run: records.Run, task: results.TaskResults) -> Iterable[str]:
    """Yields notes on different numbers of updates and on which parameters were tested."""
    updates = {cell.label: cell.updates for cell in task.cells if cell.updates}
    if len(set(updates.values())) > 1:
        given = ", ".join(f"{label} {formatting.count(number)}" for label, number in updates.items())
        yield f"Cells were given different numbers of updates: {given}."
    if run.header.config.get("select") == "best":
        yield "The test uses each seed's parameters at its best validation evaluation, not the last ones."
    chosen = {result.cell: result.answer for result in run.results if result.answer is not None}
    if chosen:
        each = "; ".join(f"{label} by {_options(answer)}" for label, answer in chosen.items())
        yield f"Validation chose how the answers to the test set are generated: {each}."


def _options(answer: Mapping[str, Any]) -> str:
    return ", ".join(str(value) if name == "name" else f"{name} {value}" for name, value in answer.items())


def _incomplete_cells(task: results.TaskResults) -> Iterable[str]:
    for cell in task.cells:
        if not cell.complete:
            last = (
                f"its last evaluation is at step {formatting.count(cell.curve.steps[-1])}"
                if len(cell.curve.steps)
                else ""
            )
            yield f"{cell.label} has no complete result{'; ' if last else ''}{last}."
    tuning = [found.label for found in task.tunings if found.label in task.missing]
    for label in tuning:
        yield f"{label} was still being tuned."
    if idle := [label for label in task.missing if label not in tuning]:
        yield f"Not begun: {', '.join(idle)}."


def _interval_notes(cells: Sequence[results.CellResults]) -> Iterable[str]:
    for seeds in sorted({len(cell.seeds) for cell in cells}):
        if seeds == 1:
            yield "One seed: there is no interval, and the spread between seeds is unknown."
        elif seeds < 10:
            covered = f"about {formatting.percent(stats.MEASURED_COVERAGE[seeds])} (simulated, normal data)"
            if seeds < summary.MIN_SEEDS_FOR_INTERVAL:
                yield (
                    f"With {seeds} seeds no interval is shown: a nominal 95 % interval would cover the true IQM less "
                    f"often, {covered}. The table shows every seed's value instead."
                )
            else:
                yield f"With {seeds} seeds the interval covers less than its nominal 95 %: {covered}."


def _size_notes(cell: results.CellResults) -> Iterable[str]:
    if cell.parameters is None or not cell.reference_parameters:
        return
    off = cell.parameters / cell.reference_parameters - 1
    if abs(off) > _PARAMETER_TOLERANCE:
        size = f"{formatting.percent(abs(off), 1)} {'more' if off > 0 else 'fewer'}"
        yield (
            f"{cell.label} has {formatting.count(cell.parameters)} parameters, {size} than the reference's "
            f"{formatting.count(cell.reference_parameters)}: the sizes are not matched."
        )


def _divergence_notes(cell: results.CellResults) -> Iterable[str]:
    diverged = [seed for seed in cell.seeds if seed.diverged_at is not None]
    if diverged:
        where = ", ".join(f"seed {seed.seed} at step {formatting.count(seed.diverged_at)}" for seed in diverged)
        seeds = several(len(cell.seeds), "seed")
        yield f"{cell.label} diverged in {len(diverged)} of {seeds} ({where}); they rank worst."
    lost = [str(seed.seed) for seed in cell.seeds if seed.diverged_at is None and seed.test_metric is None]
    if lost:
        yield f"{cell.label} has a test metric that isn't finite for seed {', '.join(lost)}; it ranks worst."
