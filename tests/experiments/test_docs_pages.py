"""Commands and configs on the pages name what there is."""

import re
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.launcher import experiment_from
from gru_research.training import make_plan

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "new_task",
    "new_model",
    "models",
    "own_data",
    "tasks",
    "suites",
    "sweeps",
    "seeing",
    "planning",
    "reliability",
    "claims",
    "paper",
)
OWN = {"configs/first_token.py"}  # a file that docs/new_task.md tells to write


def text(page: str) -> str:
    return (ROOT / "docs" / f"{page}.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_launchers_and_configs_of_commands_are_there(page: str) -> None:
    launchers = set(re.findall(r"python -m experiments\.(\w+)", text(page)))
    configs = set(re.findall(r"configs/[\w/]+\.py", text(page))) - OWN
    assert configs
    for name in launchers:
        assert any((ROOT / "experiments" / main).is_file() for main in (f"{name}.py", f"{name}/__main__.py")), name
    for path in configs:
        assert (ROOT / path).is_file(), path


def test_the_suite_of_the_page_describes_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = re.findall(r"^```python\n(.*?)^```", text("suites"), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(block, names)
    suite = names["get_config"]().to_dict()
    plans = {name: make_plan(experiment_from(name, spec, suite["shared"])) for name, spec in suite["runs"].items()}
    assert {name: len(plan.seeds) for name, plan in plans.items()} == {"sum": 10, "parity": 10}
    assert all([cell.label for cell in plan.cells] == ["gru", "lstm"] for plan in plans.values())
    assert plans["sum"].task.length == 50 and plans["parity"].cells[0].updates == 500


def test_the_page_on_suites_says_that_an_interrupted_run_is_resumed() -> None:
    """It said that one is renamed and trained anew; `test_studies.py` has the run that is resumed in its directory."""
    assert "is resumed from its last checkpoint" in text("suites") and ".interrupted-" not in text("suites")
