"""A finished run once more: the config that it wrote, with the sizes and the numbers of updates measured for it.

    python -m experiments.compare --config=configs/rerun.py:runs/RUN --workdir=runs/AGAIN
    python -m experiments.compare --config=configs/rerun.py:runs/RUN,seeds=10 --workdir=runs/MORE

Takes as long as the run did, and needs the same `--data_dir`. It says where a file of your own, code or data, isn't as
it was for the run. On the same machine, with the same versions, expect the same records but for their times.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import ml_collections


def get_config(run: str = "") -> ml_collections.ConfigDict:
    """The config of a run's directory, `run`."""
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
    """The user's own files that a run was made of, check sums by path; none where it says nothing of them."""
    try:
        with (run / "records.jsonl").open(encoding="utf-8") as lines:
            return json.loads(next(lines, "{}")).get("files", {})
    except FileNotFoundError:  # of a sweep's trial there is a config alone
        return {}


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that have a value, group by group: None is a default, and a ConfigDict can't override it."""
    return {
        name: without_none(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }
