"""What tests ask of a task: each example's measures, and its one trivial answer."""

from typing import Any

from gru_research.tasks import Task


def measures(task: Task, outputs: Any, batch: Any) -> dict[str, Any]:
    """Of each example `[B]` every metric that is a mean, "loss" among them."""
    found = {}
    for name, metric in task.metrics.items():
        parts = metric.statistics(outputs, batch)
        if parts.keys() == {"sum", "weight"}:
            found[name] = parts["sum"] / parts["weight"]
    return found


def baseline(task: Task) -> float:
    """What the task's only trivial answer reaches."""
    (value,) = task.trivial.values()
    return value


def baseline_name(task: Task) -> str:
    (name,) = task.trivial
    return name
