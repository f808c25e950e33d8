"""Repeats a finished run from its written config, with the sizes and the numbers of updates measured for it.

    python -m experiments.compare --config=configs/rerun.py:runs/RUN --workdir=runs/AGAIN
    python -m experiments.compare --config=configs/rerun.py:runs/RUN,seeds=10 --workdir=runs/MORE

Takes as long as the run did, and needs the same `--data_dir`. It warns if one of your own files, code or data, has
changed since the run. On the same machine with the same versions, expect the same records except for their times.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import ml_collections


def get_config(run: str = "") -> ml_collections.ConfigDict:
    """Returns the config in the run's directory `run`."""
    path = Path(run) / "config.json"
    if not run:
        raise ValueError("configs/rerun.py needs a run's directory: --config=configs/rerun.py:runs/RUN")
    if not path.is_file():
        raise ValueError(f"configs/rerun.py:{run} is no run's directory: it holds no config.json")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise ValueError(f"{path} is damaged ({e})") from e
    for file, known in files_of(Path(run)).items():
        if not Path(file).is_file() or hashlib.sha256(Path(file).read_bytes()).hexdigest() != known:
            print(f"warning: {file} isn't as it was for {run}", file=sys.stderr)
    return ml_collections.ConfigDict(without_none(fields))


def files_of(run: Path) -> dict[str, str]:
    """Returns the checksums by path of the user's own files that a run used; empty if the run records none."""
    try:
        with (run / "records.jsonl").open(encoding="utf-8") as lines:
            return json.loads(next(lines, "{}")).get("files", {})
    except FileNotFoundError:  # a sweep's trial has only a config
        return {}


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields without None values, recursively: None is a default that a ConfigDict can't override."""
    return {
        name: without_none(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }
