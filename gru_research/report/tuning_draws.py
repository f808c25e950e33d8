"""Collects the draws of each cell's tuning."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gru_research import records


@dataclasses.dataclass(frozen=True)
class Draw:
    """One draw of the tuned fields, trained with one seed or several. `metric` is the validation metric of each seed
    [S], None if the seed diverged or the metric isn't finite."""

    number: int
    values: Mapping[str, float]
    seeds: tuple[int, ...]
    metric: tuple[float | None, ...]
    diverged_at: tuple[int | None, ...]
    chosen: bool


@dataclasses.dataclass(frozen=True)
class Tuning:
    """The draws of one cell, in order, and the recorded range (low, high) of each field."""

    label: str
    draws: tuple[Draw, ...]
    ranges: Mapping[str, tuple[float, float]]

    @property
    def chosen(self) -> Draw | None:
        return next((draw for draw in self.draws if draw.chosen), None)


def tunings(lines: Iterable[records.Draw], config: Mapping[str, Any]) -> tuple[Tuning, ...]:
    """Sorts draw records by cell and number, in the order of the cells; `config` is the run's config.tune."""
    groups: dict[str, dict[int, list[records.Draw]]] = {}
    for line in lines:
        groups.setdefault(line.cell, {}).setdefault(line.draw, []).append(line)
    found = []
    for label, by_number in groups.items():
        draws = tuple(_draw(number, by_number[number]) for number in sorted(by_number))
        given = {name: config.get(name) for draw in draws for name in draw.values}
        ranges = {name: (pair[0], pair[1]) for name, pair in given.items() if pair}
        found.append(Tuning(label, draws, ranges))
    return tuple(found)


def _draw(number: int, lines: Sequence[records.Draw]) -> Draw:
    lines = sorted(lines, key=lambda line: line.seed)
    return Draw(
        number=number,
        values=dict(lines[0].values),
        seeds=tuple(line.seed for line in lines),
        metric=tuple(_metric(line) for line in lines),
        diverged_at=tuple(line.diverged_at for line in lines),
        chosen=any(line.chosen for line in lines),
    )


def _metric(line: records.Draw) -> float | None:
    value = line.validation_metric
    lost = line.diverged_at is not None or value is None or not math.isfinite(value)
    return None if lost else value
