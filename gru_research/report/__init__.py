"""Makes a run's summary, figures and page from its `records.jsonl`, and what it saved of its attention, alone; never
trains, imports no JAX.

`write` makes summary.csv, seeds.csv, figures/*.png and report.html, and why.html of a run that was looked into.
`print_table` shows the summary on a terminal. `write_study` makes the same of a suite or a horizon, from its runs'
records.
"""

from pathlib import Path

import rich.console
import rich.text

from gru_research import records
from gru_research.report import (
    attention,
    figures,
    files,
    latex,
    markup,
    page,
    pairs,
    probed,
    results,
    seeds,
    study,
    summary,
    tables,
    terminal,
    tuning,
    why,
    wording,
)
from gru_research.report.exhibits import placed

__all__ = ["ReportPaths", "print_table", "write", "write_study"]

ReportPaths = files.ReportPaths
write_study = study.write


def write(workdir: Path, console: rich.console.Console | None = None, latex_by: str = "") -> files.ReportPaths:
    """Makes the report of the run in `workdir`, finished or not, and prints its table to `console`.

    With `latex_by`, the command that asks for them, there are tables for LaTeX too. Each file is replaced in one step:
    a reader sees the old one or the new one, never a part.

    Raises:
      records.RecordsError: there is no readable `records.jsonl`, or what was saved of its attention is damaged;
        nothing is written then.
    """
    run = records.read(workdir / records.FILE_NAME)
    tasks = results.collect(run)
    attended = attention.read(workdir, [cell.cell for cell in run.cells])
    drawn = files.Figures(workdir / "figures")
    pages = [_task_page(run, task, attended, drawn, prefix=task.task.name if len(tasks) > 1 else "") for task in tasks]
    explained = (workdir / why.FILE_NAME).is_file()
    if explained:
        why.write(workdir)
    paths = files.ReportPaths(
        summary=files.replace(workdir / "summary.csv", summary.to_csv(summary.summarize(run)).encode()),
        seeds=files.replace(workdir / "seeds.csv", seeds.to_csv((workdir.name, task) for task in tasks).encode()),
        page=files.replace(workdir / "report.html", page.to_html(run, pages, why.PAGE if explained else None).encode()),
        figures=tuple(drawn.paths),
        tables=tuple(path for task in tasks for path in _tables(workdir, run, task, latex_by)) if latex_by else (),
    )
    if console is not None:
        print_table(run, console)
        console.print(rich.text.Text(f"Report: {paths.page}"), soft_wrap=True)
    return paths


def _tables(workdir: Path, run: records.Run, task: results.TaskResults, command: str) -> list[Path]:
    made = {"Made by": command, "Of the run": str(workdir), **page.origin(run)}
    return latex.write(workdir, task, pairs.within(task), made)


def print_table(run: records.Run, console: rich.console.Console) -> None:
    """Prints the summary of each task, its baseline and threshold, and what to know of the numbers.

    Raises:
      records.RecordsError: as `results.collect`.
    """
    if unfinished := wording.ending(run):
        console.print(rich.text.Text(unfinished, style="bold"))
    for task in results.collect(run):
        if task.complete:
            terminal.show(console, *tables.summary_table(task, narrow=True), title=task.task.name)
        console.print(rich.text.Text(wording.reference(task.task)))
        for note in [*wording.notes(run, task), *tuning.notes(task)]:
            console.print(rich.text.Text(f"Note: {note}"))
        for line in pairs.sentences(pairs.within(task)):
            console.print(rich.text.Text(line))


def _task_page(
    run: records.Run, task: results.TaskResults, attended: attention.Found, drawn: files.Figures, prefix: str
) -> page.TaskPage:
    tuned = tuning.illustration(task)
    return page.TaskPage(
        task=task,
        pairs=pairs.within(task),
        pictures=drawn.add_all(figures.illustrations(task), prefix),
        tuning_picture=drawn.add(tuned, prefix) if tuned else None,
        probed=placed.parts(probed.flow_exhibits(run), drawn),
        attended=[*map(markup.paragraph, attention.notes(attended)), *placed.parts(attention.grids(attended), drawn)],
    )
