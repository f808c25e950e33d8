"""Makes `seeds.csv`, with one row per seed, for further analysis."""

from collections.abc import Iterable, Iterator

from gru_research import tables
from gru_research.report import results


def to_csv(tasks: Iterable[tuple[str, results.TaskResults]], named: bool = False) -> str:
    """Returns all seeds that have a result, of all cells and tasks, as CSV by RFC 4180 with a header line.

    Numbers have all digits. Unknown and non-finite values are empty fields. Metric columns are named after the metric,
    so tasks may have different ones.

    Args:
      tasks: the name of the run and the results of each task.
      named: whether to add a leading column `run` with these names.
    """
    rows = [({"run": run} if named else {}) | row for run, task in tasks for row in _rows(task)]
    names: list[str] = list(dict.fromkeys(["run"] * named + [*_FIRST, *(name for row in rows for name in row)]))
    columns = [tables.Column(name, lambda row, name=name: _field(row.get(name))) for name in names]
    return tables.to_csv(tables.tabulate(columns, zip(rows)), "\r\n")  # line ends follow RFC 4180


_FIRST = (
    "task", "cell", "seed", "updates", "selected_step", "diverged_at", "steps_to_solve", "seconds_to_solve",
    "ms_per_step", "clipped_share", "last_good_loss", "train_loss",
)  # fmt: skip


def _rows(task: results.TaskResults) -> Iterator[dict[str, str | float | None]]:
    about = task.task
    for cell in task.cells:
        for seed in cell.seeds:
            found: dict[str, str | float | None] = {"task": about.name, "cell": cell.label}
            found |= {name: getattr(seed, name) for name in _FIRST[2:]}
            found[f"validation_{about.validation_metric}"] = seed.validation_metric
            if any(other.train_set_metric is not None for of in task.cells for other in of.seeds):
                found[f"train_set_{about.metric}"] = seed.train_set_metric
            # Up to schema 3, no other metrics were recorded.
            found |= {"test_loss": seed.test_loss, f"test_{about.metric}": seed.test_metric}
            found |= {f"test_{name}": seed.test_metrics.get(name) for name in about.more_metrics}
            yield found


def _field(value: str | float | None) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
