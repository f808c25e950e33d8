"""HTML of a self-contained page: it loads nothing and runs nothing, and all text is escaped."""

import base64
import dataclasses
import html
from collections.abc import Iterable, Sequence

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
a { color: #0059a8; }
details { margin: 1rem 0; }
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


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page: its heading as plain text, then pieces of HTML, and pictures, which the page numbers."""

    heading: str
    parts: Sequence[str | Picture]


def document(title: str, sections: Iterable[Section], lead: str = "", warning: str | None = None) -> str:
    """The whole page; `title`, `lead` and `warning` are plain text."""
    name = html.escape(title)
    banner = f'<p class="warning"><strong>{html.escape(warning)}</strong></p>' if warning else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{name}</h1>
{f'<p class="lead">{html.escape(lead)}</p>' if lead else ""}
{banner}
{_body(sections)}
</main>
</body>
</html>
"""


def paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    """A list of plain texts; nothing where there are none."""
    return "<ul>" + "\n".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def folded(summary: str, content: str) -> str:
    """Pieces of HTML that a click on the plain text `summary` shows."""
    return f"<details>\n<summary>{html.escape(summary)}</summary>\n{content}\n</details>"


def _body(sections: Iterable[Section]) -> str:
    pieces, figures = [], 0
    for section in sections:
        pieces.append(f"<h2>{html.escape(section.heading)}</h2>")
        for part in section.parts:
            figures += isinstance(part, Picture)
            pieces.append(_figure(figures, part) if isinstance(part, Picture) else part)
    return "\n".join(filter(None, pieces))


def _figure(index: int, picture: Picture) -> str:
    data = base64.b64encode(picture.svg).decode("ascii")
    return (
        f'<figure>\n<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(picture.alt)}">\n'
        f"<figcaption><b>Figure {index}. {html.escape(picture.title)}.</b> {html.escape(picture.caption)}"
        "</figcaption>\n</figure>"
    )
