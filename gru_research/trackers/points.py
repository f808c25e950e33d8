"""Converts records to the points that trackers show."""

import math
from typing import Any

from gru_research import records

from .base import Point

EVALUATION = ("train_loss", "gradient_norm", "clipped_share", "validation_loss", "validation_metric", "diverged_at")
RESULT = (
    "test_loss", "test_metric", "train_set_loss", "train_set_metric", "clipped_share", "steps_to_solve",
    "selected_step", "last_good_loss", "diverged_at",
)  # fmt: skip
CELL = ("hidden_size", "parameters", "learning_rate", "clip", "weight_decay", "updates", "flops")


def point_of(record: records.Record, metric: str, validation_metric: str) -> Point | None:
    """Returns a record's point, or None where it has no series. Tags that end in `metric` get the metric's name.

    Series are TASK/CELL (the cell's description), TASK/CELL/seedN (evaluations, probes and the result, by update) and
    TASK/CELL/draws/seedN (the tuning, by draw). Of a probe's list over lags only the last number is shown.
    """
    if isinstance(record, records.Header | records.End):
        return None
    series = f"{record.task}/{record.cell}"
    match record:
        case records.Evaluation():
            series, step, values = f"{series}/seed{record.seed}", record.step, _taken(record, EVALUATION)
            values["train_seconds"] = record.time.get("train_seconds")
        case records.Probe():
            series, step, values = f"{series}/seed{record.seed}", record.step, _probed(record)
        case records.Result():
            series, step, values = f"{series}/seed{record.seed}", record.updates or 0, _taken(record, RESULT)
            values["ms_per_step"] = record.time.get("ms_per_step")
        case records.Draw():
            series, step = f"{series}/draws/seed{record.seed}", record.draw
            values = {**record.values, "validation_metric": record.validation_metric, "chosen": record.chosen}
        case records.Cell():
            step, values = 0, _taken(record, CELL)
            values["compile_seconds"] = record.time.get("compile_seconds")
    whole = {"validation_metric": f"validation_{validation_metric}"}
    whole |= {f"{of}_metric": f"{of}_{metric}" for of in ("test", "train_set")}
    named = {whole.get(name, name): value for name, value in values.items()}
    return Point(series, step, {name: float(v) for name, v in named.items() if v is not None and math.isfinite(v)})


def _probed(record: records.Probe) -> dict[str, Any]:
    """Returns a probe's measurements by the names of the probe and the field."""
    last = {name: v[-1] if isinstance(v, list) and v else v for name, v in record.measured.items()}
    return {f"{record.name}_{name}": value for name, value in last.items() if not isinstance(value, str | list)}


def _taken(record: records.Record, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}
