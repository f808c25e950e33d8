"""The figures of a suite: the heat map of scores, their means, profiles, and the pairs of cells."""

from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.patches import Rectangle

from gru_research import stats
from gru_research.plural import several
from gru_research.report import figure_style, pairwise_tests, scales
from gru_research.report.study import aggregate, captions, horizon, reading

_SLANTED = 9  # the longest column label that fits horizontally, in characters
_COLOURS = "cividis"  # evenly increasing brightness, suitable for colour-blind readers


def illustrations(study: reading.Study, found: aggregate.Scores) -> list[figure_style.Illustration]:
    """Returns the figures for which there are scores."""
    made = []
    if found.cells:
        made.append(heat_map(study, found))
    if found.common:
        made += [means(study, found), profiles(study, found)]
    if improvements := aggregate.improvements(study):
        rows = [(x, y, estimate) for x, y, _, estimate in improvements]
        enough = captions.least_seeds(study) >= aggregate.MIN_SEEDS_FOR_INTERVAL
        made.append(pairwise_tests.illustration(rows, study.title, intervals=enough))
    return made


def heat_map(study: reading.Study, found: aggregate.Scores) -> figure_style.Illustration:
    """Draws the interquartile mean of the normalised scores of every cell on every task, as a number on a colour."""
    columns, rows = found.cells, [run.name for run in study.runs]
    slanted = max(map(len, columns)) > _SLANTED or len(columns) > 5
    height = 0.5 + 0.46 * len(rows) + (0.6 if slanted else 0)
    figure = figure_style.sheet(height, least_width=1.9 + 0.54 * len(columns))
    axes = figure.add_subplot()
    colours = matplotlib.colormaps[_COLOURS]
    for y, run in enumerate(study.runs):
        for x, label in enumerate(columns):
            scores = found.by_run.get(run.name, {}).get(label)
            if scores is None:
                axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="white", edgecolor="#999999", hatch="////",
                                         linewidth=0))  # fmt: skip
            else:
                _draw_score(axes, x, y, stats.iqm(scores), _solved(run, label), colours)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    figure_style.name_rows(axes, rows)
    labels = [figure_style.text(figure_style.shortened(label, 18)) for label in columns]
    axes.set_xticks(range(len(columns)), labels, rotation=35 if slanted else 0, ha="left" if slanted else "center")
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    _draw_gaps(axes, len(columns), len(rows))
    return figure_style.Illustration(
        "scores",
        figure,
        "Normalised scores",
        f"Heat map of the normalised score of {several(len(columns), 'cell')} on {several(len(rows), 'task')}.",
        captions.heat_map_caption(study, found),
    )


def means(study: reading.Study, found: aggregate.Scores) -> figure_style.Illustration:
    """Plots the interquartile mean of each cell's scores over the common tasks, with its interval."""
    figure = figure_style.sheet(1.1 + 0.45 * len(found.cells))
    axes = figure.add_subplot()
    figure_style.plain(axes)
    figure_style.title(axes, study.title)
    for y, (label, estimate) in enumerate(aggregate.iqms(found).items()):
        look = figure_style.style(study.labels.index(label))
        if found.least_seeds >= aggregate.MIN_SEEDS_FOR_INTERVAL:
            axes.plot([estimate.low, estimate.high], [y, y], color=look["color"], linewidth=3, solid_capstyle="butt",
                      clip_on=False)  # fmt: skip
        axes.plot([estimate.value], [y], color=look["color"], marker=look["marker"], markersize=8, clip_on=False)
    figure_style.name_rows(axes, found.cells)
    _score_axis(axes)
    axes.set_xlabel("interquartile mean of the normalised scores")
    return figure_style.Illustration(
        "means",
        figure,
        "Scores over all tasks",
        f"Dot chart of the interquartile mean of the normalised scores, for {', '.join(found.cells)}.",
        captions.means_caption(found),
    )


def profiles(study: reading.Study, found: aggregate.Scores) -> figure_style.Illustration:
    """Plots, for each cell, the share of all runs above a score, against the score."""
    figure = figure_style.sheet(3.9)
    axes = figure.add_subplot()
    figure_style.plain(axes)
    figure_style.title(axes, study.title)
    for label, profile in aggregate.profiles(found).items():
        look = figure_style.style(study.labels.index(label))
        if found.least_seeds >= aggregate.MIN_SEEDS_FOR_INTERVAL:
            axes.fill_between(
                profile.thresholds, profile.low, profile.high, color=look["color"], alpha=0.16, linewidth=0
            )
        axes.plot(profile.thresholds, profile.share, linewidth=1.9, markersize=5, markevery=(5, 14), **look)
    _score_axis(axes)
    axes.set_ylim(0, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("normalised score")
    axes.set_ylabel("runs with more than that")
    figure_style.legend(figure, [figure_style.key(label, study.labels.index(label)) for label in found.cells])
    return figure_style.Illustration(
        "profiles",
        figure,
        "Performance profiles",
        f"Line chart of the share of runs above each normalised score, for {', '.join(found.cells)}.",
        captions.profiles_caption(found),
    )


def _draw_score(axes: Axes, x: int, y: int, score: float, solved: str, colours: Colormap) -> None:
    red, green, blue, _ = colours(score)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=(red, green, blue), linewidth=0))
    look: dict[str, Any] = {"ha": "center", "color": "white" if dark else "black"}
    axes.text(x, y, captions.score(score), va="bottom", fontsize=figure_style.points(10), fontweight="bold", **look)
    axes.text(x, y + 0.08, solved, va="top", fontsize=figure_style.points(8), **look)


def _draw_gaps(axes: Axes, columns: int, rows: int) -> None:
    for x in range(1, columns):
        axes.axvline(x - 0.5, color="white", linewidth=2)
    for y in range(1, rows):
        axes.axhline(y - 0.5, color="white", linewidth=2)


def _solved(run: reading.StudyRun, label: str) -> str:
    cell = run.cell(label)
    return f"{horizon.solved(cell)}/{len(cell.seeds)}" if cell else ""


def _score_axis(axes: Axes) -> None:
    """Sets the x axis from the baseline to the threshold, with a line at both."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0\nbaseline", "0.25", "0.5", "0.75", "1\nthreshold"])
    axes.axvline(0, zorder=1, **scales.BASELINE)
    axes.axvline(1, zorder=1, **scales.THRESHOLD)
