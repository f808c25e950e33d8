"""The benchmark's figures: times relative to the best peer, and time against length."""

from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks.cases import Shape
from experiments.benchmarks.results import Result, comparisons, ratios
from experiments.benchmarks.tables import MODE_NAMES
from gru_research.report import exhibits, figure_settings, files

_WIDE = figure_settings.FigureSettings(width_inches=1.4 * figure_settings.WIDTH)


def write(compared: Sequence[Result], lengths: Sequence[Result], folder: Path) -> None:
    """Writes `ratios-CELL.png` for each cell that a peer was timed on, and `lengths-CELL.png` for several lengths."""
    drawn = files.Figures(folder)
    for cell in dict.fromkeys(result.case.cell for result in compared):
        of_cell = [result for result in compared if result.case.cell == cell]
        if any(r is not None for group in _ratios(of_cell).values() for r in group.values()):
            with _WIDE.applied():
                drawn.add(ratio_figure(cell, of_cell))
    for cell in dict.fromkeys(result.case.cell for result in lengths):
        timed = [result for result in lengths if result.case.cell == cell and result.seconds is not None]
        if len({result.case.shape for result in timed}) > 1:
            drawn.add(length_figure(cell, timed))


def ratio_figure(cell: str, results: Sequence[Result]) -> exhibits.Plot:
    """Shows one row per shape and one mark per system, at its time over the best peer's; a panel per mode."""
    modes = list(dict.fromkeys(result.mode for result in results))
    shapes = list(dict.fromkeys(result.case.shape for result in results))
    systems = list(dict.fromkeys(result.case.system for result in results))
    found = _ratios(results)
    panels = []
    for mode in modes:
        lines = []
        for place, system in enumerate(systems):
            marks = [
                exhibits.Mark(ratio, y)
                for y, shape in enumerate(shapes)
                if (ratio := found[shape, mode].get(system)) is not None
            ]
            lines.append(exhibits.Line(system, place, marks=tuple(marks)))
        times = [1.0, *(mark.x for line in lines for mark in line.marks)]
        x = exhibits.Axis("time / best peer's", "fitted log", exhibits.level(1.0), (min(times), max(times)))
        ticks = tuple((y, _two_lines(shape)) for y, shape in enumerate(shapes))
        y = exhibits.Axis("", limits=(len(shapes) - 0.5, -0.5), ticks=ticks)
        panels.append(exhibits.Panel(f"{cell}, {MODE_NAMES[mode]}", tuple(lines), x, y))
    words = exhibits.Words("Relative times", f"Times of {', '.join(systems)} over the best peer's.", "")
    height = 0.7 + 0.55 * len(shapes)
    return exhibits.Plot(f"ratios-{cell}", words, tuple(panels), len(panels), height)


def length_figure(cell: str, results: Sequence[Result]) -> exhibits.Plot:
    """Shows milliseconds against T, both logarithmic, with lines proportional to T through the longest."""
    groups: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        assert result.seconds is not None
        label = f"{result.case.system}, {MODE_NAMES[result.mode]}"
        groups.setdefault(label, []).append((float(result.case.shape.time), 1e3 * result.seconds))
    lines = []
    for place, (label, points) in enumerate(groups.items()):
        times, ms = zip(*sorted(points), strict=True)
        lines.append(exhibits.Line(label, place, times, ms))
        ends = (ms[-1] * times[0] / times[-1], ms[-1])
        lines.append(exhibits.Line("proportional to T", "trivial", (times[0], times[-1]), ends))
    every = sorted({time for line in lines for time in line.x})
    x = exhibits.Axis("T, steps", "log", ticks=tuple((time, f"{time:,.0f}") for time in every))
    shape = results[0].case.shape
    title = f"{cell}  B={shape.batch} D={shape.input_size} H={shape.hidden_size}"
    panel = exhibits.Panel(title, tuple(lines), x, exhibits.Axis("ms", "fitted log"))
    words = exhibits.Words("Time against length", f"Times of {', '.join(groups)} against the number of steps.", "")
    return exhibits.Plot(f"lengths-{cell}", words, (panel,), panel_inches=3.0)


def _ratios(results: Sequence[Result]) -> dict[tuple[Shape, str], dict[str, float | None]]:
    """Returns each system's time over the best peer's, by shape and mode."""
    return {
        (shape, mode): ratios({name: result.seconds for name, result in group.items()})
        for (_, shape, mode), group in comparisons(results).items()
    }


def _two_lines(shape: Shape) -> str:
    return f"B={shape.batch} T={shape.time}\nD={shape.input_size} H={shape.hidden_size}"
