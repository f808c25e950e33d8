"""Makes `claims.html`: a summary, then each claim with what was run, the verdict and its figures."""

import html
import operator
import shlex
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gru_research import tables
from gru_research.plural import several
from gru_research.report import files, formatting, markup
from gru_research.report.claims.findings import Claims, Finding, counted
from gru_research.tables import Column

TITLE = "What gates do: a tutorial's claims about the GRU, run"


def to_html(workdir: Path, claims: Claims, figures: files.Figures) -> str:
    """Returns the page; `figures` writes the figures' files."""
    sections = [markup.Section("In short", _short(claims))]
    sections += [_section(workdir, finding, figures) for finding in claims.findings]
    sections.append(markup.Section("What was run", [facts(claims)]))
    lacking = f"Not finished: {', '.join(claims.missing)}." if claims.missing else None
    return markup.document(TITLE, sections, lead=lead(claims), warning=lacking)


def lead(claims: Claims) -> str:
    return (
        f"Of {several(len(claims.findings), 'claim')}, {counted(claims.findings)}. Every number on this page was "
        "measured by the command at its end. Each verdict follows from its numbers by the rule beside it."
    )


def verdicts(
    claims: Claims,
    name: Callable[[Finding], str],
    verdict: Callable[[Finding], str] = operator.attrgetter("verdict"),
    align: tables.Align = "left",
    caption: str = "The claims",
) -> tables.Table:
    """Returns the table of each claim's verdict and its sentence."""
    columns = [
        Column("claim", name, "left"),
        Column("verdict", verdict, align),
        Column("what was found", lambda finding: finding.says, align),
    ]
    return tables.tabulate(columns, zip(claims.findings), caption)


def _short(claims: Claims) -> list[str]:
    links = [f"#{finding.name}" for finding in claims.findings]
    return [tables.to_html(verdicts(claims, lambda finding: finding.claim), "verdicts", links)]


def described(finding: Finding) -> dict[str, str]:
    """Returns what was run for a claim, its rule and what was left out, by name, as far as there are such texts."""
    texts = {"What was run": finding.ran, "Rule": finding.rule, "Left to the full form": finding.left}
    return {name: text for name, text in texts.items() if text}


def _section(workdir: Path, finding: Finding, figures: files.Figures) -> markup.Section:
    parts: list[Any] = [
        _verdict(finding),
        markup.definitions(described(finding)),
        *figures.parts(finding.shown),
    ]
    if links := [link for run in finding.runs if (link := _link(workdir, run))]:
        parts.append(f"<p>Runs: {', '.join(links)}</p>")
    return markup.Section(finding.claim, parts, anchor=finding.name)


def _verdict(finding: Finding) -> str:
    kind = finding.verdict.replace(" ", "-").replace("'", "")
    return (
        f'<p class="verdict {kind}"><strong>{html.escape(finding.verdict.capitalize())}.</strong> '
        f"{html.escape(finding.says)}</p>"
    )


def _link(workdir: Path, run: str) -> str | None:
    """Returns the link to a run's report; None if it has none."""
    if not (workdir / run / "report.html").is_file():
        return None
    return f'<a href="{urllib.parse.quote(run)}/report.html">{html.escape(run)}</a>'


def named_facts(claims: Claims) -> dict[str, str]:
    """Returns where, when and with which command and versions the claims were run."""
    header, env = claims.header, claims.header["env"]
    seconds = sum(finding.seconds for finding in claims.findings)
    facts = {
        "Command": shlex.join(header["command"]),
        "Started": header["started"],
        "Took": f"{seconds / 60:.1f} min",
        "Machine": f"{env['cores']} cores, {env['platform']}, {env['backend']}: {', '.join(env['devices'])}",
        "Recurrent layers": env.get("engine", ""),
        "Python": env["python"],
        "Versions": ", ".join(f"{name} {version}" for name, version in env["versions"].items()),
        "Git commit": (env["git_commit"] or "") + (", with uncommitted changes" if env.get("git_dirty") else ""),
    }
    return {name: text for name, text in facts.items() if text}


def facts(claims: Claims) -> str:
    return markup.definitions(named_facts(claims)) + markup.details(
        "The configuration", f"<pre>{html.escape(formatting.json_text(claims.header['config']))}</pre>"
    )
