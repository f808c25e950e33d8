"""The numbers in docs/tasks.md match the tasks."""

import ast
import inspect
import math
import re
from pathlib import Path
from typing import Any

import pytest

from gru_research.report import formatting
from gru_research.tasks import TASKS, Generated, Task
from gru_research.tasks.music import COLLECTIONS
from gru_research.tasks.scan import FREQUENT, HALVES, NEAREST, SPLITS
from tests.tasks.measuring import baseline

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "tasks.md").read_text()
ROWS = {
    name: [cell.strip() for cell in rest.split("|")]
    for name, rest in re.findall(r"^\| \[(\w+)\]\(#\1\) \|(.*)\|$", TEXT, re.MULTILINE)
}
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## )", TEXT, re.DOTALL | re.MULTILINE))
OWN = ("tfds", "files")
"""Tasks whose properties depend on the config's data."""
APPLICATIONS = (
    "anomalies",
    "chorales",
    "dialogue",
    "forecasting",
    "sentiment",
    "speech",
    "summarisation",
    "translation",
)
"""Tasks with a page each, docs/applications/NAME.md."""
BENCH = [name for name in TASKS if name not in APPLICATIONS]
COMMON = {"validation_size", "test_size", "threshold"}
# Values other than the defaults, to check the formulas.
OPTIONS: dict[str, dict[str, Any]] = {
    "copy_memory": {"length": 30, "symbols": 3, "categories": 5},
    "selective_copy": {"symbols": 2, "categories": 6},
    "temporal_order": {"symbols": 3},
    "associative_recall": {"pairs": 7},
    "noisy_padded": {"classes": 4},
}


def defaults(name: str) -> dict[str, Any]:
    return {option: p.default for option, p in inspect.signature(TASKS[name]).parameters.items()}


def solved(task: Task) -> str:
    """Returns the condition for a solved task, as formatted in a report."""
    return f"{'below' if task.direction == 'min' else 'at or above'} {formatting.number(task.threshold)}"


def test_every_task_has_a_row_and_a_section_in_the_order_of_the_names() -> None:
    assert list(ROWS) == BENCH and [name for name in SECTIONS if name in TASKS] == BENCH
    generated = [name for name in BENCH if name not in OWN and isinstance(TASKS[name]().data, Generated)]
    assert (len(BENCH), len(generated)) == (18, 12)
    assert TEXT.count("eighteen tasks") == TEXT.count("Twelve generate") == 1


@pytest.mark.parametrize("name", [name for name in BENCH if name not in OWN])
def test_a_row_says_what_the_task_says(name: str) -> None:
    _, length, metric, formula, reached, threshold, config = ROWS[name]
    task = TASKS[name]()
    assert (length, metric, reached) == (str(task.length), task.metric, formatting.number(task.baseline))
    assert len(task.trivial) == 1 or formula.startswith("best of")
    assert (threshold, config) == (solved(task), f"`configs/{name}.py`")
    if formula.startswith("`"):
        for options in ({}, OPTIONS.get(name, {})):
            value = eval(formula.strip("`"), {"ln": math.log}, defaults(name) | options)
            assert value == pytest.approx(baseline(TASKS[name](**options)), rel=1e-12), (name, options)


def test_formulas_are_there_and_tried_with_other_options() -> None:
    formulas = {name for name, row in ROWS.items() if row[3].startswith("`")}
    assert formulas == OPTIONS.keys() | {"adding", "multiplication", "parity"}
    limits = {name for name, row in ROWS.items() if row[3].startswith("exact; tends to")}
    assert limits == {"modular_arithmetic", "cycle_navigation", "word_problem"}
    for name, limit in (("modular_arithmetic", 1 / 5), ("cycle_navigation", 1 / 5), ("word_problem", 1 / 60)):
        assert baseline(TASKS[name]()) == pytest.approx(limit, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in BENCH if name not in OWN])
def test_a_section_has_the_options_with_their_defaults(name: str) -> None:
    (listed,) = re.findall(r"^- Options: (.*?)(?=^- |\Z)", SECTIONS[name], re.DOTALL | re.MULTILINE)
    found = {option: ast.literal_eval(value) for option, value in re.findall(r"`(\w+)=([^`]*)`", listed)}
    expected = defaults(name)
    assert found == {option: value for option, value in expected.items() if option not in COMMON | {"learned"}}


def test_every_application_has_a_row_that_names_its_page_and_config() -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\(applications/\1\.md\) \|.*\| `configs/applications/\1\.py` \|$", TEXT, re.MULTILINE
    )
    assert tuple(rows) == APPLICATIONS


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_page_of_an_application_has_its_options_with_their_defaults(name: str) -> None:
    page = (ROOT / "docs" / "applications" / f"{name}.md").read_text()
    rows = re.findall(
        r"^\| `(\w+)` \| `(.*?)` \|", page.partition("## Options\n")[2].partition("\n## ")[0], re.MULTILINE
    )
    found = {option: ast.literal_eval(value) for option, value in rows}
    expected = defaults(name)
    assert found == {option: value for option, value in expected.items() if option not in ("dirs", "learned")}


@pytest.mark.parametrize("name", OWN)
def test_options_of_one_s_own_data_are_there(name: str) -> None:
    named = set(re.findall(r"`(\w+)[`=]", SECTIONS[name]))
    assert defaults(name).keys() - {"dirs", "learned"} <= named


def test_the_collections_of_music() -> None:
    found = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", SECTIONS["music"], re.MULTILINE)
    rows = {name: row for name, *row in found}
    assert rows.keys() - {"dataset"} == COLLECTIONS.keys()
    for name in COLLECTIONS:
        task, (length, reached, threshold) = TASKS["music"](dataset=name), rows[name]
        segment = COLLECTIONS[name].segment or "whole"
        assert length == f"{task.length:,}, {segment}"
        assert (reached, threshold) == (formatting.number(baseline(task)), solved(task))


def test_the_splits_of_scan() -> None:
    heading, *rows = re.findall(
        r"^\| (`?\w+`?) \| (.*) \| (.*) \| (.*) \| (.*) \| (.*) \|$", SECTIONS["scan"], re.MULTILINE
    )
    assert heading[2:5] == (FREQUENT, NEAREST, HALVES) and [row[0].strip("`") for row in rows] == list(SPLITS)
    for split, longest, *reached, threshold in rows:
        task = TASKS["scan"](split=split.strip("`"))
        assert longest == str(task.spec.example["targets"].shape[0] - 1)
        assert reached == [formatting.number(value) for value in task.trivial.values()]
        assert threshold == ("-" if task.threshold is None else solved(task))


def test_baselines_of_listops_are_those_that_it_says() -> None:
    section = " ".join(SECTIONS["listops"].split())
    assert "the baseline is 0.13 at a length of 20, 0.15 at 40 and 0.16 from 100 on" in section
    baselines = [round(baseline(TASKS["listops"](length=length)), 2) for length in (20, 40, 100, 200, 400)]
    assert baselines == [0.13, 0.15, 0.16, 0.16, 0.16]
