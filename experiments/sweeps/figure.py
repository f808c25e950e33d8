"""The figure of a sweep: the metric of each finished trial against the value of each field, one panel per field."""

import math
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from gru_research.plural import several
from gru_research.report import exhibits, formatting
from gru_research.stats import Direction

from .search_space import Choices, Range, Sweep

_COLUMNS = 2


def figure(sweep: Sweep, entries: Sequence[FrozenTrial], metric: str, direction: Direction) -> exhibits.Plot | None:
    """Returns the figure; None if no trial finished with a finite metric."""
    finished = [e for e in entries if e.state == TrialState.COMPLETE and math.isfinite(e.value or 0.0)]
    if not finished:
        return None
    values = [entry.value or 0.0 for entry in finished]
    best = (min if direction == "min" else max)(range(len(values)), key=values.__getitem__)
    y = exhibits.Axis(f"validation {metric}", "fitted log" if direction == "min" else "fitted")
    panels = []
    for name, field in sweep.fields.items():
        places = [_place(field, entry.params[name]) for entry in finished]
        marks = tuple(
            exhibits.Mark(place, value, "ring" if i == best else "filled")
            for i, (place, value) in enumerate(zip(places, values, strict=True))
        )
        panels.append(exhibits.Panel("", (exhibits.Line("", 0, marks=marks),), _axis(name, field), y))
    better, count = "lower" if direction == "min" else "higher", len(finished)
    words = exhibits.Words(
        "Trials",
        f"Dot charts of the validation {metric} of {several(count, 'trial')} against {', '.join(sweep.fields)}.",
        f"Each mark is a finished trial ({count} in all); {better} is better; the best one has a ring.",
    )
    keys = (("filled", "a finished trial"), ("ring", "the best"))
    return exhibits.Plot("trials", words, tuple(panels), _COLUMNS, 2.0 if len(panels) > 1 else 2.5, keys)


def _axis(name: str, field: Range | Choices) -> exhibits.Axis:
    """Returns the axis of a field. Choices are spaced evenly, since they needn't be numbers."""
    label = formatting.shortened(name)
    if isinstance(field, Choices):
        ticks = tuple((i, f"{value}") for i, value in enumerate(field.values))
        return exhibits.Axis(label, limits=(-0.5, len(field.values) - 0.5), ticks=ticks)
    return exhibits.Axis(label, "rate" if field.log else "linear")


def _place(field: Range | Choices, value: Any) -> float:
    return float(field.values.index(value) if isinstance(field, Choices) else value)
