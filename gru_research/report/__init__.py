"""Makes a run's summary, figures and page, only from its `records.jsonl` and its saved attention. It never trains and
doesn't import JAX.

`write` makes summary.csv, seeds.csv, figures/*.png and report.html, and why.html for a diagnosed run. `print_table`
prints the summary on a terminal. `write_together` reports on several runs, and `write_study` on a suite or a horizon.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import rich.console
import rich.text

from gru_research import records
from gru_research.report import (
    application,
    attention,
    combined_runs,
    diagnosis_page,
    examples,
    exhibits,
    figures,
    files,
    gradient_flow,
    latex,
    markup,
    page,
    pairwise_tests,
    results,
    run_notes,
    run_tables,
    seeds_csv,
    study,
    summary,
    tuning,
)
from gru_research.tables import terminal

__all__ = ["ReportPaths", "print_table", "write", "write_study", "write_together"]

ReportPaths = files.ReportPaths
write_study = study.write


def write(workdir: Path, console: rich.console.Console | None = None, latex_by: str = "") -> files.ReportPaths:
    """Makes the report of the run in `workdir`, finished or not, and prints its table to `console`.

    `latex_by` is the command that requests LaTeX tables; if empty, there are none. Each file is replaced atomically.

    Raises:
      records.RecordsError: `records.jsonl` can't be read, or a saved array is damaged. Nothing is written then.
    """
    return _write([combined_runs.alone(workdir)], workdir, console, latex_by)


def write_together(
    workdirs: Sequence[Path],
    output: Path,
    console: rich.console.Console | None = None,
    latex_by: str = "",
    complete: combined_runs.Complete = combined_runs.as_given,
) -> files.ReportPaths:
    """Makes one report of several finished runs of the same task and data, in the directory `output`, as `write` does.

    `complete` is as in `combined_runs.read`.

    Raises:
      records.RecordsError: as `combined_runs.read`, or a saved array is damaged. Nothing is written then.
    """
    return _write(combined_runs.read(workdirs, complete), output, console, latex_by)


def _write(
    sources: Sequence[combined_runs.Source], workdir: Path, console: rich.console.Console | None, latex_by: str
) -> files.ReportPaths:
    run, notes = combined_runs.merged(sources), combined_runs.notes(sources)
    (task,) = results.collect(run)
    runs = [(source.workdir, source.labels) for source in sources]
    attended, shown_examples = attention.read(runs), examples.collect(task, runs)
    workdir.mkdir(parents=True, exist_ok=True)
    drawn = files.Figures(workdir / "figures")
    shown = dataclasses.replace(_task_page(run, task, attended, shown_examples, drawn), notes=notes)
    explained = len(sources) == 1 and (workdir / diagnosis_page.FILE_NAME).is_file()
    if explained:
        diagnosis_page.write(workdir)
    named = {source.name: source.run for source in sources}
    html = page.to_html(run, shown, named, diagnosis_page.PAGE if explained else None)
    paths = files.ReportPaths(
        summary=files.replace(workdir / "summary.csv", _summary(run, sources).encode()),
        seeds=files.replace(workdir / "seeds.csv", seeds_csv.to_csv(_apart(task, sources), len(sources) > 1).encode()),
        page=files.replace(workdir / "report.html", html.encode()),
        figures=tuple(drawn.paths),
        tables=tuple(latex.write(workdir, task, shown.pairs, _made(sources, latex_by)) if latex_by else ()),
    )
    if console is not None:
        print_table(run, console, notes)
        console.print(rich.text.Text(f"Report: {paths.page}"), soft_wrap=True)
    return paths


def _summary(run: records.Run, sources: Sequence[combined_runs.Source]) -> str:
    rows = summary.summarize(run)
    if len(sources) == 1:
        return summary.to_csv(rows)
    run_of = {label: source.name for source in sources for label in source.labels.values()}
    return summary.to_csv(rows, runs=[run_of[row.cell] for row in rows])


def _apart(task: results.TaskResults, sources: Sequence[combined_runs.Source]) -> list[tuple[str, results.TaskResults]]:
    """Returns each run's name and its own results, with its cells relabelled as in the merged run."""
    of_run = {source.name: set(source.labels.values()) for source in sources}
    return [
        (name, dataclasses.replace(task, cells=tuple(cell for cell in task.cells if cell.label in labels)))
        for name, labels in of_run.items()
    ]


def _made(sources: Sequence[combined_runs.Source], command: str) -> dict[str, str]:
    """Returns the command that made the tables, and their runs."""
    made = {"Made by": command}
    for source in sources:
        before = f"{source.name}: " if len(sources) > 1 else ""
        made |= {f"{before}Of the run": str(source.workdir)}
        made |= {f"{before}{name}": text for name, text in page.origin(source.run).items()}
    return made


def print_table(run: records.Run, console: rich.console.Console, notes: Sequence[str] = ()) -> None:
    """Prints each task's summary, its baseline and threshold, and notes on the numbers. `notes` come first.

    Raises:
      records.RecordsError: as `results.collect`.
    """
    if unfinished := run_notes.ending(run):
        console.print(rich.text.Text(unfinished, style="bold"))
    for task in results.collect(run):
        if task.complete:
            terminal.show(console, run_tables.summary_table(task, narrow=True))
            if beside := application.references(task):
                terminal.show(console, beside)
        console.print(rich.text.Text(run_notes.reference(task.task)))
        for line in application.verdict(task, str(run.header.config.get("reference", ""))):
            console.print(rich.text.Text(line))
        for note in [*notes, *run_notes.notes(run, task), *tuning.notes(task)]:
            console.print(rich.text.Text(f"Note: {note}"))
        for line in pairwise_tests.sentences(pairwise_tests.within(task)):
            console.print(rich.text.Text(line))


def _task_page(
    run: records.Run,
    task: results.TaskResults,
    attended: attention.AttentionMaps,
    shown_examples: Sequence[exhibits.Exhibit],
    drawn: files.Figures,
) -> page.TaskPage:
    tuned = tuning.figure(task)
    return page.TaskPage(
        task=task,
        pairs=pairwise_tests.within(task),
        pictures=[drawn.add(shown) for shown in [*figures.figures(task), *application.breakdowns(task)]],
        tuning_picture=drawn.add(tuned) if tuned else None,
        probed=drawn.parts(gradient_flow.flow_exhibits(run)),
        examples=drawn.parts(shown_examples),
        verdict=application.verdict(task, str(run.header.config.get("reference", ""))),
        attended=[*map(markup.paragraph, attention.notes(attended)), *drawn.parts(attention.grids(attended))],
    )
