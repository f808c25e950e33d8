"""Finds the functions that a config names, built in or the user's own, and handles their errors and files."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gru_research import lookup
from gru_research.cells import CELLS, Cell
from gru_research.config import CellConfig, ExperimentConfig, TaskConfig, UserError, split_own
from gru_research.tasks import TASKS, Task


def task_function(config: TaskConfig) -> Callable[..., Task]:
    """Returns the task function that a config names, built in or the user's own. Raises UserError."""
    return _callable("config.task.name", config.name, TASKS)


def cell_function(cell: CellConfig) -> Callable[..., Cell]:
    """Returns the cell class that a config names, built in or the user's own. Raises UserError."""
    return _callable(f"config.cells.{cell.label}.kind", cell.kind, CELLS)


def _callable(field: str, name: str, known: Mapping[str, Any]) -> Callable[..., Any]:
    found = lookup.find(field, name, known)
    if not callable(found):
        raise UserError(f"{field}={name!r} must be a function or a class, not {type(found).__name__}")
    return found


@contextlib.contextmanager
def errors(field: str, name: str) -> Iterator[None]:
    """Converts an exception of the user's own code to a UserError; exceptions of built-in code pass."""
    try:
        yield
    except UserError:
        raise
    except Exception as e:
        if split_own(name) is None:
            raise
        raise UserError(f"{field}={name!r} fails ({lookup.describe_error(e)})") from e


def files(config: ExperimentConfig, task: Task, data: bool) -> dict[str, str]:
    """Returns the sha256 of the user's own files in a run by path: code and, with `data`, data files."""
    kinds = (config.task.name, *(cell.kind for cell in config.cells), config.model.kind)
    code = {file: known for kind in kinds for file, known in lookup.checksums(kind).items()}
    if not data:
        return code
    return code | {str(file.absolute()): lookup.file_sha256(file) for file in task.files if file.is_file()}
