"""Notes, table and figure of the draws that each cell's tuning tried and chose."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gru_research import stats, tables
from gru_research.plural import several
from gru_research.report import figure_style, formatting, results, scales, tuning_draws
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


def illustration(task: results.TaskResults) -> figure_style.Illustration | None:
    """Plots the validation metric of every draw against its learning rate, one panel per cell; None without any."""
    tunings = [tuning for tuning in task.tunings if any(_RATE in draw.values for draw in tuning.draws)]
    if not tunings:
        return None
    columns = min(_COLUMNS, len(tunings))
    lines = math.ceil(len(tunings) / columns)
    figure = figure_style.sheet(1.0 + (2.7 if columns == 1 else 1.9) * lines)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[len(tunings) :]:
        axes.set_visible(False)
    measured = task.task.on_validation()
    _fit(panels[0], measured, tunings)
    handles = []
    for axes, tuning in zip(panels, tunings, strict=False):
        figure_style.plain(axes)
        figure_style.title(axes, figure_style.shortened(tuning.label))
        _draw_draws(axes, tuning, figure_style.style(task.labels.index(tuning.label)), measured.direction)
        handles = scales.draw_references(axes, "y", measured)
    for axes in panels[max(0, len(tunings) - columns) : len(tunings)]:
        axes.set_xlabel("learning rate")
        axes.xaxis.set_tick_params(labelbottom=True)
    for axes in panels[: len(tunings) : columns]:
        axes.set_ylabel(figure_style.text(f"validation {measured.metric}"))
    figure_style.legend(figure, [*_keys(tunings), *handles])
    labels = ", ".join(tuning.label for tuning in tunings)
    return figure_style.Illustration(
        "tuning",
        figure,
        "Tuning",
        f"Dot charts of the validation {measured.metric} on {task.task.name} against the learning rate of every "
        f"draw, for {labels}.",
        _caption(task, tunings),
    )


def _fit(axes: Axes, task: results.Task, tunings: Sequence[tuning_draws.Tuning]) -> None:
    every = [draw for tuning in tunings for draw in tuning.draws]
    ends = [end for tuning in tunings for end in tuning.ranges.get(_RATE, ())]
    scales.fit(axes, "x", [*(draw.values[_RATE] for draw in every if _RATE in draw.values), *ends], logarithmic=True)
    axes.xaxis.set_major_formatter(matplotlib.ticker.LogFormatterSciNotation())
    measured = [value for draw in every for value in draw.metric if value is not None]
    scales.fit(axes, "y", measured, scales.values(task), logarithmic=task.direction == "min")
    scales.make_room(axes, task, inches=1.2)


def _draw_draws(axes: Axes, tuning: tuning_draws.Tuning, style: dict[str, Any], direction: stats.Direction) -> None:
    """Draws a dot per draw and seed: filled and ringed if chosen, a cross at the worse edge if the seed diverged."""
    look: dict[str, Any] = {"linestyle": "none", "color": style["color"], "markersize": 5.5}
    bad = 0.96 if direction == "min" else 0.04
    for draw in tuning.draws:
        rate = draw.values.get(_RATE)
        if rate is None:
            continue
        for value in draw.metric:
            if value is None:
                axes.plot([rate], [bad], marker="x", mew=1.6, transform=axes.get_xaxis_transform(), **look)
            elif draw.chosen:
                axes.plot([rate], [value], marker=style["marker"], zorder=4, **look)
                ring: dict[str, Any] = look | {"markersize": 12, "clip_on": False}
                axes.plot([rate], [value], marker="o", fillstyle="none", zorder=4, **ring)
            else:
                axes.plot([rate], [value], marker=style["marker"], markerfacecolor="white", zorder=3, **look)
    low, high = tuning.ranges.get(_RATE, axes.get_xlim())
    for edge in zip(axes.get_xlim(), (low, high), strict=True):
        axes.axvspan(*edge, color=figure_style.SHADE, zorder=0, linewidth=0)


def _keys(tunings: Sequence[tuning_draws.Tuning]) -> list[Line2D]:
    look: dict[str, Any] = {"linestyle": "none", "color": figure_style.INK}
    keys = [Line2D([], [], label="a draw", marker="o", markerfacecolor="white", markersize=5.5, **look)]
    if any(tuning.chosen for tuning in tunings):
        keys.append(Line2D([], [], label="chosen", marker="o", fillstyle="none", markersize=11, **look))
    if any(value is None for tuning in tunings for draw in tuning.draws for value in draw.metric):
        keys.append(Line2D([], [], label="diverged", marker="x", markersize=5.5, mew=1.6, **look))
    return keys


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
