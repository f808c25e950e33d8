"""Makes `claims.md`: the content of the page as Markdown, with links to the figures' files."""

from gru_research import tables
from gru_research.report import figure_settings
from gru_research.report.claims import page
from gru_research.report.claims.findings import Claims, Finding
from gru_research.report.exhibits import drawing
from gru_research.tables import Column


def to_markdown(claims: Claims) -> str:
    """Returns the Markdown. Figures are `figures/NAME.png`, or in the first format of the settings."""
    columns = [
        Column("claim", lambda finding: f"[{finding.claim}](#{finding.name})", "left"),
        Column("verdict", lambda finding: f"**{finding.verdict}**", "left"),
        Column("what was found", lambda finding: finding.says, "left"),
    ]
    verdicts = tables.to_markdown(tables.tabulate(columns, zip(claims.findings)))
    pieces = [f"# {page.TITLE}", page.lead(claims), verdicts]
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
        if isinstance(exhibit, tables.Table):
            pieces += [f"{exhibit.caption}:", tables.to_markdown(exhibit)]
        else:
            words = drawing.captioned(exhibit)
            kind = figure_settings.current().formats[0]
            pieces += [f"![{words.alt}](figures/{exhibit.name}.{kind})", f"*{words.title}. {words.caption}*"]
    return "\n\n".join(pieces)


def _code(name: str, text: str) -> str:
    return f"`{text}`" if name in ("Command", "Git commit") else text
