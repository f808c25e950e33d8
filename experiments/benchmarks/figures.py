"""The benchmark's figures: times relative to the best peer, and time against length."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.ticker
from matplotlib.figure import Figure

from experiments.benchmarks.cases import Shape
from experiments.benchmarks.results import Result, comparisons, ratios
from experiments.benchmarks.tables import MODE_NAMES
from gru_research.report import figure_settings
from gru_research.report.drawing import figure_style

_DPI = 160


def write(compared: Sequence[Result], lengths: Sequence[Result], folder: Path) -> None:
    """Writes `ratios-CELL.png` for each cell that a peer was timed on, and `lengths-CELL.png` for several lengths."""
    folder.mkdir(parents=True, exist_ok=True)
    for cell in dict.fromkeys(result.case.cell for result in compared):
        of_cell = [result for result in compared if result.case.cell == cell]
        if any(r is not None for group in _ratios(of_cell).values() for r in group.values()):
            ratio_figure(cell, of_cell).savefig(folder / f"ratios-{cell}.png", dpi=_DPI)
    for cell in dict.fromkeys(result.case.cell for result in lengths):
        timed = [result for result in lengths if result.case.cell == cell and result.seconds is not None]
        if len({result.case.shape for result in timed}) > 1:
            length_figure(cell, timed).savefig(folder / f"lengths-{cell}.png", dpi=_DPI)


def ratio_figure(cell: str, results: Sequence[Result]) -> Figure:
    """Draws one row per shape and one mark per system, at its time over the best peer's; a panel per mode."""
    modes = list(dict.fromkeys(result.mode for result in results))
    shapes = list(dict.fromkeys(result.case.shape for result in results))
    systems = list(dict.fromkeys(result.case.system for result in results))
    figure = Figure(figsize=(1.4 * figure_settings.WIDTH, 1.6 + 0.55 * len(shapes)), layout="constrained")
    found = _ratios(results)
    handles = []
    for axes, mode in zip(figure.subplots(1, len(modes), sharey=True, squeeze=False)[0], modes, strict=True):
        axes.axvline(1, color=figure_style.INK, linewidth=1, zorder=1)
        drawn = []
        for i, system in enumerate(systems):
            points = [(found[shape, mode].get(system), y) for y, shape in enumerate(shapes)]
            points = [(ratio, y) for ratio, y in points if ratio is not None]
            style = figure_style.style(i) | {"linestyle": "none"}
            label = figure_style.text(system)
            drawn += axes.plot([r for r, _ in points], [y for _, y in points], label=label, markersize=7, **style)
        handles = drawn
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        axes.set_xlabel("time / best peer's")
        axes.set_title(figure_style.text(f"{cell}, {MODE_NAMES[mode]}"), loc="left", fontweight="bold")
        axes.set_yticks(range(len(shapes)), [_two_lines(shape) for shape in shapes])
        axes.set_ylim(len(shapes) - 0.5, -0.5)
        figure_style.plain(axes)
        axes.grid(color=figure_style.GRID, linewidth=0.7)
        axes.set_axisbelow(True)
    figure_style.legend(figure, handles)
    return figure


def length_figure(cell: str, results: Sequence[Result]) -> Figure:
    """Draws milliseconds against T, both logarithmic, with lines proportional to T through the longest."""
    figure = Figure(figsize=(figure_settings.WIDTH, 3.9), layout="constrained")
    axes = figure.add_subplot()
    handles = []
    groups: dict[str, list[tuple[int, float]]] = {}
    for result in results:
        assert result.seconds is not None
        label = f"{result.case.system}, {MODE_NAMES[result.mode]}"
        groups.setdefault(label, []).append((result.case.shape.time, 1e3 * result.seconds))
    for i, (label, unordered) in enumerate(groups.items()):
        points = sorted(unordered)
        style = figure_style.style(i)
        handles += axes.plot(
            [t for t, _ in points], [ms for _, ms in points], label=figure_style.text(label), markersize=5, **style
        )
        first, (last, ms) = points[0][0], points[-1]
        proportional = axes.plot(
            [first, last], [ms * first / last, ms], color=figure_style.FAINT, linewidth=0.8, zorder=1
        )
        if i == 0:
            proportional[0].set_label("proportional to T")
            handles += proportional
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    shape = results[0].case.shape
    title = f"{cell}  B={shape.batch} D={shape.input_size} H={shape.hidden_size}"
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel("T, steps")
    axes.set_ylabel("ms")
    figure_style.plain(axes)
    axes.grid(color=figure_style.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    figure_style.legend(figure, handles)
    return figure


def _ratios(results: Sequence[Result]) -> dict[tuple[Shape, str], dict[str, float | None]]:
    """Returns each system's time over the best peer's, by shape and mode."""
    return {
        (shape, mode): ratios({name: result.seconds for name, result in group.items()})
        for (_, shape, mode), group in comparisons(results).items()
    }


def _two_lines(shape: Shape) -> str:
    return f"B={shape.batch} T={shape.time}\nD={shape.input_size} H={shape.hidden_size}"
