"""From a record to the numbers that trackers show."""

import math
from collections.abc import Mapping
from typing import Any

from .base import Point

EVALUATION = ("train_loss", "gradient_norm", "clipped_share", "validation_loss", "validation_metric", "diverged_at")
RESULT = (
    "test_loss", "test_metric", "train_set_loss", "train_set_metric", "clipped_share", "steps_to_solve",
    "selected_step", "last_good_loss", "diverged_at",
)  # fmt: skip
PROBE = ("task", "cell", "seed", "step", "name")
"""What every probe's record has; the rest is what it measured."""
CELL = ("hidden_size", "parameters", "learning_rate", "clip", "weight_decay", "updates", "flops")


def point_of(kind: str, fields: Mapping[str, Any], metric: str, validation_metric: str) -> Point | None:
    """The numbers of a record; None for those that hold no series. `*_metric` gets the name of its metric.

    Series are TASK/CELL (what a cell is), TASK/CELL/seedN (its evaluations, probes and its result, by update) and
    TASK/CELL/draws/seedN (the tuning, by draw). Of a probe's lists, over lags, the last number is shown.
    """
    if kind not in ("evaluation", "probe", "result", "cell", "draw"):
        return None
    series, time = f"{fields['task']}/{fields['cell']}", fields.get("time", {})
    if kind == "evaluation":
        series, step, values = f"{series}/seed{fields['seed']}", fields["step"], _taken(fields, EVALUATION)
        values["train_seconds"] = time.get("train_seconds")
    elif kind == "probe":
        series, step, values = f"{series}/seed{fields['seed']}", fields["step"], _probed(fields)
    elif kind == "result":
        series, step, values = f"{series}/seed{fields['seed']}", fields["updates"], _taken(fields, RESULT)
        values["ms_per_step"] = time.get("ms_per_step")
    elif kind == "draw":
        series, step = f"{series}/draws/seed{fields['seed']}", fields["draw"]
        values = {**fields["values"], "validation_metric": fields["validation_metric"], "chosen": fields["chosen"]}
    else:
        step, values = 0, _taken(fields, CELL)
        values["compile_seconds"] = time.get("compile_seconds")
    whole = {"validation_metric": f"validation_{validation_metric}"}
    whole |= {f"{of}_metric": f"{of}_{metric}" for of in ("test", "train_set")}
    named = {whole.get(name, name): value for name, value in values.items()}
    return Point(series, step, {name: float(v) for name, v in named.items() if v is not None and math.isfinite(v)})


def _probed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a probe measured, by its name and the field's."""
    measured = {name: fields[name] for name in fields if name not in PROBE}
    last = {name: value[-1] if isinstance(value, list) and value else value for name, value in measured.items()}
    return {f"{fields['name']}_{name}": value for name, value in last.items() if not isinstance(value, str | list)}


def _taken(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields.get(name) for name in names}
