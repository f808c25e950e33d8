"""Spreads the cells of a comparison, or the runs of a suite, over jobs: each is a run in a directory of its own."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import experiments
from experiments.cli import running, studies
from gru_research import records
from gru_research.config import ExperimentConfig, UserError, to_mapping
from gru_research.runs.check_workdir import CONFIG_FILE, check_workdir
from gru_research.runs.directory import SUBMISSIONS
from gru_research.runs.join import join_cells
from gru_research.runs.study import Study
from gru_research.training import Plan, needs_measurement

from . import submitted

ROOT = Path(experiments.__file__).parents[1]
CELLS, CONFIGS = "cells", "configs"
"""Folders in WORKDIR/slurm: the runs of single cells, until they are joined; and the configs of the jobs."""


def run_cells(config: ExperimentConfig, plan: Plan, workdir: Path) -> int:
    """Trains each cell in a job of its own, joins their runs to one in `workdir`, and writes its report.

    Returns the exit status.

    Raises:
      UserError: the cells depend on one another, or the directory holds a run that began in one job.
    """
    if config.horizon is not None:
        raise UserError("--array: a horizon's lengths depend on one another: leave --array out")
    if needs_measurement(config):
        raise UserError("--array: config.match or config.seconds measures times, which need one machine: leave it out")
    if check_workdir(workdir, config) is not None:
        if running.is_finished(workdir, config):
            running.write_report(workdir)
            return 0
        raise UserError(f"workdir={str(workdir)!r} holds a run that began without --array: leave it out")
    folder = workdir / SUBMISSIONS / CELLS
    runs = {cell.label: dataclasses.replace(config, only=cell.label) for cell in plan.cells}
    status = _run(runs, folder, workdir)
    if status or submitted.is_dry():
        return status
    join_cells(plan, {label: folder / label for label in runs}, workdir)
    shutil.rmtree(folder)
    running.write_report(workdir)
    return 0


def run_study(study: Study, workdir: Path, only: Sequence[str]) -> int:
    """Trains each run of a suite in a job of its own, and writes the shared report. Returns the exit status.

    Raises:
      UserError: a config has a mistake, or the directory holds something else.
    """
    studies.claim_study(study, workdir, tuple(only))
    configs = {name: study.config(name, {}) for name in only or study.names}
    status = _run({name: config for name, config in configs.items() if config is not None}, workdir, workdir)
    if not submitted.is_dry():
        studies.write_report(workdir)
    return status


def _run(configs: Mapping[str, ExperimentConfig], folder: Path, workdir: Path) -> int:
    """Submits a job for each run that isn't finished in `folder`/NAME, and follows them. Returns the exit status."""
    if set(",=") & set(str(workdir.absolute())):
        raise UserError(f"workdir={str(workdir)!r} must have no comma and no = in it: configs of the jobs lie in it")
    parts = [
        submitted.Part(name, _command(name, config, folder / name, workdir))
        for name, config in configs.items()
        if not running.is_finished(folder / name, config)
    ]
    return submitted.run(parts, workdir) if parts else 0


def _command(name: str, config: ExperimentConfig, folder: Path, workdir: Path) -> tuple[str, ...]:
    """Writes a job's config; returns the command that trains it."""
    configs = workdir.absolute() / SUBMISSIONS / CONFIGS / name
    try:
        configs.mkdir(parents=True, exist_ok=True)
        records.write_whole(configs / CONFIG_FILE, json.dumps(records.to_json(to_mapping(config)), indent=2) + "\n")
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e
    rerun = f"--config={ROOT / 'configs' / 'rerun.py'}:{configs}"
    command = [sys.executable, "-m", "experiments.compare", rerun, f"--workdir={folder.absolute()}"]
    return (*command, *running.trial_arguments())
