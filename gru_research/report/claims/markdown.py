"""Makes `claims.md`: the content of the page as Markdown, with links to the figures' files."""

from collections.abc import Sequence

from gru_research.report import figure_settings
from gru_research.report.claims import page
from gru_research.report.claims.findings import Claims, Finding
from gru_research.report.exhibits import Table, drawing


def to_markdown(claims: Claims) -> str:
    """Returns the Markdown. Figures are `figures/NAME.png`, or in the first format of the settings."""
    rows = [(f"[{f.claim}](#{f.name})", f"**{f.verdict}**", f.says) for f in claims.findings]
    pieces = [f"# {page.TITLE}", page.lead(claims), _table(("claim", "verdict", "what was found"), rows)]
    pieces += [_section(finding) for finding in claims.findings]
    facts = "\n".join(f"- {name}: {_code(name, text)}" for name, text in page.named_facts(claims).items())
    return "\n\n".join([*pieces, "## What was run", facts]) + "\n"


def _section(finding: Finding) -> str:
    pieces = [
        f'<a id="{finding.name}"></a>',
        f"## {finding.claim}",
        f"**{finding.verdict.capitalize()}.** {finding.says}",
    ]
    described = {"What was run": finding.ran, "Rule": finding.rule, "Left to the full form": finding.left}
    pieces += [f"{name}: {text}" for name, text in described.items() if text]
    for exhibit in finding.shown:
        if isinstance(exhibit, Table):
            pieces += [f"{exhibit.caption}:", _table(exhibit.headings, exhibit.rows)]
        else:
            words = drawing.captioned(exhibit)
            kind = figure_settings.current().formats[0]
            pieces += [f"![{words.alt}](figures/{exhibit.name}.{kind})", f"*{words.title}. {words.caption}*"]
    return "\n\n".join(pieces)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] + ["---:" if _is_number(rows, i) else "---" for i in range(1, len(headings))], *rows]
    return "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)


def _is_number(rows: Sequence[Sequence[str]], column: int) -> bool:
    return all(row[column][:1].isdigit() or row[column][:1] in "-<" for row in rows)


def _code(name: str, text: str) -> str:
    return f"`{text}`" if name in ("Command", "Git commit") else text
