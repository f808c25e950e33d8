"""Compares docs/architecture.md with the code: folders, imports and functions, and forbidden imports."""

import ast
import itertools
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gru_research"

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ARROWS = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()  # type: ignore[index]


def allowed() -> dict[str, set[str]]:
    direct: dict[str, set[str]] = {}
    for chain in ARROWS:
        names = chain.split(" -> ")
        for a, b in itertools.pairwise(names):
            direct.setdefault(a, set())
            direct.setdefault(b, set()).add(a)

    def closure(name: str) -> set[str]:
        return direct[name].union(*(closure(a) for a in direct[name])) if direct[name] else set()

    return {name: closure(name) for name in direct}


def imports(path: Path) -> set[str]:
    """Returns the absolute names of the modules that a file imports, at top level or anywhere inside."""
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1])
                base = f"{parent}.{base}".rstrip(".")
            found |= {f"{base}.{alias.name}" for alias in node.names} | {base}
    return found


def room(module: str) -> str | None:
    """Returns the part of the package that a dotted name belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "gru_research" and len(parts) > 1 else None


def rooms() -> set[str]:
    return {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or p.is_dir()} - {"__init__", "__pycache__"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    used = {room(m) for m in imports(path)} - {None, own}
    used &= rooms()  # other names imported from a package are functions or classes
    assert used <= allowed().get(own, set()), f"{path} imports {used - allowed().get(own, set())}"


def test_every_room_has_its_arrows_or_is_a_leaf() -> None:
    assert rooms() <= set(allowed()) | {"py"}


def test_the_checker_sees_relative_and_inner_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gru_research" / "cells"
    folder.mkdir(parents=True)
    file = folder / "x.py"
    file.write_text("def f():\n    from ..training import loop\n    import gru_research.report.page\n")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert {"training", "report"} <= {room(m) for m in imports(file)}


def test_configs_import_nothing_of_ours() -> None:
    for path in (ROOT / "configs").rglob("*.py"):
        assert not [m for m in imports(path) if m.split(".")[0] in ("gru_research", "experiments", "configs")], path


def test_nothing_imports_tensorflow_or_utils() -> None:
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "experiments").rglob("*.py"), *(ROOT / "configs").rglob("*.py")]:
        assert path.name != "utils.py"
        assert not [m for m in imports(path) if m.split(".")[0] == "tensorflow"], path


def packages(top: str) -> set[str]:
    """Returns the folders with Python files below a folder, and the modules directly in the package."""
    folders = {f"{path.parent.relative_to(ROOT / top)}/" for path in (ROOT / top).rglob("*.py")} - {"./"}
    return folders | ({p.name for p in PACKAGE.glob("*.py")} - {"__init__.py"} if top == "gru_research" else set())


@pytest.mark.parametrize("top", ["gru_research", "experiments"])
def test_the_map_has_every_folder_and_no_other(top: str) -> None:
    section = PAGE.partition(f"`{top}/`\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert {path for row in rows for path in re.findall(r"`([\w/]+(?:/|\.py))`", row.split(" | ")[0])} == packages(top)


def test_files_by_subject_are_there() -> None:
    section = PAGE.partition("## Files by subject")[2].partition("\n## ")[0]
    folder = None
    for path in re.findall(r"`([\w/]+(?:/|\.py))`", section.partition("\n- ")[2]):
        if path.endswith("/"):
            folder = ROOT / path if path.startswith("experiments/") else PACKAGE / path
        assert folder is not None and (folder if path.endswith("/") else folder / path).exists(), path


FUNCTIONS = re.findall(r"`(\w+(?:/\w+)+\.py):(\w+)`", PAGE)


@pytest.mark.parametrize(("path", "name"), FUNCTIONS, ids=lambda value: value)
def test_the_ways_go_through_functions_that_are_there(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_the_ways_name_functions() -> None:
    assert len(FUNCTIONS) > 15


def test_figures_are_drawn_in_one_place() -> None:
    """Elsewhere figures are exhibits. `report/files.py` and `figure_settings.py` save figures and set their style."""
    own = {PACKAGE / "report" / name for name in ("files.py", "figure_settings.py")}
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]
    drawn = {path for path in files if any(m.partition(".")[0] == "matplotlib" for m in imports(path))}
    assert {path for path in drawn if path.parent != PACKAGE / "report" / "drawing"} == own


def test_the_package_imports_no_command_no_config_and_no_test() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not [m for m in imports(path) if m.partition(".")[0] in ("experiments", "configs", "tests")], path


def test_commands_are_the_files_and_the_two_folders_that_the_page_names() -> None:
    experiments = ROOT / "experiments"
    folders = {experiments / name / "__main__.py" for name in ("claims", "doctor")}
    assert set(experiments.rglob("__main__.py")) == folders
    for path in {*experiments.glob("*.py"), *folders} - {experiments / "__init__.py"}:
        assert 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"), path
