"""Tasks: data, a loss and a metric by name."""

from collections.abc import Callable

from .adding import adding
from .base import Generated, Stored, Task
from .smnist import smnist

TASKS: dict[str, Callable[..., Task]] = {"adding": adding, "smnist": smnist}
"""The tasks that a config can name; a new one is a function with typed options and a line here."""

__all__ = ["TASKS", "Generated", "Stored", "Task"]
