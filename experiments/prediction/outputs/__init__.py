"""Writes answers to files, in a way that fits the form of an application's answers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.prediction.outputs import anomalies, chorales, forecasts, sentiment, summaries, translation
from gru_research.config import UserError
from gru_research.runs.predict import Prediction
from gru_research.tasks import Task

Write = Callable[[Task, Any, Any, Path], Sequence[Path]]
"""`(task, input, answer, stem) -> paths` of the files written, whose names begin with `stem`."""
WRITERS: Mapping[str, Write] = {
    "anomalies": anomalies.write,
    "chorales": chorales.write,
    "forecasts": forecasts.write,
    "sentiment": sentiment.write,
    "summaries": summaries.write,
    "translation": translation.write,
}
"""By the form of an application's answers."""


def writer(task: Task) -> Callable[[Any, Any, Path], Sequence[Path]]:
    """Returns `(input, answer, stem) -> paths` for a task. Raises UserError if its answers have no files."""
    form = "" if task.application is None else task.application.form
    if form not in WRITERS:
        raise UserError(f"--output writes answers of {', '.join(WRITERS)}; {task.name} has no files of answers")
    return lambda given, answer, stem: WRITERS[form](task, given, answer, stem)


def write_all(
    write: Callable[[Any, Any, Path], Sequence[Path]], predictions: Sequence[Prediction], folder: Path
) -> list[Path]:
    """Writes every prediction. File names begin with the input's number from 1, the cell and the seed.

    Raises UserError if `folder` can't be written.
    """
    each = len({(p.cell, p.seed) for p in predictions})
    paths: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for n, p in enumerate(predictions):
            seed = "ensemble" if p.seed is None else f"seed-{p.seed}"
            paths += write(p.input, p.answer, folder / f"{n // each + 1}-{p.cell}-{seed}")
    except OSError as e:
        raise UserError(f"--output={folder} can't be written: {e.strerror or e}") from e
    return paths
