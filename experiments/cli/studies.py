"""Many runs under one directory with one shared report: a suite of tasks, or one task at growing lengths.

A study goes on where it was interrupted: a finished run isn't trained again, one that was broken off goes on from its
last checkpoint.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import rich.console

from experiments.cli import running
from gru_research import records
from gru_research.config import ExperimentConfig, UserError, check_file_name, experiment, to_mapping, with_fields
from gru_research.runs.directory import changed_files, claim
from gru_research.training import make_plan

Next = Callable[[str, Mapping[str, records.Run]], ExperimentConfig | None]


@dataclasses.dataclass(frozen=True)
class Study:
    """Runs by name, in order.

    Attributes:
      kind: "suite" or "horizon"; title: of the report.
      names: of the runs, which are their directories.
      config: from a name and the runs that are finished, to the run's config; None leaves it out.
      field, values, solved: of a horizon's sweep.
    """

    kind: str
    title: str
    names: tuple[str, ...]
    config: Next
    field: str | None = None
    values: tuple[int, ...] | None = None
    solved: float | None = None

    def summary(self) -> dict[str, Any]:
        """What `study.json` holds."""
        fields = {"title": self.title, "runs": self.names, "field": self.field, "values": self.values}
        return records.to_json({"schema": records.STUDY_SCHEMA, "kind": self.kind, **fields, "solved": self.solved})


def suite(title: str, configs: Mapping[str, ExperimentConfig]) -> Study:
    """Independent runs."""
    return Study("suite", title, tuple(configs), lambda name, done: configs[name])


def horizon(config: ExperimentConfig, title: str) -> Study:
    """The config at each of its horizon's values: cells go on while enough of their seeds solve the task.

    Raises:
      UserError: the field isn't one of the config.
    """
    sweep = config.horizon
    assert sweep is not None
    short = sweep.field.rpartition(".")[2]
    names = {f"{short}-{value}": value for value in sweep.values}
    labels = config.selected_labels
    fixed = to_mapping(dataclasses.replace(config, horizon=None))

    def at(name: str, done: Mapping[str, records.Run]) -> ExperimentConfig | None:
        going = [label for label in labels if all(goes_on(run, label, sweep.solved) for run in done.values())]
        if not going:
            return None
        try:
            return experiment(with_fields(fixed, {sweep.field: names[name], "only": ",".join(going)}))
        except UserError as e:
            raise UserError(f"config.horizon.field={sweep.field!r}: {e}") from e

    at(next(iter(names)), {})  # a mistake in the field shows before anything runs
    return Study("horizon", title, tuple(names), at, sweep.field, sweep.values, sweep.solved)


def goes_on(run: records.Run, label: str, share: float) -> bool:
    """Whether at least `share` of a cell's seeds solved the task of this run; False where it took no part."""
    solved = [result.steps_to_solve is not None for result in run.results if result.cell == label]
    return bool(solved) and sum(solved) >= share * len(solved)


def run(study: Study, workdir: Path, stop: running.StopRequest, only: tuple[str, ...] = ()) -> int:
    """Trains what isn't trained yet, run by run, and writes the shared report; the exit status.

    `only` are the names of the runs to train, all where it is empty.

    Raises:
      UserError: the directory holds something else, or a run's config has a mistake, which is found before any trains.
    """
    for name in only or study.names:
        _check(study, name)
    claim(workdir, records.STUDY_FILE_NAME, study.summary(), "study")
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


def write_report(workdir: Path) -> None:
    """The study's report; matplotlib is loaded only now."""
    from gru_research import report

    report.write_study(workdir, rich.console.Console())


def _configs(study: Study, done: Mapping[str, records.Run]) -> Iterator[tuple[str, ExperimentConfig]]:
    for name in study.names:
        config = study.config(name, done)
        if config is not None:
            yield name, config


def _check(study: Study, name: str) -> None:
    """Raises UserError, which names the run, where its name or its config has a mistake."""
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
    """Raises UserError where files of the user's own aren't as they were for runs that are there: with another one
    trained now, a report would mix numbers of two versions."""
    for folder in folders:
        for file, how in changed_files(folder).items():
            raise UserError(
                f"workdir={str(workdir)!r} holds the run {folder.name} of other files ({file} {how} since): choose "
                "another, or bring the file back"
            )
