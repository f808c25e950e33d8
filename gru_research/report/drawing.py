"""How every figure looks.

Matplotlib's pyplot, which has global state and asks for a screen, is never imported. The colours are
Okabe and Ito's, which colour-blind readers tell apart; a marker and a line style for each cell keep
them apart in grey print. A figure is narrow, so that its text is still legible on a telephone.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

WIDTH = 5.2  # inches
INK, FAINT, GRID = "#222222", "#6b6b6b", "#dddddd"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5, 1, 1.5)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


def plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    axes.tick_params(color=FAINT, labelcolor=INK)


def style(index: int) -> dict:
    """Colour, marker and line style of the cell at `index`; no two of the first 315 are alike."""
    return {
        "color": _COLOURS[index % len(_COLOURS)],
        "linestyle": _LINES[index % len(_LINES)],
        "marker": _MARKERS[index % len(_MARKERS)],
    }


def legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Below the axes, with as many columns as the longest label leaves room for."""
    if handles:
        longest = max(len(str(handle.get_label())) for handle in handles)
        columns = 3 if longest <= 12 else 2 if longest <= 28 else 1
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, handlelength=3,
                      fontsize=9)  # fmt: skip


def text(text: str) -> str:
    """`text` as Matplotlib shows it literally: no mathematics between dollars, no hidden legend entry."""
    literal = text.replace("$", r"\$")
    return f" {literal}" if literal.startswith("_") else literal
