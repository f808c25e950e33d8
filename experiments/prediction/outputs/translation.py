"""Writes a translation, and a picture of the attention that each of its pieces paid to the source."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gru_research.report import exhibits
from gru_research.tasks import Task

from .pictures import NO_WORDS, save_exhibit


def write(task: Task, given: Any, answer: Any, stem: Path) -> Sequence[Path]:
    """Writes STEM.txt, the translation, and with attention STEM.png: a row for each of its pieces."""
    del task, given
    text = answer if isinstance(answer, str) else answer["translation"]
    paths = [stem.with_name(f"{stem.name}.txt")]
    paths[0].write_text(f"{text}\n", encoding="utf-8")
    if isinstance(answer, dict) and answer["pieces"]:
        paths.append(stem.with_name(f"{stem.name}.png"))
        rows = tuple(exhibits.numbers(row) for row in answer["attention"])
        grid = exhibits.Grid(stem.name, NO_WORDS, tuple(answer["pieces"]), tuple(answer["source_pieces"]), rows)
        save_exhibit(paths[1], grid)
    return paths
