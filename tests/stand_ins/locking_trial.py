"""Stands in for a trial like `trial.py`, and locks its directory as `experiments.compare` does."""

import runpy
import sys
from pathlib import Path

from gru_research.runs.lock import locked

workdir = next(argument.partition("=")[2] for argument in sys.argv if argument.startswith("--workdir="))
with locked(Path(workdir)):
    runpy.run_path(str(Path(__file__).with_name("trial.py")))
