"""A run's directory: opens, resumes and loads it, and predicts with it.

from gru_research import runs

run = runs.load("runs/scan")
run.cells, run.records("evaluation"), run.parameters("gru", seed=0), run.predict(["walk twice"], cell="gru")
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .loaded_run import LoadedRun


def load(workdir: str | Path, data_dir: str = "", manual_dir: str = "") -> "LoadedRun":
    """A run from its directory, finished or interrupted; it finds its data and the user's own code by itself.

    Args:
      data_dir, manual_dir: where its data lie now, where that is elsewhere than it was.

    Raises:
      RecordsError: no readable records.
      UserError: this version doesn't know its task, a cell or a model, or its own code can't be run.
    """
    from .loaded_run import load  # with all that trains: workers of a sweep, which import other parts, do without

    return load(workdir, data_dir, manual_dir)


__all__ = ["load"]
