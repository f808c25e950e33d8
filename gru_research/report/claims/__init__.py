"""Makes the page of claims, with what was run for each claim and its result. It only reads files and never trains."""

from pathlib import Path

import rich.console
import rich.text

from gru_research.report import files
from gru_research.report.claims import findings, markdown, page
from gru_research.tables import terminal

__all__ = ["findings", "print_verdicts", "write"]

PAGE, TEXT = "claims.html", "claims.md"


def write(workdir: Path, console: rich.console.Console | None = None) -> Path:
    """Makes `claims.html`, `claims.md` and `figures/` for claims, finished or not. Returns the page's path.

    Raises:
      records.RecordsError: as `findings.read`.
    """
    claims = findings.read(workdir)
    figures = files.Figures(workdir / "figures")
    path = files.replace(workdir / PAGE, page.to_html(workdir, claims, figures).encode())
    files.replace(workdir / TEXT, markdown.to_markdown(claims).encode())
    if console is not None:
        print_verdicts(claims, console)
        console.print(rich.text.Text(f"Page: {path}"), soft_wrap=True)
    return path


def print_verdicts(claims: findings.Claims, console: rich.console.Console) -> None:
    """Prints each claim's verdict and its sentence."""
    caption = findings.counted(claims.findings)
    terminal.show(console, page.verdicts(claims, lambda finding: finding.name, align="right", caption=caption))
    if claims.missing:
        console.print(rich.text.Text(f"Not finished: {', '.join(claims.missing)}"))
