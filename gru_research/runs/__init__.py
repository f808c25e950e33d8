"""Opens, resumes and loads a run's directory, and predicts with the run.

from gru_research import runs

run = runs.load("runs/scan")
run.cells, run.records("evaluation"), run.parameters("gru", seed=0), run.predict(["walk twice"], cell="gru")
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .loaded_run import LoadedRun


def load(workdir: str | Path, data_dir: str = "", manual_dir: str = "") -> "LoadedRun":
    """Loads a finished or interrupted run from its directory. Finds the run's data and the user's own code.

    Args:
      data_dir, manual_dir: where the data are now, if they have moved.

    Raises:
      RecordsError: there are no readable records.
      UserError: this version doesn't know the run's task, a cell or a model, or the user's own code can't be run.
    """
    from .loaded_run import load  # here, so that workers of a sweep don't import the training code

    return load(workdir, data_dir, manual_dir)


__all__ = ["load"]
