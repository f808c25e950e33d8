"""Makes the shared report of a study: a suite of tasks, or one task at increasing values of a field (a horizon)."""

import itertools
from pathlib import Path

import rich.console
import rich.text

from gru_research.report import files, pairwise_tests, seeds_csv, summary
from gru_research.report.study import aggregate, captions, figures, horizon, horizon_figure, page, reading
from gru_research.tables import terminal


def write(workdir: Path, console: rich.console.Console | None = None) -> files.ReportPaths:
    """Makes the report of the study in `workdir` from the records of its runs, and prints its table to `console`.

    The report names runs that are missing, unfinished or damaged. Each file is replaced atomically.

    Raises:
      records.RecordsError: `study.json` can't be read. Nothing is written then.
    """
    study = reading.read(workdir)
    found = aggregate.scores(study)
    tasks = {run.name: run.outcome for run in study.runs if run.outcome}
    tested = [test for x, y in itertools.combinations(study.labels, 2) for test in pairwise_tests.over(tasks, x, y)]
    drawn = files.Figures(workdir / "figures")
    if study.kind == "horizon":
        shown = [made for made in [horizon_figure.figure(study)] if made]
    else:
        shown = figures.figures(study, found)
    pictures = {made.name: drawn.add(made) for made in shown}
    rows = [(run.name, row) for run in study.runs for row in run.rows]
    table = summary.to_csv([row for _, row in rows], runs=[name for name, _ in rows])
    paths = files.ReportPaths(
        summary=files.replace(workdir / "summary.csv", table.encode()),
        seeds=files.replace(workdir / "seeds.csv", seeds_csv.to_csv(tasks.items(), named=True).encode()),
        page=files.replace(workdir / "report.html", page.to_html(study, found, tested, pictures).encode()),
        figures=tuple(drawn.paths),
    )
    if console is not None:
        _print(study, found, console)
        console.print(rich.text.Text(f"Report: {paths.page}"), soft_wrap=True)
    return paths


def _print(study: reading.Study, found: aggregate.Scores, console: rich.console.Console) -> None:
    if study.kind == "horizon":
        terminal.show(console, horizon.table(study, study.title))
        lines = [horizon.words(study, reach) for reach in horizon.reaches(study)]
    else:
        terminal.show(console, captions.table(study, study.title, intervals=False))
        lines = [captions.means_line(found)] if found.common else []
    for line in [*lines, *(f"Note: {note}" for note in captions.notes(study))]:
        console.print(rich.text.Text(line))
