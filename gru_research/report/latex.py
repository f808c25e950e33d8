"""Writes a run's tables for LaTeX: `tables/*.tex`, each a `tabular` for a paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gru_research import tables
from gru_research.report import files, pairwise_tests, results, run_tables


def write(
    workdir: Path, task: results.TaskResults, found: Sequence[pairwise_tests.Pair], made: Mapping[str, str]
) -> list[Path]:
    """Writes a task's summary, metrics (if there are several), pairs and seeds to `workdir/tables`.

    `made` has facts on the origin of the tables, by name, for the comment at the top of each file.
    """
    folder = workdir / "tables"
    folder.mkdir(exist_ok=True)
    of_task: dict[str, tables.Table | None] = {
        "summary": run_tables.summary_table(task, trivial=True) if task.complete else None,
        "metrics": run_tables.metrics_table(task),
        "pairs": pairwise_tests.table(found) if found else None,
        "seeds": run_tables.seeds_table(task) if any(cell.seeds for cell in task.cells) else None,
    }
    return [
        files.replace(folder / f"{name}.tex", tables.to_latex(table, made).encode())
        for name, table in of_task.items()
        if table is not None
    ]
