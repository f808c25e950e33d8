"""docs/faults.md has exactly one row for every fault mark of a test."""

import ast
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gru_research.config import UserError
from tests.faults import AREAS, LONGEST, ROOT, Faults, marked, page_of, plain, rows_of, seen

PAGE = ROOT / "docs" / "faults.md"


def test_the_page_has_the_faults_that_tests_are_marked_with() -> None:
    rows = list(rows_of(PAGE.read_text(encoding="utf-8")))
    faults = list(marked(ROOT / "tests"))
    assert {(area, kind, test.partition("::")[0]) for area, kind, test in rows} == set(faults)
    assert len(rows) == len(faults) >= 60
    assert {area for area, _, _ in rows} == set(AREAS)
    assert not [kind for kind, count in Counter((area, kind) for area, kind, _ in rows).items() if count > 1]


def test_the_tests_that_the_page_names_are_there() -> None:
    functions: dict[str, set[str]] = {}
    for _, _, test in rows_of(PAGE.read_text(encoding="utf-8")):
        file, _, name = test.partition("::")
        if file not in functions:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            functions[file] = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in functions[file], test


def test_a_page_is_read_back_as_it_was_written() -> None:
    rows = [
        ["records", "half a line", "is `left` | out", "continues", "tests/test_x.py::test_a"],
        ["config", "a field", "", "2", "tests/test_y.py::test_b"],
    ]
    found = list(rows_of(page_of(rows)))
    assert found == [
        ("config", "a field", "tests/test_y.py::test_b"),
        ("records", "half a line", "tests/test_x.py::test_a"),
    ]


@pytest.mark.parametrize("shown", [0, 1, 2])
def test_a_mark_is_held_to_what_is_shown(shown: int) -> None:
    item: Any = types.SimpleNamespace(
        iter_markers=lambda name: [pytest.mark.fault("config", "a field").mark], user_properties=[],
        location=("tests/test_x.py", 3, ""), originalname="test_a",
    )  # fmt: skip
    call = Faults(None).pytest_runtest_call(item)
    next(call)
    for _ in range(shown):
        seen(UserError("config.x is wrong"))
    if shown == 1:
        with pytest.raises(StopIteration):
            next(call)
        assert item.user_properties == [
            ("fault", ["config", "a field", "config.x is wrong", "2", "tests/test_x.py::test_a"])
        ]
    else:
        with pytest.raises(pytest.fail.Exception, match=f"marked with 1 faults and shows {shown}"):
            next(call)


def test_paths_and_processes_differ_from_run_to_run_and_are_replaced(tmp_path: Path) -> None:
    assert plain(f"workdir='{tmp_path}/run' (process 17 on box-3)") == "workdir='DIR/run' (process 1234 on HOST)"
    assert plain("a\n  b") == "a b" and len(plain("x" * 400)) == LONGEST + 1
