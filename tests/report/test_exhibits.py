"""Exhibits: writing and reading as JSON, reproducible figure files, and the intervals of numbers over seeds."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gru_research.report import exhibits, files, markup
from gru_research.report.exhibits import html, over_seeds
from gru_research.tables import Heading, Table

WORDS = exhibits.Words("Title", "what is in it", "what to see")
EXAMPLES = (
    Table("caption", (Heading("cell", "left"), Heading("value")), (("GRU", "1"), ("a|b", "-"))),
    exhibits.Lines(
        "lines",
        WORDS,
        (exhibits.Panel("one", (exhibits.Line("GRU", 0, (1.0, 10.0), (0.0, None), (-1.0, None), (1.0, None)),)),),
        "lag",
        "norm",
        powers=True,
        x_logarithmic=True,
    ),
    exhibits.Dots("dots", WORDS, (exhibits.Dot("x", 1.0, 0.5, 2.0), exhibits.Dot("y", None, group=1)), "value", 0.0,
                  ("first", "second"), powers=True),
    exhibits.Heat(
        "heat",
        WORDS,
        {"number": (0.5, 0.25, None), "marker": (0.0, 1.0, 0.0)},
        {"update gate z": ((0.1, 0.2, 0.3), (0.9, 0.8, 1.0))},
        (3, 1),
        {"sum": (0.0, 0.25, 0.25)},
    ),
    exhibits.Grid("grid", WORDS, ("WALK", "<end>"), ("walk", "twice"), ((0.25, 0.75), (None, 1.0)), "answer", "input"),
)  # fmt: skip


@pytest.mark.parametrize("exhibit", EXAMPLES, ids=lambda e: type(e).__name__)
def test_they_come_back_from_json_as_they_were(exhibit: exhibits.Exhibit) -> None:
    text = json.dumps(exhibits.to_json(exhibit), allow_nan=False)
    assert exhibits.from_json(json.loads(text)) == exhibit


def test_a_table_of_an_old_file_has_a_left_aligned_first_column() -> None:
    rows = [["GRU", "1"], ["a|b", "-"]]
    old = {"kind": "table", "caption": "caption", "headings": ["cell", "value"], "rows": rows}
    assert exhibits.from_json(old) == EXAMPLES[0]


@pytest.mark.parametrize(
    "value",
    [{"kind": "film"}, {"kind": "table", "caption": "x"}, {"kind": "lines", "words": {"title": "x"}, "panels": []}],
)
def test_what_is_none_of_them_is_an_error(value: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        exhibits.from_json({"words": {}, **value} if value["kind"] == "film" else value)


def test_the_same_exhibits_make_the_same_files(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        figures = files.Figures(tmp_path / name)
        parts = html.to_parts(EXAMPLES, figures)
        assert "a|b" in str(parts[0])
        made.append([path.read_bytes() for path in figures.paths])
    assert made[0] == made[1] and len(made[0]) == 4


def test_a_figure_of_nothing_finite_is_drawn_all_the_same(tmp_path: Path) -> None:
    nothing = exhibits.Line("GRU", 0, (1.0, 10.0), (None, None))
    shown = exhibits.Lines("n", WORDS, (exhibits.Panel("", (nothing,)),), "x", "y", x_logarithmic=True)
    part = html.to_part(shown, files.Figures(tmp_path / "figures"))
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
