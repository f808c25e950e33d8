"""The Python of the documentation's pages, run as it stands there."""

import re
import types
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"


def text(page: str) -> str:
    return (DOCS / page).read_text()


def blocks(page: str) -> list[str]:
    """The page's Python blocks, in their order."""
    return re.findall(r"^```python\n(.*?)^```", text(page), re.DOTALL | re.MULTILINE)


def module(name: str, block: str, page: str) -> dict[str, Any]:
    """The names of a block as a module of its own."""
    made = types.ModuleType(name)
    exec(compile(block, str(DOCS / page), "exec"), made.__dict__)
    return made.__dict__


def names(page: str, *wanted: str) -> dict[str, Any]:
    """What the blocks that define `wanted` define, each block by itself."""
    found: dict[str, Any] = {}
    for block in blocks(page):
        if any(re.search(rf"^(?:def|class) {name}\b", block, re.MULTILINE) for name in wanted):
            found |= module(page.partition(".")[0], block, page)
    return found
