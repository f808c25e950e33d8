"""docs/own_data.md: its code makes the files, and its notes and trivial answers match the tasks."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from gru_research.report import formatting
from gru_research.tasks.files import files
from tests import pages

PAGE = "own_data.md"
SHOWN = re.findall(
    r"^```\n\$ (python -m experiments\.compare.*?)\n(.+?)^```", pages.text(PAGE), re.DOTALL | re.MULTILINE
)


def options(command: str) -> dict[str, Any]:
    found = dict(re.findall(r"--config\.task\.(\w+)=(\S+)", command))
    return {name: ast.literal_eval(value) if value.isdigit() else value for name, value in found.items()}


def test_what_it_shows_is_what_its_files_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in pages.blocks(PAGE):
        pages.module("page", block, PAGE)
    outputs = {options(command)["train"]: (command, output) for command, output in SHOWN if "hidden" in output}
    assert outputs.keys() == {path.name for path in tmp_path.iterdir()}
    for command, output in outputs.values():
        task = files(**options(command))
        assert re.findall(r"^warning: (.*)$", output, re.MULTILINE) == list(task.warnings), command
        for name, value in task.trivial.items():
            assert name in output and formatting.number(value) in output, (command, name, value)
        assert f" {task.metric} " in output


def test_a_table_of_sequences_is_read_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("label,s0,s1\n" + "".join(f"{'ab'[n % 2]},{n},{-n}\n" for n in range(30)))
    (command,) = re.findall(r"^\$ ([^`]*train=rows\.csv[^`]*)^```", pages.text(PAGE), re.DOTALL | re.MULTILINE)
    task = files(**options(command))
    assert (task.length, task.vocabularies["targets"]) == (2, ("a", "b"))
