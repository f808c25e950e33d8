"""Runs the Python code of the documentation's pages."""

import re
import types
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"


def text(page: str) -> str:
    return (DOCS / page).read_text()


def blocks(page: str) -> list[str]:
    """Returns the page's Python blocks in order."""
    return re.findall(r"^```python\n(.*?)^```", text(page), re.DOTALL | re.MULTILINE)


def module(name: str, block: str, page: str) -> dict[str, Any]:
    """Runs a block as a module of its own. Returns its names."""
    made = types.ModuleType(name)
    exec(compile(block, str(DOCS / page), "exec"), made.__dict__)
    return made.__dict__


def names(page: str, *wanted: str) -> dict[str, Any]:
    """Runs each block that defines one of `wanted`, as a module of its own. Returns all their names."""
    found: dict[str, Any] = {}
    for block in blocks(page):
        if any(re.search(rf"^(?:def|class) {name}\b", block, re.MULTILINE) for name in wanted):
            found |= module(page.partition(".")[0], block, page)
    return found
