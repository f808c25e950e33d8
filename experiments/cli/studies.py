"""Trains the runs of a study, one after the other, and writes the shared report.

Finished runs aren't trained again; an interrupted run is resumed from its last checkpoint.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import rich.console

from experiments.cli import running
from gru_research import records
from gru_research.config import ExperimentConfig, UserError, check_file_name
from gru_research.runs.directory import changed_files, claim
from gru_research.runs.study import Study
from gru_research.training import make_plan


def run(study: Study, workdir: Path, stop: running.StopRequest, only: tuple[str, ...] = ()) -> int:
    """Trains the runs that aren't finished, one by one, and writes the shared report. Returns the exit status.

    `only` are the names of the runs to train, all where it is empty.

    Raises:
      UserError: the directory holds something else, or a run's config has a mistake, which is found before any trains.
    """
    claim_study(study, workdir, only)
    chosen = [name for name in study.names if not only or name in only]
    done: dict[str, records.Run] = {}
    status = 0
    for name, config in _configs(study, done):
        if name not in chosen:
            continue
        folder = workdir / name
        if running.is_finished(folder, config):
            print(f"{folder} is finished")
        else:
            check_files((workdir / other for other in study.names), workdir)
            print(f"\n{name} ({chosen.index(name) + 1} of {len(chosen)})")
            status = running.run(config, folder, stop, workdir)
        if status:
            break
        done[name] = records.read(folder / records.FILE_NAME)
    if status != running.PREEMPTED:
        write_report(workdir)
    return status


def claim_study(study: Study, workdir: Path, only: tuple[str, ...] = ()) -> None:
    """Checks the configs of the runs, and makes the study's directory. Raises UserError as `run` does."""
    for name in only or study.names:
        _check(study, name)
    claim(workdir, records.STUDY_FILE_NAME, study.summary(), "study")


def write_report(workdir: Path) -> None:
    """Writes the study's report; matplotlib is loaded only now."""
    from gru_research import report

    report.write_study(workdir, rich.console.Console())


def _configs(study: Study, done: Mapping[str, records.Run]) -> Iterator[tuple[str, ExperimentConfig]]:
    for name in study.names:
        config = study.config(name, done)
        if config is not None:
            yield name, config


def _check(study: Study, name: str) -> None:
    """Raises UserError, which names the run, if its name or its config has a mistake."""
    check_file_name("the run", name)
    config = study.config(name, {})
    if config is None:
        return
    try:
        task = make_plan(config, running.data_dirs()).task
        if study.kind == "horizon" and task.threshold is None:
            raise UserError(f"config.horizon asks who solves {task.name}, which has no threshold for that")
    except UserError as e:
        raise UserError(f"run {name}: {e}") from e


def check_files(folders: Iterable[Path], workdir: Path) -> None:
    """Raises UserError if the user's own files changed since an existing run: a further run would mix two versions."""
    for folder in folders:
        for file, how in changed_files(folder).items():
            raise UserError(
                f"workdir={str(workdir)!r} holds the run {folder.name} of other files ({file} {how} since): choose "
                "another directory, or restore the file"
            )
