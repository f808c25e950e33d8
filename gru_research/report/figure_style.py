"""How every figure looks.

Matplotlib's pyplot, which has global state and asks for a screen, is never imported. The colours are
Okabe and Ito's, which colour-blind readers tell apart; a marker and a line style for each cell keep
them apart in grey print. Widths and sizes of text follow `figure_settings`.
"""

import dataclasses
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

from gru_research.report import figure_settings

INK, FAINT, GRID, SHADE = "#222222", "#6b6b6b", "#dddddd", "#eeeeee"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5, 1, 1.5)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_LEGEND_LABEL, _ROW_LABEL, _LEAST_LABEL = 28, 20, 8  # characters
_LEGEND_ROW = 0.2  # inches
_ORDINARY = 10  # points
_BOX = "\u25a1"


@dataclasses.dataclass(frozen=True)
class Illustration:
    """A figure, the `name` of its file, and its words as plain text: not yet escaped for HTML."""

    name: str
    figure: Figure
    title: str
    alt: str
    caption: str


def width() -> float:
    """Returns the width of a figure in inches, from the applied settings."""
    return figure_settings.current().inches


def room() -> float:
    """How much text a figure has room for from left to right, as a part of what the style "screen" has room for."""
    return width() / points(figure_settings.WIDTH)


def points(size: float) -> float:
    """A size of text, given for an ordinary one of 10 points."""
    return size * matplotlib.rcParams["font.size"] / _ORDINARY


def sheet(height: float, least_width: float = 0.0) -> Figure:
    """Returns an empty figure with constrained layout. `height` is in inches, for text of 10 points; its width is that
    of the settings, or `least_width` where that is more."""
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


def style(index: int) -> dict[str, Any]:
    """Colour, marker and line style of the cell at `index`; no two of the first 315 are alike."""
    return {
        "color": _COLOURS[index % len(_COLOURS)],
        "linestyle": _LINES[index % len(_LINES)],
        "marker": _MARKERS[index % len(_MARKERS)],
    }


def key(label: str, index: int) -> Line2D:
    """What a legend shows of the cell at `index`."""
    return Line2D([], [], label=text(shortened(label)), linewidth=1.9, markersize=5, **style(index))


def legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Below the axes, with as many columns as the longest label leaves room for; the figure grows by its rows."""
    if handles:
        longest = max(len(str(handle.get_label())) for handle in handles)
        columns = max(1, round(room() * (3 if longest <= 12 else 2 if longest <= 28 else 1)))
        rows = math.ceil(len(handles) / columns)
        figure.set_figheight(figure.get_figheight() + points(_LEGEND_ROW) * max(0, rows - 2))
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, handlelength=3,
                      fontsize=points(9))  # fmt: skip


def name_rows(axes: Axes, labels: Sequence[str], remarks: Sequence[str] = (), characters: int = _ROW_LABEL) -> None:
    """Names the rows of `axes`, the first on top. A label has at most two lines, of `characters` each or fewer on a
    narrow figure, then its remark."""
    remarks = [*remarks, *[""] * (len(labels) - len(remarks))]
    names = [
        "\n".join(filter(None, [_wrapped(label, max(_LEAST_LABEL, int(characters * room()))), remark]))
        for label, remark in zip(labels, remarks, strict=True)
    ]
    axes.set_yticks(range(len(labels)), [text(name) for name in names])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _wrapped(label: str, characters: int) -> str:
    # Underscores are where a name may break, besides spaces and hyphens.
    lines = textwrap.wrap(label.replace("_", "_ "), characters, max_lines=2, placeholder="…")
    return "\n".join(line.replace("_ ", "_") for line in lines)


def shortened(label: str, characters: int = _LEGEND_LABEL) -> str:
    return label if len(label) <= characters else label[: characters - 1] + "…"


def text(words: str) -> str:
    """`words` as Matplotlib shows them literally: no mathematics between dollars, no hidden legend entry, and a box for
    what its font lacks, without a warning."""
    shown = "".join(
        c if c == "\n" or ord(c) in _glyphs(tuple(matplotlib.rcParams["font.family"])) else _BOX for c in words
    )
    literal = shown.replace("$", r"\$")
    return f" {literal}" if literal.startswith("_") else literal


@functools.cache
def _glyphs(families: tuple[str, ...]) -> frozenset[int]:
    """The characters of the fonts in which figures are set: what the first lacks is taken from the next."""
    fonts = matplotlib.font_manager
    found = [fonts.get_font(fonts.findfont(fonts.FontProperties(family=[family]))) for family in families]
    return frozenset().union(*(font.get_charmap() for font in found))
