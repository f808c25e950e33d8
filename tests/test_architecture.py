"""The house of docs: which folder may import which, and what is never imported at all."""

import ast
import itertools
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gru_research"

# A -> B says that B may import A; arrows compose, and nothing else may.
ARROWS = [
    "types -> cells -> time_loop -> layers -> adapters -> models -> training",
    "spec -> models",
    "models -> decoding -> training",
    "spec -> tasks",
    "types -> metrics -> tasks",
    "native -> time_loop",
    "types -> masks -> time_loop",
    "masks -> tasks",
    "types -> data -> tasks -> training",
    "config -> data",
    "config -> trackers -> training",
    "records -> trackers",
    "config -> named -> models",
    "training -> runs",
    "run_files -> runs",
    "full_disk -> runs",
    "layers -> analysis -> training",
    "stats -> analysis",
    "records -> analysis",
    "full_disk -> training",
    "stats -> report",
    "records -> run_files -> training",
    "run_files -> report",
    "plural -> report",
    "plural -> training",
    "runs -> planning",
]


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
    """The modules that a file imports, at its top or anywhere inside, by absolute dotted name."""
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
    """The part of the package that a dotted name belongs to."""
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
    used &= rooms()  # a name imported from a package that isn't a room of it is a function or a class
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
