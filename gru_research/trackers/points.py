"""From a record to the numbers that trackers show."""

import math
from collections.abc import Mapping
from typing import Any

from .base import Point

EVALUATION = ("train_loss", "gradient_norm", "validation_loss", "validation_metric", "diverged_at")
RESULT = ("test_loss", "test_metric", "steps_to_solve", "selected_step", "last_good_loss", "diverged_at")
CELL = ("hidden_size", "parameters", "learning_rate", "clip", "weight_decay", "updates", "flops")


def point_of(kind: str, fields: Mapping[str, Any], metric: str) -> Point | None:
    """The numbers of a record; None for those that hold no series. `*_metric` gets the metric's name.

    Series are TASK/CELL (what a cell is), TASK/CELL/seedN (its evaluations and its result, by update) and
    TASK/CELL/draws/seedN (the tuning, by draw).
    """
    if kind not in ("evaluation", "result", "cell", "draw"):
        return None
    series, time = f"{fields['task']}/{fields['cell']}", fields.get("time", {})
    if kind == "evaluation":
        series, step, values = f"{series}/seed{fields['seed']}", fields["step"], _taken(fields, EVALUATION)
        values["train_seconds"] = time.get("train_seconds")
    elif kind == "result":
        series, step, values = f"{series}/seed{fields['seed']}", fields["updates"], _taken(fields, RESULT)
        values["ms_per_step"] = time.get("ms_per_step")
    elif kind == "draw":
        series, step = f"{series}/draws/seed{fields['seed']}", fields["draw"]
        values = {**fields["values"], "validation_metric": fields["validation_metric"], "chosen": fields["chosen"]}
    else:
        step, values = 0, _taken(fields, CELL)
        values["compile_seconds"] = time.get("compile_seconds")
    named = {name.replace("_metric", f"_{metric}"): value for name, value in values.items()}
    return Point(series, step, {name: float(v) for name, v in named.items() if v is not None and math.isfinite(v)})


def _taken(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields.get(name) for name in names}
