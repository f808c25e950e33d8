"""Pages escape every text from a run, a study or a sweep: none of it becomes HTML."""

import json
from pathlib import Path
from typing import Any

import pytest
import rich.console

from gru_research import records, report
from tests.report.synthetic import Cell, Page, constant, falling, flat, two_cells, write_run, write_study

# With such a long metric name, a figure has no room for its axes.
pytestmark = pytest.mark.filterwarnings("ignore:constrained_layout not applied")
EVIL = "<script>alert(1)</script>\"' onload='x' <img src=x onerror=alert(2)> &lt;b&gt;"
KEPT = {"kind", "schema", "status"}
"""Fields whose values have a fixed meaning and stay unchanged."""
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "strong", "div", "table", "caption",
    "thead", "tbody", "tr", "th", "td", "figure", "img", "figcaption", "b", "ul", "li", "dl", "dt", "dd", "code",
    "details", "summary", "pre", "a",
}  # fmt: skip


def poisoned(value: Any, key: str = "") -> Any:
    """Appends HTML to every text of a record, and to the names of cells, metrics, trivial answers and packages."""
    if isinstance(value, dict):
        if key == "directions":
            return {f"{name}{EVIL}": direction for name, direction in value.items()}
        ending = EVIL if key in ("cells", "versions", "trivial", "metrics", "test_metrics") else ""
        return {f"{name}{ending}": poisoned(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner, key) for inner in value]
    return f"{value}{EVIL}" if isinstance(value, str) and key not in KEPT else value


def poison(workdir: Path, **header: Any) -> None:
    path = workdir / records.FILE_NAME
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0] |= header
    path.write_text("".join(json.dumps(poisoned(line)) + "\n" for line in lines))


def assert_harmless(path: Path) -> Page:
    page = Page(path)
    assert {tag for tag, _ in page.tags} <= ALLOWED and page.of("main")
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    assert all((image["src"] or "").startswith("data:image/svg+xml;base64,") for image in page.of("img"))
    assert EVIL.split()[0] in page.text
    return page


@pytest.mark.parametrize("seeds", [2, 6])
def test_a_run(tmp_path: Path, seeds: int) -> None:
    cells = two_cells(seeds) | {
        "tuned": Cell([falling(0)] * seeds, [0.1] * seeds, draws=((1e-3, 0.2), (1e-2, None)), chosen=0),
        "lost": Cell([flat(s) for s in range(seeds)], [None] * seeds, diverged={0: 300}),
        "begun": Cell([falling(s) for s in range(seeds)], [0.1] * seeds, results=1),
    }
    write_run(tmp_path, cells, planned=[*cells, "idle"], scaling="Longer is harder.", length=9)
    poison(tmp_path, warnings=["a warning"])
    paths = report.write(tmp_path, rich.console.Console(quiet=True))
    page = assert_harmless(paths.page)
    for said in ("GRU", "adding", "a warning", "Longer is harder.", "0123abcd", "experiments/compare.py", "idle"):
        assert f"{said}{EVIL}" in page.text or f"{said}{EVIL[:20]}" in page.text, said
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "figures",
        "records.jsonl",
        "report.html",
        "seeds.csv",
        "summary.csv",
    ]


@pytest.mark.parametrize("kind", ["suite", "horizon"])
def test_a_study(tmp_path: Path, kind: str) -> None:
    names = ["one", "two", "three"]
    for name in names:
        seeds = (0.01, 0.02, 0.03, 0.04, 0.05)
        write_run(tmp_path / name, {"GRU": constant(*seeds, solved=4), "RNN": constant(*seeds)}, scaling="Longer.")
        poison(tmp_path / name)
    (tmp_path / "broken<b>").mkdir()
    (tmp_path / "broken<b>" / records.FILE_NAME).write_text(json.dumps({"kind": EVIL}) + "\n")
    fields = {"field": f"task.length{EVIL}", "values": [4, 5, 6, 7], "solved": 0.5} if kind == "horizon" else {}
    write_study(tmp_path, kind, [*names, "broken<b>"], title=f"All{EVIL}", **fields)
    paths = report.write_study(tmp_path, rich.console.Console(quiet=True))
    page = assert_harmless(paths.page)
    assert "broken<b>" in page.text and "All<script>" in page.source.replace("&lt;", "<").replace("&gt;", ">")
