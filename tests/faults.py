"""Marks for tests that provoke faults, and the page with the message of each fault, written from the tests.

A test is marked with the faults that it provokes. It records what a user gets for each, in the order of the marks:

    @fault("records", "a line that isn't JSON")
    def test_...():
        with pytest.raises(RecordsError) as caught:
            ...
        seen(caught)

`python -m pytest -m fault --faults=docs/faults.md` writes the page. Marks are string literals, so that `marked` finds
them without running anything.
"""

import ast
import re
import subprocess
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gru_research.config import UserError
from gru_research.records import RecordsError

ROOT = Path(__file__).resolve().parents[1]
AREAS = (
    "command line", "config", "tasks", "data", "cells and layers", "weights", "records", "reports", "studies",
    "checkpoints", "working directory", "signals", "trackers", "sweeps", "plan and doctor", "predictions", "names",
    "file contents",
)  # fmt: skip
GOES_ON = "continues"
LONGEST = 300  # the most characters of a message on the page

INTRODUCTION = """# Faults and their messages

Each row is a fault that a test provokes, with the message that resulted.
`python -m pytest -m fault --faults=docs/faults.md` runs these tests and writes this page.
Messages show directories as DIR and are cut at {longest} characters, marked by ….
The column "ends" has

- an exit status of the command: 2 after a mistake or a fault of the machine, with one line on stderr, `error: MESSAGE`,
  and no traceback; 143 after SIGTERM and SIGUSR2; 130 after Ctrl-C.
- "{goes_on}": the run ends as it would without the fault. The message is what it prints about the fault, if anything.
- a Python exception, which the library raises in your own code.
"""

fault = pytest.mark.fault
"""`fault(area, kind, ...)`: the marked test provokes these kinds of faults."""

_SEEN: list[tuple[str, str]] = []


def seen(what: object, ends: str = "") -> None:
    """Records the message of the running test's next fault.

    Args:
      what: the exception, its `pytest.raises` info, a finished command, or the text that a run prints.
      ends: how the fault ends, if `what` doesn't determine it.
    """
    if isinstance(what, pytest.ExceptionInfo):
        what = what.value
    if isinstance(what, subprocess.CompletedProcess):
        ends, what = ends or str(what.returncode), what.stderr.removeprefix("error: ")
    if isinstance(what, BaseException):
        ends = ends or ("2" if isinstance(what, UserError | RecordsError) else type(what).__name__)
    _SEEN.append((plain(str(what)), ends or GOES_ON))


def plain(text: str) -> str:
    """Returns the text as one line, without the parts that differ between runs."""
    text = re.sub(r"(/[\w.-]+)*/pytest-\d+(/popen-gw\d+)?/[\w.-]+", "DIR", text)
    text = text.replace(f"{ROOT}/", "").replace(str(ROOT), ".")
    text = re.sub(r"process \d+ on [\w.-]+", "process 1234 on HOST", text)
    text = re.sub(r"worker [\w.-]+:\d+", "worker HOST:1234", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


class Faults:
    """A pytest plugin that compares tests with their marks, and writes `page` if it is given."""

    def __init__(self, page: Path | None):
        self.page = page
        self.rows: list[list[str]] = []
        self.lacking: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Function) -> Generator[None, object, object]:
        _SEEN.clear()
        result = yield
        kinds = [(mark.args[0], kind) for mark in item.iter_markers("fault") for kind in mark.args[1:]]
        shown = _SEEN.copy()
        _SEEN.clear()
        if kinds and len(kinds) != len(shown):
            pytest.fail(f"is marked with {len(kinds)} faults and shows {len(shown)}")
        test = f"{item.location[0]}::{item.originalname}"
        # xdist's workers send user properties to the main process.
        item.user_properties += [("fault", [*kind, *what, test]) for kind, what in zip(kinds, shown, strict=False)]
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and "fault" in report.keywords:
            self.lacking.append(report.nodeid)
        if report.when == "call":
            found: Iterable[Any] = report.user_properties
            self.rows += [value for name, value in found if name == "fault"]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.page is None or hasattr(session.config, "workerinput"):
            return
        if exitstatus or self.lacking:
            print(f"\n{self.page} isn't written: tests failed, or were skipped: {', '.join(self.lacking) or 'none'}")
            return
        self.page.write_text(page_of(self.rows), encoding="utf-8")
        print(f"\n{self.page}: {len(self.rows)} faults")


def page_of(rows: Sequence[Sequence[str]]) -> str:
    """Returns the page's text from rows of area, kind, text, end and test."""
    parts = [INTRODUCTION.format(longest=LONGEST, goes_on=GOES_ON), f"{len(rows)} kinds of faults."]
    for area in AREAS:
        lines = sorted(
            f"| {kind} | {_code(said)} | {ends} | `{test}` |" for a, kind, said, ends, test in rows if a == area
        )
        if lines:
            head = ["| fault | message | ends | test |", "|---|---|---|---|"]
            parts.append("\n".join([f"## {area.capitalize()}", "", *head, *lines]))
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    if not text:
        return "(nothing)"
    fence = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", "\\|")


def rows_of(page: str) -> Iterator[tuple[str, str, str]]:
    """Returns area, kind and test of every row of the page's text."""
    areas = {area.capitalize(): area for area in AREAS}
    area = ""
    for line in page.splitlines():
        if line.startswith("## "):
            area = areas[line[3:]]
        elif found := re.fullmatch(r"\| (.*?) \| .* \| `(tests/[\w/]+\.py::\w+)` \|", line):
            yield area, found[1], found[2]


def marked(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Returns area, kind and file of every fault mark in a folder's tests, read from their source."""
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fault":
                area, *kinds = [ast.literal_eval(argument) for argument in node.args]
                yield from ((area, kind, str(path.relative_to(ROOT))) for kind in kinds)
