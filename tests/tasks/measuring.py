"""Measurements of a task for tests: each example's metrics, and the only trivial answer."""

from typing import Any

from gru_research.tasks import Task


def measures(task: Task, outputs: Any, batch: Any) -> dict[str, Any]:
    """Returns every metric that is a mean, including "loss", for each example `[B]`."""
    found = {}
    for name, metric in task.metrics.items():
        parts = metric.statistics(outputs, batch)
        if parts.keys() == {"sum", "weight"}:
            found[name] = parts["sum"] / parts["weight"]
    return found


def baseline(task: Task) -> float:
    """Returns the metric of the task's only trivial answer."""
    (value,) = task.trivial.values()
    return value


def baseline_name(task: Task) -> str:
    (name,) = task.trivial
    return name
