"""The style of all figures.

Matplotlib's pyplot is never imported, as it has global state and may need a display. The colours are by Okabe
and Ito, which colour-blind readers can distinguish. Each cell also has a marker and a line style, for greyscale print.
Widths and font sizes follow `figure_settings`.
"""

import functools
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import matplotlib.font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gru_research.report import figure_settings, formatting

INK, FAINT, GRID, SHADE = "#222222", "#6b6b6b", "#dddddd", "#eeeeee"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5, 1, 1.5)))
# The best trivial answer, the baseline, is bolder than others: better values show that something was learned.
_REFERENCES: dict[str, dict[str, Any]] = {
    "level": {"color": INK, "linestyle": "-", "linewidth": 1.2},
    "baseline": {"color": FAINT, "linestyle": (0, (6, 3)), "linewidth": 1.1},
    "trivial": {"color": FAINT, "linestyle": (0, (6, 3)), "linewidth": 0.7},
    "threshold": {"color": INK, "linestyle": (0, (1, 2)), "linewidth": 1.3},
}
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_ROW_LABEL, _LEAST_LABEL = 20, 8  # characters
_LEGEND_ROW = 0.2  # inches
_ORDINARY = 10  # points
_BOX = "\u25a1"


def width() -> float:
    """Returns the width of a figure in inches, from the applied settings."""
    return figure_settings.current().inches


def room() -> float:
    """Returns how much text fits across a figure, relative to the style "screen"."""
    return width() / points(figure_settings.WIDTH)


def points(size: float) -> float:
    """Scales a size, given for ordinary text of 10 points, to the applied font size."""
    return size * matplotlib.rcParams["font.size"] / _ORDINARY


def sheet(height: float, least_width: float = 0.0) -> Figure:
    """Returns an empty figure with constrained layout. `height` and `least_width` are in inches, for text of 10 points.
    The width is from the settings, but at least `least_width`."""
    return Figure(figsize=(max(width(), points(least_width)), points(height)), layout="constrained")


def plain(axes: Axes, grid: bool = True) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    axes.tick_params(color=FAINT, labelcolor=INK)
    if grid:
        axes.grid(color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)


def title(axes: Axes, words: str) -> None:
    axes.set_title(text(words), loc="left", fontweight="bold")


def style(place: int | str) -> dict[str, Any]:
    """Returns colour, marker and line style of the cell at `place`, or of a kind of reference. The styles of the first
    315 cells all differ."""
    if isinstance(place, str):
        return _REFERENCES[place] | {"marker": ""}
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linestyle": _LINES[place % len(_LINES)],
        "marker": _MARKERS[place % len(_MARKERS)],
    }


def key(label: str, place: int | str, line: bool = True) -> Line2D:
    """Returns the legend entry of a line, or of single marks."""
    look: dict[str, Any] = {"linewidth": 1.9, "markersize": 5} | style(place) | ({} if line else {"linestyle": "none"})
    return Line2D([], [], label=text(formatting.shortened(label)), **look)


def legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Adds a legend below the axes. The longest label limits the number of columns; the figure grows with the rows."""
    if handles:
        longest = max(len(str(handle.get_label())) for handle in handles)
        columns = max(1, round(room() * (3 if longest <= 12 else 2 if longest <= 28 else 1)))
        rows = math.ceil(len(handles) / columns)
        figure.set_figheight(figure.get_figheight() + points(_LEGEND_ROW) * max(0, rows - 2))
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, handlelength=3,
                      fontsize=points(9))  # fmt: skip


def name_rows(axes: Axes, labels: Sequence[str], remarks: Sequence[str] = (), characters: int = _ROW_LABEL) -> None:
    """Names the rows of `axes`, the first on top. A label has at most two lines of `characters` each, scaled with the
    figure's width. Its remark follows on a new line."""
    remarks = [*remarks, *[""] * (len(labels) - len(remarks))]
    names = [
        "\n".join(filter(None, [_wrapped(label, max(_LEAST_LABEL, int(characters * room()))), remark]))
        for label, remark in zip(labels, remarks, strict=True)
    ]
    axes.set_yticks(range(len(labels)), [text(name) for name in names])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _wrapped(label: str, characters: int) -> str:
    # Names may break at spaces, hyphens and underscores.
    lines = textwrap.wrap(label.replace("_", "_ "), characters, max_lines=2, placeholder="…")
    return "\n".join(line.replace("_ ", "_") for line in lines)


def text(words: str) -> str:
    """Escapes `words` so that Matplotlib shows them literally: no mathematics between dollars and no hidden legend
    entries. Characters that the font lacks become boxes, without a warning."""
    shown = "".join(
        c if c == "\n" or ord(c) in _glyphs(tuple(matplotlib.rcParams["font.family"])) else _BOX for c in words
    )
    literal = shown.replace("$", r"\$")
    return f" {literal}" if literal.startswith("_") else literal


@functools.cache
def _glyphs(families: tuple[str, ...]) -> frozenset[int]:
    """Returns the characters in any of the figures' fonts. Later fonts supply characters that the first lacks."""
    fonts = matplotlib.font_manager
    found = [fonts.get_font(fonts.findfont(fonts.FontProperties(family=[family]))) for family in families]
    return frozenset().union(*(font.get_charmap() for font in found))
