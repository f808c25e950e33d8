"""Examples that an application's run saved of each cell, as exhibits. One form of answers a file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from gru_research.report import exhibits, results
from gru_research.report.examples import anomalies, chorales, forecasts, sentiment, speech, translation
from gru_research.run_files import load_examples

Cells = Mapping[str, Mapping[str, np.ndarray]]
"""The saved arrays of each cell, by label."""
FORMS: Mapping[str, Callable[[results.TaskResults, Cells], Sequence[exhibits.Exhibit]]] = {
    "anomalies": anomalies.draw,
    "forecasts": forecasts.draw,
    "chorales": chorales.draw,
    "sentiment": sentiment.draw,
    "speech": speech.draw,
    "translation": translation.draw,
}
"""`(task, cells) -> exhibits`, by the form of answers. A cell's colour is its place in `task.labels`."""


def collect(task: results.TaskResults, runs: Sequence[tuple[Path, Mapping[str, str]]]) -> list[exhibits.Exhibit]:
    """Returns the exhibits of what several runs of one task saved: each a directory and {label in the run: label here}.

    Raises:
      RecordsError: a file can't be read.
    """
    application = task.task.application
    if application is None or application.form not in FORMS:
        return []
    found = {
        here: arrays
        for workdir, labels in runs
        for label, here in labels.items()
        if (arrays := load_examples(workdir, label)) is not None
    }
    return list(FORMS[application.form](task, found)) if found else []
