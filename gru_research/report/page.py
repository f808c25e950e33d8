"""Makes `report.html` of a run: results, pairs of cells, figures, seeds, and what was run."""

import collections
import dataclasses
import html
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from gru_research import records, tables
from gru_research.plural import several
from gru_research.report import application, formatting, markup, pairwise_tests, results, run_notes, run_tables, tuning


@dataclasses.dataclass(frozen=True)
class TaskPage:
    """The content of a task's page: results, pairs, pictures, and the exhibits of probes, attention and examples.
    `notes` come before all other notes, and `verdict` is on an application's use."""

    task: results.TaskResults
    pairs: Sequence[pairwise_tests.Pair]
    pictures: Sequence[markup.Picture]
    tuning_picture: markup.Picture | None = None
    probed: Sequence[str | markup.Picture] = ()
    attended: Sequence[str | markup.Picture] = ()
    examples: Sequence[str | markup.Picture] = ()
    verdict: Sequence[str] = ()
    notes: Sequence[str] = ()


def to_html(run: records.Run, shown: TaskPage, sources: Mapping[str, records.Run], why: str | None = None) -> str:
    """Returns the page of one run or several. `run` has the records of all runs, and `sources` each run by its name.

    `why` is the address of the page on the internals of the cells.
    """
    sections = _task_sections(run, shown)
    if why:
        link = f'<a href="{html.escape(why)}">What the cells do to gradients and memory, and what their gates do</a>'
        sections.append(markup.Section("Why", [f"<p>{link}</p>"]))
    for name, source in sources.items():
        of = f": {name}" if len(sources) > 1 else ""
        sections.append(markup.Section(f"What was run{of}", [facts(source)]))
        sections.append(markup.Section(f"Configuration{of}", [_config(source)]))
    return markup.document(
        f"{shown.task.task.name}: recurrent cells compared",
        sections,
        lead=_lead(sources),
        warning=run_notes.ending(run),
    )


def _lead(sources: Mapping[str, records.Run]) -> str:
    started = [source.header.time.get("started") for source in sources.values()]
    if len(sources) > 1:
        return f"{several(len(sources), 'run')}: {', '.join(sources)}"
    return f"Run of {started[0]}" if started[0] else ""


def _task_sections(run: records.Run, page: TaskPage) -> list[markup.Section]:
    """Returns the sections from the results table to the numbers of every seed."""
    task = page.task
    nothing = markup.paragraph("No cell has the results of all its seeds.")
    summary = tables.to_html(run_tables.summary_table(task, trivial=True), "summary")
    notes = [*page.notes, *run_notes.notes(run, task), *tuning.notes(task)]
    sections = [
        markup.Section(
            "Results",
            [
                summary if task.complete else nothing,
                markup.paragraph(run_notes.reference(task.task)),
                markup.bullets(notes),
            ],
        )
    ]
    if beside := application.references(task):
        parts = [tables.to_html(beside, "metrics"), markup.paragraph(" ".join(page.verdict))]
        sections.append(markup.Section("What it shows", parts))
    if page.examples:
        sections.append(markup.Section("Examples", page.examples))
    if several_metrics := run_tables.metrics_table(task):
        sections.append(markup.Section("Metrics", [tables.to_html(several_metrics, "metrics")]))
    if page.pairs:
        sections.append(markup.Section("Pairs", _pair_parts(page)))
    figures = list(page.pictures) or [markup.paragraph("There is no evaluation to draw yet.")]
    sections.append(markup.Section("Figures", figures))
    if solving := run_tables.solving_table(task):
        sections.append(markup.Section("Time to solve", [tables.to_html(solving, "solving")]))
    if page.probed:
        sections.append(markup.Section("Gradients", page.probed))
    if page.attended:
        sections.append(markup.Section("Attention", page.attended))
    if task.tunings:
        sections.append(markup.Section("Tuning", _tuning_parts(page)))
    sections.append(markup.Section("Every seed", [_seeds(task)]))
    return sections


def _pair_parts(page: TaskPage) -> list[str | markup.Picture]:
    table = tables.to_html(pairwise_tests.table(page.pairs), "pairs")
    return [table, markup.paragraph(pairwise_tests.explanation(page.pairs))]


def _tuning_parts(page: TaskPage) -> list[str | markup.Picture]:
    table = tables.to_html(tuning.table(page.task), "seeds")
    picture = [page.tuning_picture] if page.tuning_picture else []
    return [*picture, markup.details("Every draw", table)]


def _seeds(task: results.TaskResults) -> str:
    if not any(cell.seeds for cell in task.cells):
        return markup.paragraph("No seed has a result yet.")
    return tables.to_html(run_tables.seeds_table(task), "seeds")


def facts(run: records.Run) -> str:
    """Returns `origin` as an HTML list."""
    return markup.definitions(origin(run), code=("Command", "Git commit"))


def origin(run: records.Run) -> dict[str, str]:
    """Returns the known facts on where and with what the run was made, by name."""
    env: Mapping[str, Any] = run.header.env
    commit, command = env.get("git_commit"), env.get("command")
    versions = env.get("versions") or {}
    facts = {
        "Task": run.header.task.get("name"),
        "Started": run.header.time.get("started"),
        "Seconds": run.end.time.get("seconds") if run.end else None,
        "Command": shlex.join(command) if isinstance(command, list) else command,
        "Git commit": f"{commit}, with uncommitted changes" if commit and env.get("git_dirty") else commit,
        "Backend": env.get("backend"),
        "Recurrent layers": env.get("engine"),
        "Devices": _listed(env.get("devices")),
        "Cores": env.get("cores"),
        "Platform": env.get("platform"),
        "Python": env.get("python"),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    known = {name: value for name, value in facts.items() if value not in (None, "")}
    return {name: formatting.number(value) if isinstance(value, float) else str(value) for name, value in known.items()}


def _listed(values: Any) -> str | None:
    """Lists each distinct value once, with its count."""
    if not values:
        return None
    counted = collections.Counter(map(str, values))
    return ", ".join(f"{count} x {value}" if count > 1 else value for value, count in counted.items())


def _config(run: records.Run) -> str:
    text = html.escape(formatting.json_text(run.header.config))
    return markup.details("The run's configuration as JSON", f"<pre>{text}</pre>")
