"""The figures and table of recorded gradient flow: norms over lags at the start, at the end and along training."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from gru_research import records, tables
from gru_research.report import exhibits, formatting, over_seeds
from gru_research.tables import Column

LAG, NORM = exhibits.Axis("lag in steps", "log"), exhibits.Axis("gradient norm", "powers")


def flow_exhibits(run: records.Run) -> tuple[exhibits.Exhibit, ...]:
    """Returns the figures and the table of the probe "gradient_flow"; none if the run has no such records."""
    found = [record for record in run.probes if record.name == "gradient_flow"]
    if not found:
        return ()
    labels = list(dict.fromkeys(record.cell for record in found))
    return (_reach(found, labels), along_training(found, labels), _table(found, labels))


def along_training(found: Sequence[records.Probe], labels: Sequence[str]) -> exhibits.Plot:
    """Returns the figure of the norm at the longest lag against updates."""
    lines = []
    for place, label in enumerate(labels):
        steps = sorted({record.step for record in found if record.cell == label})
        lines.append(over_seeds.line(label, place, steps, _by_seed(found, label, steps)))
    lag = found[0].measured["lags"][-1]
    words = exhibits.Words(
        "The gradient at the longest lag, along training",
        f"Gradient norm at lag {lag} against updates: " + _ends(lines),
        f"{_shown(found)} Where a line rises, the cell learns to keep its state over {lag} steps.",
    )
    panel = exhibits.Panel("", tuple(lines), exhibits.Axis("updates"), NORM)
    return exhibits.Plot("gradient_training", words, (panel,))


def _reach(found: Sequence[records.Probe], labels: Sequence[str]) -> exhibits.Plot:
    panels = []
    for title, choose in (("before training", min), ("at the end of training", max)):
        lines = []
        for place, label in enumerate(labels):
            records_of = _at(found, label, _step(found, label, choose))
            lags = records_of[0].measured["lags"]
            values = [[_log10(log_norm) for log_norm in record.measured["log_norm"]] for record in records_of]
            lines.append(over_seeds.line(label, place, lags, values))
        panels.append(exhibits.Panel(title, tuple(lines), LAG, NORM))
    words = exhibits.Words(
        "How far the gradient reaches",
        "Gradient norm against lag on logarithmic axes. "
        + " ".join(f"{panel.title.capitalize()}, at the longest lag: {_ends(panel.lines)}" for panel in panels),
        f"{_shown(found)} 1 is the gradient at the last output. A line that falls straight down loses the same share "
        "at every step; one that stays level lets the loss reach the first input.",
    )
    return exhibits.Plot("gradient_reach", words, tuple(panels))


def _table(found: Sequence[records.Probe], labels: Sequence[str]) -> tables.Table:
    lag = found[0].measured["lags"][-1]
    columns = [
        Column("cell", lambda label, first, last: label, "left"),
        Column(f"norm at lag {lag} before", lambda label, first, last: _norm(first)),
        Column("at the end", lambda label, first, last: _norm(last)),
        Column("half-life before, steps", lambda label, first, last: _half_life(first)),
        Column("at the end", lambda label, first, last: _half_life(last)),
    ]
    rows = [(label, *(_at(found, label, _step(found, label, choose)) for choose in (min, max))) for label in labels]
    return tables.tabulate(columns, rows, "The gradient's reach: medians over seeds")


def _norm(of_seeds: Sequence[records.Probe]) -> str:
    return formatting.power(float(np.median([_log10(record.measured["log_norm"][-1]) for record in of_seeds])))


def _half_life(of_seeds: Sequence[records.Probe]) -> str:
    lives = [record.measured["half_life"] for record in of_seeds]
    return formatting.half_life(float(np.median([math.inf if life is None else life for life in lives])))


def _by_seed(found: Sequence[records.Probe], label: str, steps: Sequence[int]) -> list[list[float]]:
    """Returns the norm at the longest lag, `[S, steps]`, without seeds that diverged and so lack some norms."""
    of_seed: dict[int, list[float]] = {}
    for step in steps:
        for record in _at(found, label, step):
            of_seed.setdefault(record.seed, []).append(_log10(record.measured["log_norm"][-1]))
    return [values for values in of_seed.values() if len(values) == len(steps)] or [[math.nan] * len(steps)]


def _shown(found: Sequence[records.Probe]) -> str:
    of = (
        "the gradient of the loss"
        if found[0].measured["of"] == "loss"
        else "the gradient of a random direction at the output"
    )
    text = over_seeds.shown(len({record.seed for record in found}))
    return f"{text[0].upper()}{text[1:]}, of {of} by the whole carry."


def _ends(lines: Sequence[exhibits.Line]) -> str:
    return (
        "; ".join(f"{line.label} {formatting.power(-math.inf if (y := line.y[-1]) is None else y)}" for line in lines)
        + "."
    )


def _at(found: Sequence[records.Probe], label: str, step: int) -> list[records.Probe]:
    return [record for record in found if record.cell == label and record.step == step]


def _step(found: Sequence[records.Probe], label: str, choose: Callable[..., int]) -> int:
    return choose(record.step for record in found if record.cell == label)


def _log10(log_norm: float | None) -> float:
    """Converts a natural logarithm to base 10; null means a gradient of 0."""
    return -math.inf if log_norm is None else log_norm / math.log(10)
