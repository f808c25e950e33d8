"""Several runs in one directory with a shared report: a suite of tasks, or one task at growing lengths.

A directory's `study.json` says which study it holds.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from gru_research import records
from gru_research.config import ExperimentConfig, UserError, experiment, to_mapping, with_fields

NextConfig = Callable[[str, Mapping[str, records.Run]], ExperimentConfig | None]


@dataclasses.dataclass(frozen=True)
class Study:
    """Named runs, in order.

    Attributes:
      kind: "suite" or "horizon".
      title: the report's title.
      names: the runs' names, which are also their directories.
      config: returns a run's config from its name and the finished runs; None leaves the run out.
      field, values, solved: the horizon's sweep.
    """

    kind: str
    title: str
    names: tuple[str, ...]
    config: NextConfig
    field: str | None = None
    values: tuple[int, ...] | None = None
    solved: float | None = None

    def summary(self) -> dict[str, Any]:
        """Returns what `study.json` holds."""
        fields = {"title": self.title, "runs": self.names, "field": self.field, "values": self.values}
        return records.to_json({"schema": records.STUDY_SCHEMA, "kind": self.kind, **fields, "solved": self.solved})


def suite(title: str, configs: Mapping[str, ExperimentConfig]) -> Study:
    """Returns a study of independent runs."""
    return Study("suite", title, tuple(configs), lambda name, done: configs[name])


def horizon(config: ExperimentConfig, title: str) -> Study:
    """Returns a study of the config at each value of its horizon. A cell with too few seeds that solve a value is left
    out of the next values.

    Raises:
      UserError: the config has no such field.
    """
    sweep = config.horizon
    assert sweep is not None
    short = sweep.field.rpartition(".")[2]
    names = {f"{short}-{value}": value for value in sweep.values}
    labels = config.selected_labels
    fixed = to_mapping(dataclasses.replace(config, horizon=None))

    def at(name: str, done: Mapping[str, records.Run]) -> ExperimentConfig | None:
        remaining = [label for label in labels if all(solves(run, label, sweep.solved) for run in done.values())]
        if not remaining:
            return None
        try:
            return experiment(with_fields(fixed, {sweep.field: names[name], "only": ",".join(remaining)}))
        except UserError as e:
            raise UserError(f"config.horizon.field={sweep.field!r}: {e}") from e

    at(next(iter(names)), {})  # finds a mistake in the field before anything runs
    return Study("horizon", title, tuple(names), at, sweep.field, sweep.values, sweep.solved)


def solves(run: records.Run, label: str, share: float) -> bool:
    """Whether at least `share` of a cell's seeds solved the run's task; False where the cell isn't in the run."""
    solved = [result.steps_to_solve is not None for result in run.results if result.cell == label]
    return bool(solved) and sum(solved) >= share * len(solved)
