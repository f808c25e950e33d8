"""Joins runs of single cells of one config to the run of all its cells."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from gru_research import records
from gru_research.config import ExperimentConfig, UserError, to_mapping
from gru_research.full_disk import full_disk_named
from gru_research.training import Plan

from .check_workdir import CONFIG_FILE, check_workdir
from .directory import SUBMISSIONS
from .lock import locked

MADE_AGAIN = ("figures", "profile", SUBMISSIONS)
"""Folders of a run that a report makes again, or that belong to one process."""


def join_cells(plan: Plan, parts: Mapping[str, Path], workdir: Path) -> None:
    """Writes the run of all cells of `plan` to `workdir`, from the finished run of each of them.

    The result equals the run of one process, except for times and environments: a cell's numbers don't depend on which
    others are trained.

    Args:
      parts: by the cell's label, the directory of the run of this cell alone.

    Raises:
      UserError: `workdir` holds something else, or a part isn't finished or is of another config.
    """
    runs = {cell.label: _finished(parts[cell.label], plan.config, cell.label) for cell in plan.cells}
    with locked(workdir), full_disk_named(workdir):
        if check_workdir(workdir, plan.config) is not None:
            return  # an earlier command joined them
        for label in runs:
            for folder in sorted(path for path in parts[label].iterdir() if path.is_dir()):
                if folder.name not in MADE_AGAIN:
                    shutil.copytree(folder, workdir / folder.name, dirs_exist_ok=True)
        first = next(iter(runs))
        for file in sorted(path for path in parts[first].glob("*.json") if path.name != CONFIG_FILE):
            shutil.copy2(file, workdir / file.name)
        header = _header(plan, runs)
        records.write_whole(workdir / CONFIG_FILE, json.dumps(header.config, indent=2) + "\n")
        records.write_whole(workdir / records.FILE_NAME, _lines(header, runs))


def _finished(folder: Path, config: ExperimentConfig, label: str) -> records.Run:
    run = check_workdir(folder, dataclasses.replace(config, only=label))
    if run is None or not run.finished:
        raise UserError(f"{folder} holds no finished run of {label}")
    return run


def _header(plan: Plan, runs: Mapping[str, records.Run]) -> records.Header:
    """Returns the header of the run of all cells: the first cell's, which lists the environments of the others."""
    headers = {label: run.header for label, run in runs.items()}
    first = next(iter(headers.values()))
    config = records.to_json(to_mapping(plan.config))
    asked = {**(first.asked or config), "only": config["only"]}
    env = {**first.env, "joined": {label: header.env for label, header in headers.items()}}
    return dataclasses.replace(first, config=config, asked=asked, warnings=plan.warnings, env=env)


def _lines(header: records.Header, runs: Mapping[str, records.Run]) -> str:
    ends = [run.end for run in runs.values() if run.end is not None]
    seconds = sum(end.time.get("seconds") or 0.0 for end in ends)
    cells = [record for run in runs.values() for record in run.in_order[1:] if not isinstance(record, records.End)]
    made = [header, *cells, records.End(status="finished", time={"seconds": seconds})]
    return "".join(map(records.line_of, made))
