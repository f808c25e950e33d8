"""Exhibits: writing and reading as JSON, reproducible figure files, and the intervals of numbers over seeds."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gru_research.report import exhibits, files, markup, over_seeds
from gru_research.tables import Heading, Table

WORDS = exhibits.Words("Title", "what is in it", "what to see")
LINES = (exhibits.Line("GRU", 0, (1.0, 10.0), (0.0, None), (-1.0, None), (1.0, None)),)
MARKS = (
    exhibits.Line("", 1, marks=(exhibits.Mark(1.0, math.inf, "cross"), exhibits.Mark(2.0, 0.5, "ring"))),
    exhibits.Line("inf", "baseline", (1.0, 2.0), (0.1, 0.2), (0.0, -math.inf), (math.inf, 0.3), whiskers=True),
    exhibits.Line("steps", 2, (1.0, 2.0), (0.1, 0.2), seeds=((0.1, None), (0.3, 0.2)), steps=True),
)
LAG, RATE = exhibits.Axis("lag", "log"), exhibits.Axis("rate", "rate", limits=(0.1, 10.0), ticks=((1.0, "one"),))
ERROR = exhibits.Axis(
    "MSE", "fitted log", (exhibits.Reference(0.1, "trivial", "baseline"), exhibits.Reference(900.0, "far"))
)
EXAMPLES = (
    Table("caption", (Heading("cell", "left"), Heading("value")), (("GRU", "1"), ("a|b", "-"))),
    exhibits.Plot("lines", WORDS, (exhibits.Panel("one", LINES, LAG, exhibits.Axis("norm", "powers")),)),
    exhibits.Plot(
        "marks",
        WORDS,
        (exhibits.Panel("one", MARKS, RATE, ERROR, (0.1, 1.0)), exhibits.Panel("two", LINES, RATE, ERROR)),
        columns=2,
        panel_inches=1.9,
        keys=(("ring", "chosen"), ("bar", "the end")),
    ),
    exhibits.Dots("dots", WORDS, (exhibits.Dot("x", 1.0, 0.5, 2.0), exhibits.Dot("y", None, group=1)),
                  exhibits.Axis("value", "powers", exhibits.level(0.0)), ("first", "second")),
    exhibits.Dots("seeds", WORDS, (exhibits.Dot("x", 0.5, 0.1, math.inf, 2, (0.2, None), "lost"),), ERROR, (), "task"),
    exhibits.Bars("bars", WORDS, (exhibits.Bar("GRU", 0, (1.0, None), ("1", "-")),), ("ms", "parameters"), "task"),
    exhibits.Heat(
        "heat",
        WORDS,
        {"number": (0.5, 0.25, None), "marker": (0.0, 1.0, 0.0)},
        {"update gate z": ((0.1, 0.2, 0.3), (0.9, 0.8, 1.0))},
        (3, 1),
        {"sum": (0.0, 0.25, 0.25)},
    ),
    exhibits.Grid("scores", WORDS, ("adding",), ("GRU", "RNN"), ((0.5, None),), texts=(("0.50\n1/5", ""),)),
    exhibits.Grid("grid", WORDS, ("WALK", "<end>"), ("walk", "twice"), ((0.25, 0.75), (None, 1.0)), "answer", "input"),
    exhibits.Sound("sound", WORDS, "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="),
)  # fmt: skip


@pytest.mark.parametrize("exhibit", EXAMPLES, ids=lambda e: getattr(e, "name", "table"))
def test_they_come_back_from_json_as_they_were(exhibit: exhibits.Exhibit) -> None:
    text = json.dumps(exhibits.to_json(exhibit), allow_nan=False)
    assert exhibits.from_json(json.loads(text)) == exhibit


def test_a_table_of_an_old_file_has_a_left_aligned_first_column() -> None:
    rows = [["GRU", "1"], ["a|b", "-"]]
    old = {"kind": "table", "caption": "caption", "headings": ["cell", "value"], "rows": rows}
    assert exhibits.from_json(old) == EXAMPLES[0]


def test_figures_of_an_old_file_get_axes() -> None:
    words = {"title": "Title", "alt": "what is in it", "caption": "what to see"}
    line = {"label": "GRU", "place": 0, "x": [1.0, 10.0], "y": [0.0, None], "low": [-1.0, None], "high": [1.0, None]}
    lines = {"kind": "lines", "name": "lines", "words": words, "panels": [{"title": "one", "lines": [line]}]}
    lines |= {"x_label": "lag", "y_label": "norm", "powers": True, "x_logarithmic": True}
    assert exhibits.from_json(lines) == EXAMPLES[1]
    rows = [
        {"label": "x", "value": 1.0, "low": 0.5, "high": 2.0, "group": 0},
        {"label": "y", "value": None, "low": None, "high": None, "group": 1},
    ]
    dots = {"kind": "dots", "name": "dots", "words": words, "rows": rows, "groups": ["first", "second"]}
    dots |= {"x_label": "value", "reference": 0.0, "powers": True}
    assert exhibits.from_json(dots) == EXAMPLES[3]


@pytest.mark.parametrize(
    "value",
    [{"kind": "film"}, {"kind": "table", "caption": "x"}, {"kind": "plot", "words": {"title": "x"}, "panels": []}],
)
def test_what_is_none_of_them_is_an_error(value: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        exhibits.from_json({"words": {}, **value} if value["kind"] == "film" else value)


def test_the_same_exhibits_make_the_same_files(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        figures = files.Figures(tmp_path / name)
        parts = figures.parts(EXAMPLES)
        assert "a|b" in str(parts[0])
        made.append([path.read_bytes() for path in figures.paths])
    assert made[0] == made[1] and len(made[0]) == 8


def test_a_figure_of_nothing_finite_is_drawn_all_the_same(tmp_path: Path) -> None:
    nothing = exhibits.Line("GRU", 0, (1.0, 10.0), (None, None))
    shown = exhibits.Plot("n", WORDS, (exhibits.Panel("", (nothing,), LAG, exhibits.Axis("y")),))
    part = files.Figures(tmp_path / "figures").add(shown)
    assert isinstance(part, markup.Picture) and part.svg


def test_numbers_that_are_not_finite_are_gaps() -> None:
    assert exhibits.numbers([1, math.inf, None, math.nan]) == (1.0, None, None, None)
    assert exhibits.dot("x", (1, -math.inf, math.inf), 2) == exhibits.Dot("x", 1.0, None, None, 2)


def test_seeds_enough_have_an_interval_fewer_a_range_and_one_nothing() -> None:
    values = np.arange(20.0)
    assert over_seeds.band(values) == (5.0, 14.0)
    assert over_seeds.band(values[:3]) == (0.0, 2.0)
    assert over_seeds.text(values, str) == "9.5 [5.0, 14.0]"
    assert over_seeds.text([3.0, 1.0, 2.0], str) == "2.0 (1.0 to 3.0)"
    assert over_seeds.text([3.0], str) == "3.0"
    line = over_seeds.line("GRU", 1, (1, 2), np.stack([values, values + 1], -1))
    assert (line.y, line.low, line.high) == ((9.5, 10.5), (5.0, 6.0), (14.0, 15.0))
    assert over_seeds.line("GRU", 1, (1,), [[4.0]]).low == ()
    assert [over_seeds.shown(n).split()[-1] for n in (1, 3, 20)] == ["seed", "range", "interval"]
    assert over_seeds.median(np.array([-math.inf, -math.inf, 1.0, 2.0])) == -math.inf
    assert over_seeds.median(np.array([-math.inf, -math.inf])) == -math.inf
