"""Small runs, trained for a moment in this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.runs.comparison import load_sets, run_comparison
from gru_research.training import make_plan

CELLS = {"gru": {"kind": "gru", "hidden_size": 3}, "rnn": {"kind": "rnn"}}
PARITY = {"name": "parity", "length": 8, "test_length": 0, "validation_size": 10, "test_size": 10}


def trained(folder: Path, task: Mapping[str, Any], dirs: DataDirs = DataDirs(), **fields: Any) -> Path:
    """The directory of a run of two updates and two seeds; stored sets are cut to ten examples."""
    tiny = {"match": "width", "updates": 2, "eval_every": 1, "seeds": 2, "batch_size": 4}
    plan = make_plan(experiment({"task": task, "cells": CELLS, **tiny, **fields}), dirs)
    sets = {
        split: arrays if split == "train" else {name: a[:10] for name, a in arrays.items()}
        for split, arrays in load_sets(plan, dirs).items()
    }
    assert run_comparison(plan, folder, dirs, sets=sets)
    return folder
