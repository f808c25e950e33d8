"""docs/coming_from.md: every block of code runs, after those that it builds on, and its own assertions hold."""

import re
from pathlib import Path
from typing import Any

import jax
import pytest

from gru_research.adapters.weights import LAYOUTS
from tests.adapters import peers

PAGE = (Path(__file__).parents[2] / "docs" / "coming_from.md").read_text()
SECTIONS = {
    title: re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for title, text in re.findall(r"^#{1,3} (.*?)\n(.*?)(?=^#{1,3} |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}
PEERS = {"PyTorch": ("torch", "safetensors"), "Keras": ("keras",), "Haiku and Equinox": ("haiku", "equinox")}


def ticked(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def run(title: str, names: dict[str, Any]) -> dict[str, Any]:
    """The names after the section's blocks."""
    names = dict(names)
    for block in SECTIONS[title]:
        exec(compile(block, f"docs/coming_from.md, {title}", "exec"), names)
    return names


@pytest.fixture(scope="module")
def same_layer() -> dict[str, Any]:
    return run("The same layer in each library", {})


@pytest.fixture(scope="module")
def flax(same_layer: dict[str, Any]) -> dict[str, Any]:
    return run("Flax", same_layer)


def test_the_code_about_semantics_runs(same_layer: dict[str, Any]) -> None:
    ys = run("Padding", same_layer)["ys"]
    assert ys.shape == (2, 5, 8)
    assert run("Dropout and directions", same_layer)["ys"].shape == (2, 5, 16)
    assert run("Subclasses", same_layer)["ys"].shape == (2, 5, 8)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")
@pytest.mark.parametrize("title", PEERS)
def test_the_code_about_a_library_runs_after_flaxs(title: str, flax: dict[str, Any]) -> None:
    for module in PEERS[title]:
        peers.need(module)
    params = run(title, flax)["params"]
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} <= {"float32", "bfloat16"}


def test_no_block_is_forgotten_and_every_class_is_named() -> None:
    tested = {"The same layer in each library", "Padding", "Dropout and directions", "Subclasses", "Flax", *PEERS}
    assert {title for title, blocks in SECTIONS.items() if blocks} == tested
    assert sum(len(blocks) for blocks in SECTIONS.values()) == PAGE.count("```python")
    rows = re.findall(r"^\| ((?:`\w+\.`(?:, )?)+) \| (.*) \|$", PAGE, re.MULTILINE)
    named = [library + name for left, right in rows for library in ticked(left) for name in ticked(right)]
    assert sorted(named) == sorted(LAYOUTS)
