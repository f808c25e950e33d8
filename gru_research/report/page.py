"""`report.html`: one self-contained page. It loads nothing and runs nothing; all text is escaped."""

import base64
import collections
import dataclasses
import html
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from gru_research import records
from gru_research.report import results, tables, wording

# The page may show images that it carries and its own style, and may load nothing at all.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 50rem; background: #fff; color: #1d1d1f;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.6rem 0 .8rem; padding-top: .8rem; border-top: 1px solid #d5d5da; }
p, li { max-width: 42rem; }
.lead { color: #55555c; margin: 0 0 1rem; }
.warning { border-left: .3rem solid #d55e00; background: #fdf3ec; padding: .7rem 1rem; margin: 1rem 0; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1.2rem; margin: 0; }
dt { color: #55555c; }
dd { margin: 0; }
code, pre { font: .86rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { overflow-x: auto; background: #f6f6f8; padding: .8rem 1rem; margin: .6rem 0 0; }
summary { cursor: pointer; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: #55555c; padding-bottom: .4rem; }
th, td { padding: .4rem .5rem; text-align: right; vertical-align: top; border-bottom: 1px solid #e3e3e8; }
th:first-child { text-align: left; padding-left: 0; }
td:last-child, th:last-child { padding-right: 0; }
thead th { font-weight: 600; vertical-align: bottom; border-bottom: 2px solid #8e8e96; }
.seeds td, .seeds th { white-space: nowrap; }
figure { margin: 0 0 2.2rem; break-inside: avoid; }
figure img { display: block; width: 100%; max-width: 38rem; height: auto; }
figcaption { font-size: .92rem; color: #3a3a40; max-width: 38rem; }
figcaption b { color: #1d1d1f; }
@media (max-width: 36rem) {
  dl { display: block; }
  dd { margin: 0 0 .5rem; }
  .summary thead { position: absolute; clip-path: inset(50%); }
  .summary, .summary tbody, .summary tr, .summary th, .summary td, .summary caption { display: block; }
  .summary tr { border-bottom: 1px solid #8e8e96; padding: .6rem 0; }
  .summary th, .summary td { border: 0; padding: .1rem 0; }
  .summary th { font-size: 1rem; }
  .summary td { display: flex; justify-content: space-between; gap: 1rem; }
  .summary td::before { content: attr(data-heading); color: #55555c; text-align: left; flex: none; max-width: 50%; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  h2 { break-after: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 8.5pt; }
  .seeds td, .seeds th { white-space: normal; }
  tr { break-inside: avoid; }
  figure img { max-width: 12cm; }
  figcaption { max-width: 16cm; }
  .warning, pre { background: none; }
  pre { white-space: pre-wrap; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure as the page holds it: the bytes of its SVG, and its words as plain text."""

    svg: bytes
    title: str
    alt: str
    caption: str


def to_html(run: records.Run, tasks: Sequence[tuple[results.TaskResults, Sequence[Picture]]]) -> str:
    """The page of a run: what was run, then each task's table, figures, notes and seeds, then the config."""
    names = ", ".join(task.task.name for task, _ in tasks)
    title = html.escape(f"{names}: recurrent cells compared")
    unfinished = wording.ending(run)
    banner = f'<p class="warning"><strong>{html.escape(unfinished)}</strong></p>' if unfinished else ""
    sections = "\n".join(_task_section(run, task, pictures, heading=len(tasks) > 1) for task, pictures in tasks)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{_lead(run)}
{banner}
{sections}
<h2>What was run</h2>
{_facts(run)}
<h2>Configuration</h2>
{_config(run)}
</main>
</body>
</html>
"""


def _task_section(run: records.Run, task: results.TaskResults, pictures: Sequence[Picture], heading: bool) -> str:
    """One task, from the table to the numbers of every seed."""
    name = f" on {html.escape(task.task.name)}" if heading else ""
    summary = tables.to_html(*tables.summary_table(task), caption=_caption(task), css_class="summary")
    seeds = tables.to_html(*tables.seeds_table(task), caption="One row a seed", css_class="seeds")
    nothing = "<p>No cell has the results of all its seeds.</p>"
    notes = wording.notes(run, task)
    figures = "\n".join(_figure(i, picture) for i, picture in enumerate(pictures, 1))
    return "\n".join(
        [
            f"<h2>Results{name}</h2>",
            summary if task.complete else nothing,
            f"<p>{html.escape(wording.reference(task.task))}</p>",
            "<ul>" + "\n".join(f"<li>{html.escape(note)}</li>" for note in notes) + "</ul>" if notes else "",
            f"<h2>Figures{name}</h2>",
            figures or "<p>There is no evaluation to draw yet.</p>",
            f"<h2>Every seed{name}</h2>",
            seeds if any(cell.seeds for cell in task.cells) else "<p>No seed has a result yet.</p>",
        ]
    )


def _caption(task: results.TaskResults) -> str:
    better = "less" if task.task.direction == "min" else "more"
    return (
        f"{task.task.name}: test {task.task.metric} ({better} is better). IQM is the interquartile mean over seeds; "
        "ms/step is training time for each update and seed."
    )


def _figure(index: int, picture: Picture) -> str:
    data = base64.b64encode(picture.svg).decode("ascii")
    return (
        f'<figure>\n<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(picture.alt)}">\n'
        f"<figcaption><b>Figure {index}. {html.escape(picture.title)}.</b> {html.escape(picture.caption)}"
        "</figcaption>\n</figure>"
    )


def _lead(run: records.Run) -> str:
    started = (run.header.get("time") or {}).get("started")
    return f'<p class="lead">Run of {html.escape(str(started))}</p>' if started else ""


def _facts(run: records.Run) -> str:
    """Where and with what the run was made, as a list of names and values; what isn't known is left out."""
    env: Mapping[str, Any] = run.header.get("env") or {}
    commit, command = env.get("git_commit"), env.get("command")
    versions = env.get("versions") or {}
    facts = {
        "Task": (run.header.get("task") or {}).get("name"),
        "Started": (run.header.get("time") or {}).get("started"),
        "Seconds": ((run.end or {}).get("time") or {}).get("seconds"),
        "Command": shlex.join(command) if isinstance(command, list) else command,
        "Git commit": f"{commit}, with uncommitted changes" if commit and env.get("git_dirty") else commit,
        "Backend": env.get("backend"),
        "Devices": _listed(env.get("devices")),
        "Cores": env.get("cores"),
        "Platform": env.get("platform"),
        "Python": env.get("python"),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    rows = "\n".join(_fact(name, value) for name, value in facts.items() if value not in (None, ""))
    return f"<dl>\n{rows}\n</dl>"


def _fact(name: str, value: Any) -> str:
    text = html.escape(wording.number(value) if isinstance(value, float) else str(value))
    return f"<dt>{name}</dt><dd>{f'<code>{text}</code>' if name in ('Command', 'Git commit') else text}</dd>"


def _listed(values: Any) -> str | None:
    """Equal ones once, with how many there are."""
    if not values:
        return None
    counted = collections.Counter(map(str, values))
    return ", ".join(f"{count} x {value}" if count > 1 else value for value, count in counted.items())


def _config(run: records.Run) -> str:
    text = html.escape(json.dumps(run.header.get("config"), indent=2, ensure_ascii=False))
    return f"<details>\n<summary>The run's configuration as JSON</summary>\n<pre>{text}</pre>\n</details>"
