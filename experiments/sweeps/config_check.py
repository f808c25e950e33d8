"""Checks a sweep against its config before anything runs: fields, values and objective."""

from gru_research.config import ExperimentConfig, UserError, choose, experiment, to_mapping, with_fields
from gru_research.data import DataDirs
from gru_research.stats import Direction
from gru_research.training import make_plan

from .search_space import Sweep


def check_sweep(sweep: Sweep, config: ExperimentConfig, dirs: DataDirs) -> tuple[str, Direction, dict[str, str]]:
    """Plans a trial at every value, or end of a range, of each field. Trains nothing.

    Returns:
      The task's validation metric, its direction ("min" or "max"), and checksums of the user's own files by path.

    Raises:
      UserError: a field doesn't exist, can't take a value, or no trial has the objective.
    """
    if config.horizon is not None:
        raise UserError("config.horizon: a trial is one run; sweep over the field instead")
    mapping, labels = to_mapping(config), [cell.label for cell in config.cells]
    first = {name: field.check_values[0] for name, field in sweep.fields.items()}
    for name in sweep.fields:
        if name.startswith("cells."):
            choose(f"sweep.fields.{name}: the cell", name.split(".")[1], labels)
    plan, files = None, {}
    for name, field in sweep.fields.items():
        for value in dict.fromkeys(field.check_values):
            try:
                plan = make_plan(experiment(with_fields(mapping, first | {name: value})), dirs)
            except UserError as e:
                raise UserError(f"sweep.fields.{name}, at {value!r}: {e}") from e
            files |= plan.files
    assert plan is not None, "a sweep has fields"
    trained = [cell.label for cell in plan.cells]
    if sweep.objective.cell:
        choose("sweep.objective.cell", sweep.objective.cell, trained)
    elif sweep.pruning.kind != "none" and len(trained) > 1:
        raise UserError(
            "sweep.objective.cell is missing: cells train one after the other, so pruning needs the name of one; "
            f"choose from {', '.join(trained)}"
        )
    return plan.task.validation_metric, plan.task.validation_direction, files
