"""Logarithmic axes: correct tick labels over any range, and the values beyond a clipped axis."""

import math
import re

import numpy as np
import pytest

from gru_research.report import drawing, exhibits
from gru_research.report.drawing import log_axis

WORDS = exhibits.Words("Title", "what is in it", "What to see.")


def line(label: str, *values: float | None, title: str = "") -> exhibits.Panel:
    shown = exhibits.Line(label, 0, tuple(map(float, range(1, len(values) + 1))), values)
    return exhibits.Panel(title, (shown,), exhibits.Axis("rank"), exhibits.Axis("value", "powers"))


def curves(*panels: exhibits.Panel) -> exhibits.Plot:
    return exhibits.Plot("n", WORDS, panels)


def dots(*rows: exhibits.Dot, scale: exhibits.Scale = "powers") -> exhibits.Dots:
    return exhibits.Dots("n", WORDS, rows, exhibits.Axis("cost", scale))


def number(label: str) -> float:
    """Parses a tick label: "1", "0.5", "$10^{-3}$" or "$2\\times 10^{7}$"."""
    text = label.strip("$").replace("\u2212", "-")
    if found := re.fullmatch(r"(?:(.*)\\times )?10\^\{(.*)\}", text):
        return float(found[1] or 1) * 10 ** float(found[2])
    return float(text)


def ticks(axis) -> dict[float, str]:
    """Returns the labels within the axis limits, by position."""
    axis.axes.figure.draw_without_rendering()
    low, high = sorted(axis.get_view_interval())
    shown = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return {float(at): label.get_text() for at, label in shown if low <= at <= high}


@pytest.mark.parametrize(
    ("low", "high"),
    [(-0.1, 0.85), (0.0, 0.05), (0.31, 0.315), (-1.7, 0.2), (-6.2, -5.5), (7.0, 7.9), (-12.0, 1.0), (-300.0, -290.0)],
)
@pytest.mark.parametrize("kind", ["lines", "dots"])
def test_every_tick_says_where_it_is(low: float, high: float, kind: str) -> None:
    if kind == "lines":
        axis = drawing.draw(curves(line("GRU", low, high))).axes[0].yaxis
    else:
        axis = drawing.draw(dots(exhibits.Dot("a", low), exhibits.Dot("b", high))).axes[0].xaxis
    found = ticks(axis)
    assert len(found) >= 2
    assert len(set(found.values())) == len(found)  # not "1, 10^0, 10^0, 10^1, 10^1"
    for at, label in found.items():
        assert math.log10(number(label)) == pytest.approx(at, abs=1e-5)


def test_a_cost_between_half_and_sevenfold_has_round_numbers() -> None:
    axis = drawing.draw(curves(line("GRU", math.log10(0.5), math.log10(7)))).axes[0].yaxis
    assert list(ticks(axis).values()) == ["0.5", "1", "2", "5"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((-30.0, 9.0), None),
        ((-412.0, 0.5), (-20.0, 0.5)),
        ((-412.0, 300.0), (-20.0, 20.0)),
        ((-1.0, 400.0), (-1.0, 20.0)),
        ((-412.0, -100.0), (-120.0, -100.0)),
        ((50.0, 400.0), (50.0, 70.0)),
        ((None, None), None),
    ],
)
def test_an_axis_over_hundreds_of_decades_is_cut_around_one(values, expected) -> None:
    assert log_axis.window(values) == expected


def test_what_lies_outside_is_said_and_does_not_flatten_the_rest() -> None:
    shown = curves(line("GRU", 0.2, -1.0, title="before"), line("RNN", -3.0, -412.3, title="after"))
    assert (
        drawing.captioned(shown).caption == "What to see. The axis is cut. Below 1.0e-20: RNN (after) down to 5.0e-413."
    )
    low, high = drawing.draw(shown).axes[0].get_ylim()
    assert -22 < low < -20 and 0.2 < high < 2
    # From 0.2 to -1 is a visible part of the axis now.
    assert 1.2 / (high - low) > 0.05


def test_ends_of_intervals_are_cut_too() -> None:
    shown = dots(exhibits.Dot("held", 0.5, -80.0, 90.0), exhibits.Dot("silenced", 0.1))
    caption = drawing.captioned(shown).caption
    assert caption.endswith("Below 1.0e-20: held down to 1.0e-80. Above 1.0e20: held up to 1.0e90.")
    assert np.allclose(drawing.draw(shown).axes[0].get_xlim(), (-22, 22))


def test_a_linear_axis_is_left_alone() -> None:
    shown = dots(exhibits.Dot("a", -300.0), exhibits.Dot("b", 300.0), scale="linear")
    assert drawing.captioned(shown).caption == "What to see."
    assert drawing.draw(shown).axes[0].get_xlim()[1] > 300
