"""The axis of a task's metric, with the trivial answers and the threshold as references."""

from gru_research.report import exhibits, formatting, results, run_notes


def metric_axis(task: results.Task, split: str, limits: tuple[float, ...] = ()) -> exhibits.Axis:
    """Returns the axis of the task's metric on a `split` of the data; logarithmic if lower is better."""
    return exhibits.Axis(f"{split} {task.metric}", scale(task), references(task), limits)


def scale(task: results.Task) -> exhibits.Scale:
    return "fitted log" if task.direction == "min" else "fitted"


def references(task: results.Task) -> tuple[exhibits.Reference, ...]:
    """Returns the trivial answers and the threshold of a task, if any."""
    found = []
    for name, value in task.trivial.items():
        label = f"{formatting.shortened(name)} ({formatting.number(value)})"
        found.append(exhibits.Reference(value, label, "baseline" if name == task.baseline_name else "trivial"))
    if task.threshold is not None:
        found.append(exhibits.Reference(task.threshold, f"solved: {run_notes.threshold(task)}", "threshold"))
    return tuple(found)
