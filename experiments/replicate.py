"""Reproduces a published table: prints published and own numbers, intervals, verdicts and differences in protocol.

python -m experiments.replicate --table=chung2014-parameters
python -m experiments.replicate --table=copy --budget_minutes=60

The budget is for two cores. All cells of a run get equal shares of it, tuning included. A run that was published with a
number of updates makes that number whatever the budget, and the notes say so. Without a GPU, runs that need one are
skipped and reported as not run; `--runs` names the runs to make. The same command with the same --workdir resumes an
interrupted table. With --engine=slurm the command submits itself as a job.
"""

import math
import shlex
from collections.abc import Mapping
from pathlib import Path

import jax
import rich.console
import rich.text
from absl import flags

from experiments.cli import running, studies
from experiments.cli.launcher import command, launch, use_cores
from experiments.replications import TABLES, PublishedTable
from experiments.slurm import submitted
from gru_research import records
from gru_research.config import UserError, choose, experiment
from gru_research.plural import several
from gru_research.runs import study
from gru_research.tables import Column, Table, tabulate, terminal, to_markdown

running.define_flags()
submitted.define_flags()
TABLE = flags.DEFINE_string("table", "", f"one of {', '.join(TABLES)}.")
BUDGET_MINUTES = flags.DEFINE_float("budget_minutes", 60.0, "minutes for the whole table on two cores.")
RUNS = flags.DEFINE_string("runs", "", "which of the table's runs to train, separated by commas; default: all.")
NOT_RUN = "not run"
FILE_NAME = "replication.md"


def main() -> int:
    if not TABLE.value:
        raise UserError(f"--table is missing: choose from {', '.join(TABLES)}")
    table = TABLES[choose("--table", TABLE.value, TABLES)]
    if not 0 < BUDGET_MINUTES.value < math.inf:
        raise UserError(f"--budget_minutes={BUDGET_MINUTES.value:g} must be above 0 and finite")
    if not table.runs:
        show(table, {}, Path())
        return 0
    configs = {name: experiment(run.with_budget(BUDGET_MINUTES.value)) for name, run in table.runs.items()}
    if submitted.is_asked():
        return submitted.run_whole(running.workdir(TABLE.value))
    use_cores(max(map(running.members, configs.values())), max(c.data_parallel for c in configs.values()))
    running.start_backend()
    chosen = chosen_runs(table)
    workdir = running.workdir(TABLE.value)
    made = study.suite(table.title, configs)
    status = studies.run(made, workdir, running.StopRequest(), chosen) if chosen else 0
    show(table, finished_runs(table, workdir), workdir)
    return status


def chosen_runs(table: PublishedTable) -> tuple[str, ...]:
    """Returns the runs that `--runs` names; by default all, or without a GPU runs that need none. Raises UserError."""
    named = tuple(name.strip() for name in RUNS.value.split(",") if name.strip())
    for name in named:
        choose("--runs", name, table.runs)
    return named or tuple(name for name, run in table.runs.items() if not run.gpu or jax.default_backend() != "cpu")


def finished_runs(table: PublishedTable, workdir: Path) -> dict[str, records.Run]:
    paths = {name: workdir / name / records.FILE_NAME for name in table.runs}
    runs = {name: records.read(path) for name, path in paths.items() if path.is_file()}
    return {name: run for name, run in runs.items() if run.finished}


def show(table: PublishedTable, runs: Mapping[str, records.Run], workdir: Path) -> None:
    """Prints the table and, where it has runs, writes it as Markdown."""
    compared = tabulate(COLUMNS, ((row, row.judge(runs)) for row in table.rows), table.title)
    console = rich.console.Console()
    console.print(terminal.grid(compared))
    console.print(rich.text.Text(f"Published: {table.source}"))
    notes = [*training_notes(runs), *(f"Differs: {difference}" for difference in table.differences)]
    if fixed := [name for name, run in table.runs.items() if not run.share and name in runs]:
        notes.append(f"These runs make the published number of updates, whatever the budget: {', '.join(fixed)}.")
    for note in notes:
        console.print(rich.text.Text(note))
    if runs:
        path = workdir / FILE_NAME
        path.write_text(as_markdown(compared, table.source, notes), encoding="utf-8")
        console.print(rich.text.Text(f"Written: {path}"), soft_wrap=True)


COLUMNS = (
    Column("", lambda row, ours: row.label, "left"),
    Column("published", lambda row, ours: row.published, "left"),
    Column("ours", lambda row, ours: ours.value if ours else "-", "left"),
    Column("95 % interval", lambda row, ours: ours.interval if ours else "-", "left"),
    Column("verdict", lambda row, ours: ours.verdict if ours else NOT_RUN, "left"),
)
"""The texts of a row of the published table and of our result; None: not run."""


def training_notes(runs: Mapping[str, records.Run]) -> list[str]:
    """Returns notes on how each run was trained: its cells' sizes, learning rates and updates, its time and machine."""
    from gru_research.report import results, tuning  # imported here, as matplotlib takes a second

    lines = []
    for name, run in runs.items():
        cells = ", ".join(
            f"{c.cell} {c.parameters:,} parameters, rate {c.learning_rate:.2g}, {c.updates:,} updates"
            for c in run.cells
        )
        assert run.end is not None  # all runs are finished
        seconds, env = run.end.time["seconds"] or 0.0, run.header.env
        lines.append(f"Run {name}: {several(run.header.config['seeds'], 'seed')}; {cells}; {seconds / 60:.1f} min.")
        lines.append(
            f"Run {name} began {run.header.time['started']} on {env['cores']} cores, {env['backend']}, "
            f"jax {env['versions']['jax']}, commit {(env['git_commit'] or 'unknown')[:10]}."
        )
        (task,) = results.collect(run)
        lines += [f"Run {name}: {note}" for note in tuning.notes(task) if "undertuned" in note]
    return lines


def as_markdown(compared: Table, source: str, notes: list[str]) -> str:
    listed = "\n".join(f"- {note}" for note in notes)
    parts = (
        f"## {compared.caption}",
        f"`{shlex.join(command())}`",
        f"Published: {source}",
        to_markdown(compared),
        listed,
    )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    launch(main)
