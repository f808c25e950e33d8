"""Notes, table and figure of the draws that each cell's tuning tried and chose."""

import math
from collections.abc import Iterator, Sequence

from gru_research import stats, tables
from gru_research.plural import several
from gru_research.report import exhibits, formatting, results, tuning_draws
from gru_research.report.metric_axis import metric_axis
from gru_research.tables import Column

_RATE = "learning_rate"
_COLUMNS = 2


def notes(task: results.TaskResults) -> list[str]:
    """Describes each tuned cell's choice and range, with a warning if the choice is the highest or lowest draw."""
    lines = []
    measured = task.task.on_validation()
    for tuning in task.tunings:
        if tuning.chosen is None:
            lines.append(f"{tuning.label}: {_drawn(tuning)}, of which none was chosen.")
            continue
        choices = ", ".join(_choice(tuning, name) for name in tuning.chosen.values)
        metric = f"validation {measured.metric} {_metric(tuning.chosen, measured.direction)}"
        lines.append(f"{tuning.label}: {choices}; the best of {_drawn(tuning)}, {metric}.")
        lines += [warning for name in tuning.chosen.values if (warning := _at_edge(tuning, name))]
    return lines


def table(task: results.TaskResults) -> tables.Table:
    """Returns a row for each draw of each cell."""
    measured = task.task.on_validation()
    fields = list(dict.fromkeys(name for tuning in task.tunings for draw in tuning.draws for name in draw.values))
    columns = [
        Column("cell", lambda tuning, draw: tuning.label, "left"),
        Column("draw", lambda tuning, draw: str(draw.number)),
        *(
            Column(name.replace("_", " "), lambda tuning, draw, name=name: formatting.number(draw.values.get(name)))
            for name in fields
        ),
        Column(f"validation {measured.metric}", lambda tuning, draw: _metric(draw, measured.direction)),
        Column("seeds", lambda tuning, draw: str(len(draw.seeds))),
        Column("diverged at", lambda tuning, draw: _diverged(draw)),
        Column("chosen", lambda tuning, draw: "chosen" if draw.chosen else ""),
    ]
    draws = ((tuning, draw) for tuning in task.tunings for draw in tuning.draws)
    return tables.tabulate(columns, draws, "One row a draw")


def figure(task: results.TaskResults) -> exhibits.Plot | None:
    """Shows the validation metric of every draw against its learning rate, one panel per cell; None without any."""
    tunings = [tuning for tuning in task.tunings if any(_RATE in draw.values for draw in tuning.draws)]
    if not tunings:
        return None
    measured = task.task.on_validation()
    rate, metric = exhibits.Axis("learning rate", "rate"), metric_axis(measured, "validation")
    panels = [
        exhibits.Panel(tuning.label, (line,), rate, metric, tuning.ranges.get(_RATE, ()))
        for tuning in tunings
        for line in [exhibits.Line("", task.labels.index(tuning.label), marks=tuple(_marks(tuning, measured)))]
    ]
    words = exhibits.Words(
        "Tuning",
        f"Dot charts of the validation {measured.metric} on {task.task.name} against the learning rate of every "
        f"draw, for {', '.join(tuning.label for tuning in tunings)}.",
        _caption(task, tunings),
    )
    kinds = {mark.kind for panel in panels for mark in panel.lines[0].marks}
    keys = [("open", "a draw"), ("ring", "chosen"), ("cross", "diverged")]
    shown = tuple(key for key in keys if key[0] in kinds | {"open"})
    height = 1.9 if len(panels) > 1 else 2.5
    return exhibits.Plot("tuning", words, tuple(panels), _COLUMNS, height, shown)


def _marks(tuning: tuning_draws.Tuning, task: results.Task) -> Iterator[exhibits.Mark]:
    """Yields a mark per draw and seed: a ring if chosen, a cross at the worse edge if the seed diverged."""
    worst = math.inf if task.direction == "min" else -math.inf
    for draw in tuning.draws:
        for value in draw.metric if _RATE in draw.values else ():
            kind = "cross" if value is None else "ring" if draw.chosen else "open"
            yield exhibits.Mark(draw.values[_RATE], worst if value is None else value, kind)


def _caption(task: results.TaskResults, tunings: Sequence[tuning_draws.Tuning]) -> str:
    """Explains the marks, and gives each cell's learning rate and the number of draws that beat the baseline."""
    measured = task.task.on_validation()
    better = "lower" if measured.direction == "min" else "higher"
    text = f"Each mark is a draw trained with one seed, {better} is better, the ringed one was chosen"
    if any(name != _RATE for tuning in tunings for draw in tuning.draws for name in draw.values):
        text += "; draws differ in other fields too, which the table has"
    if any(value is None for tuning in tunings for draw in tuning.draws for value in draw.metric):
        text += "; crosses at the edge diverged"
    chosen = [f"{t.label} {formatting.number(t.chosen.values[_RATE], 3)}" for t in tunings if t.chosen]
    text += f". Chosen rates: {'; '.join(chosen)}." if chosen else "."
    if measured.baseline is not None:
        beat = "; ".join(f"{t.label} {_beating(t, measured)} of {len(t.draws)}" for t in tunings)
        text += f" Draws better than the baseline: {beat}."
    return text


def _beating(tuning: tuning_draws.Tuning, task: results.Task) -> int:
    assert task.baseline is not None
    middles = stats.as_scores([_middle(draw, task.direction) for draw in tuning.draws], task.direction)
    return int((middles > stats.as_scores([task.baseline], task.direction)[0]).sum())


def _choice(tuning: tuning_draws.Tuning, name: str) -> str:
    assert tuning.chosen is not None
    drawn_from = f" from [{', '.join(f'{end:g}' for end in tuning.ranges[name])}]" if name in tuning.ranges else ""
    return f"{name.replace('_', ' ')} {formatting.number(tuning.chosen.values[name], 3)}{drawn_from}"


def _drawn(tuning: tuning_draws.Tuning) -> str:
    seeds = max(len(draw.seeds) for draw in tuning.draws)
    lost = sum(any(value is None for value in draw.metric) for draw in tuning.draws)
    text = several(len(tuning.draws), "draw")
    text += f" of {seeds} seeds each" if seeds > 1 else ""
    return text + (f" ({lost} diverged)" if lost else "")


def _at_edge(tuning: tuning_draws.Tuning, name: str) -> str | None:
    """Returns a warning if the chosen value is the highest or lowest draw, so that a better one may lie beyond."""
    assert tuning.chosen is not None
    chosen = tuning.chosen.values[name]
    others = [draw.values[name] for draw in tuning.draws if draw is not tuning.chosen and name in draw.values]
    if not others or min(others) == max(others) == chosen or min(others) < chosen < max(others):
        return None
    side = "highest" if chosen >= max(others) else "lowest"
    return (
        f"{tuning.label}'s {name.replace('_', ' ')} is the {side} that was drawn: a {side[:-3]}er one may be better, "
        f"so the cell may be undertuned; widen tune.{name}."
    )


def _metric(draw: tuning_draws.Draw, direction: stats.Direction) -> str:
    return formatting.number(_middle(draw, direction))


def _middle(draw: tuning_draws.Draw, direction: stats.Direction) -> float:
    """Returns the interquartile mean over the draw's seeds, by which draws were chosen."""
    return stats.iqm(stats.rank_worst(draw.metric, direction))


def _diverged(draw: tuning_draws.Draw) -> str:
    at = [formatting.count(step) for step in draw.diverged_at if step is not None]
    return ", ".join(at) or formatting.UNKNOWN
