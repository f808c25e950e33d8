"""Checks that training works by a tiny comparison, from its config to records and parameters on disk."""

import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.doctor.findings import Finding, Settings
from gru_research import records
from gru_research.config import experiment
from gru_research.runs.comparison import run_comparison
from gru_research.training import make_plan

CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 10, "validation_size": 10, "test_size": 10},
    "cells": {"gru": {"kind": "gru", "hidden_size": 8}},
    "updates": 20,
    "eval_every": 10,
    "seeds": 1,
}


def check(settings: Settings) -> list[Finding]:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run_comparison(make_plan(experiment(CONFIG)), Path(folder) / "run")
        run = records.read(Path(folder) / "run" / records.FILE_NAME)
    seconds, (cell,), (result,) = time.perf_counter() - started, run.cells, run.results
    said = (
        f"{CONFIG['updates']} updates of a small GRU, tested and saved, in {seconds:.1f} s, of which "
        f"{cell.time['compile_seconds']:.1f} compiling; {result.time['ms_per_step']:.2g} ms an update"
    )
    if result.diverged_at is not None or result.test_metric is None:
        return [Finding("problem", "train step", f"{said}, but its loss isn't finite", "report it: that is a defect")]
    return [Finding("ok", "train step", said)]
