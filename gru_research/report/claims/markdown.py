"""Makes `claims.md`: the content of the page as Markdown, with links to the figures' files."""

from gru_research import tables
from gru_research.report import drawing, exhibits, figure_settings
from gru_research.report.claims import page
from gru_research.report.claims.findings import Claims, Finding


def to_markdown(claims: Claims) -> str:
    """Returns the Markdown. Figures are `figures/NAME.png`, or in the first format of the settings."""
    verdicts = page.verdicts(claims, lambda f: f"[{f.claim}](#{f.name})", lambda f: f"**{f.verdict}**")
    pieces = [f"# {page.TITLE}", page.lead(claims), tables.to_markdown(verdicts)]
    pieces += [_section(finding) for finding in claims.findings]
    facts = "\n".join(f"- {name}: {_code(name, text)}" for name, text in page.named_facts(claims).items())
    return "\n\n".join([*pieces, "## What was run", facts]) + "\n"


def _section(finding: Finding) -> str:
    pieces = [
        f'<a id="{finding.name}"></a>',
        f"## {finding.claim}",
        f"**{finding.verdict.capitalize()}.** {finding.says}",
    ]
    pieces += [f"{name}: {text}" for name, text in page.described(finding).items()]
    for exhibit in finding.shown:
        if isinstance(exhibit, tables.Table):
            pieces += [f"{exhibit.caption}:", tables.to_markdown(exhibit)]
        elif isinstance(exhibit, exhibits.Sound):
            pieces.append(f"*{exhibit.words.title}. {exhibit.words.caption}*")
        else:
            words = drawing.captioned(exhibit)
            kind = figure_settings.current().formats[0]
            pieces += [f"![{words.alt}](figures/{exhibit.name}.{kind})", f"*{words.title}. {words.caption}*"]
    return "\n\n".join(pieces)


def _code(name: str, text: str) -> str:
    return f"`{text}`" if name in ("Command", "Git commit") else text
