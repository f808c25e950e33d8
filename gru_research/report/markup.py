"""Makes HTML for a self-contained page. The page loads nothing, and the slider is its only script. Text is escaped."""

import base64
import dataclasses
import html
import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from gru_research.report import slider_script

# The page may use its embedded images, sounds and style, and load nothing.
_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"

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
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1.2rem; margin: 0 0 1rem; }
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
td.left, th.left { text-align: left; }
td.right, th.right { text-align: right; }
td:last-child, th:last-child { padding-right: 0; }
thead th { font-weight: 600; vertical-align: bottom; border-bottom: 2px solid #8e8e96; }
.seeds td, .seeds th { white-space: nowrap; }
.verdicts td:nth-child(2) { white-space: nowrap; font-weight: 600; }
.verdict { border-left: .3rem solid #8e8e96; background: #f6f6f8; padding: .7rem 1rem; margin: .4rem 0 1rem; }
.verdict.holds, .verdict.holds-when { border-color: #0072b2; background: #eef5fa; }
.verdict.doesnt-hold { border-color: #d55e00; background: #fdf3ec; }
figure { margin: 0 0 2.2rem; break-inside: avoid; }
figure audio { width: 100%; max-width: 38rem; }
figure img { display: block; width: 100%; max-width: 38rem; height: auto; }
.sheet { position: relative; max-width: 38rem; }
.line { position: absolute; width: 2px; margin-left: -1px; background: #d55e00; pointer-events: none; }
.stepper { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; max-width: 38rem;
  margin: .2rem 0 .8rem; }
.stepper button { font: inherit; min-width: 5rem; min-height: 2.2rem; }
.stepper input { flex: 1 1 12rem; min-height: 2.2rem; accent-color: #d55e00; }
.stepper output { flex: 1 0 100%; font-size: .88rem; font-variant-numeric: tabular-nums; white-space: pre-line; }
.line[hidden], .stepper[hidden], .stepper button[hidden] { display: none; }
figcaption { font-size: .92rem; color: #3a3a40; max-width: 38rem; }
figcaption b { color: #1d1d1f; }
a { color: #0059a8; }
details { margin: 1rem 0; }
@media (max-width: 36rem) {
  dl { display: block; }
  dd { margin: 0 0 .5rem; }
  :is(.summary, .verdicts) thead { position: absolute; clip-path: inset(50%); }
  :is(.summary, .verdicts), :is(.summary, .verdicts) :is(tbody, tr, th, td, caption) { display: block; }
  :is(.summary, .verdicts) tr { border-bottom: 1px solid #8e8e96; padding: .6rem 0; }
  :is(.summary, .verdicts) :is(th, td) { border: 0; padding: .1rem 0; }
  :is(.summary, .verdicts) th { font-size: 1rem; }
  .summary td { display: flex; justify-content: space-between; gap: 1rem; }
  .summary td::before { content: attr(data-heading); color: #55555c; text-align: left; flex: none; max-width: 50%; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  h2 { break-after: avoid; }
  .scroll { overflow: visible; }
  .line, .stepper { display: none; }
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
class Slider:
    """A slider over the steps on a picture's x axis.

    Attributes:
      left, right: the start of the first step and the end of the last, as fractions of the picture's width.
      top, bottom: the ends of the line at a step, as fractions of the picture's height from the top.
      texts: the text of each step, plain text in lines.
    """

    left: float
    right: float
    top: float
    bottom: float
    texts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure for the page: the bytes of its SVG, its words as plain text, and an optional slider over its steps."""

    svg: bytes
    title: str
    alt: str
    caption: str
    slider: Slider | None = None


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page: its heading as plain text, then pieces of HTML and pictures. The page numbers the pictures.

    `anchor` is the heading's target for links, `#ANCHOR`.
    """

    heading: str
    parts: Sequence[str | Picture]
    anchor: str = ""


def document(title: str, sections: Iterable[Section], lead: str = "", warning: str | None = None) -> str:
    """Returns the whole page. `title`, `lead` and `warning` are plain text."""
    name = html.escape(title)
    banner = f'<p class="warning"><strong>{html.escape(warning)}</strong></p>' if warning else ""
    sections = list(sections)
    moving = any(isinstance(part, Picture) and part.slider for section in sections for part in section.parts)
    policy = f"{_POLICY}; script-src 'sha256-{slider_script.SHA256}'" if moving else _POLICY
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">
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
{f"<script>{slider_script.SCRIPT}</script>" if moving else ""}
</body>
</html>
"""


def paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def player(title: str, alt: str, caption: str, wav: str) -> str:
    """Returns controls that play a WAV file, given as base64. The texts are plain."""
    return (
        f'<figure>\n<audio controls preload="metadata" aria-label="{html.escape(alt)}" '
        f'src="data:audio/wav;base64,{wav}"></audio>\n'
        f"<figcaption><b>{html.escape(title)}.</b> {html.escape(caption)}</figcaption>\n</figure>"
    )


def bullets(lines: Sequence[str]) -> str:
    """Returns a list of plain texts; empty without texts."""
    return "<ul>" + "\n".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def definitions(texts: Mapping[str, str], code: Collection[str] = ()) -> str:
    """Returns a list of names and texts; the texts of the names in `code` are set as code."""
    shown = {name: html.escape(text) for name, text in texts.items()}
    shown |= {name: f"<code>{text}</code>" for name, text in shown.items() if name in code}
    rows = "\n".join(f"<dt>{html.escape(name)}</dt><dd>{text}</dd>" for name, text in shown.items())
    return f"<dl>\n{rows}\n</dl>"


def details(summary: str, content: str) -> str:
    """Returns HTML `content` that is hidden until a click on the plain text `summary`."""
    return f"<details>\n<summary>{html.escape(summary)}</summary>\n{content}\n</details>"


def _body(sections: Iterable[Section]) -> str:
    pieces, figures = [], 0
    for section in sections:
        anchor = f' id="{html.escape(section.anchor)}"' if section.anchor else ""
        pieces.append(f"<h2{anchor}>{html.escape(section.heading)}</h2>")
        for part in section.parts:
            figures += isinstance(part, Picture)
            pieces.append(_figure(figures, part) if isinstance(part, Picture) else part)
    return "\n".join(filter(None, pieces))


def _figure(index: int, picture: Picture) -> str:
    data = base64.b64encode(picture.svg).decode("ascii")
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(picture.alt)}">'
    begin, shown = ("<figure>", image) if picture.slider is None else _slider(picture.slider, picture.title, image)
    return (
        f"{begin}\n{shown}\n"
        f"<figcaption><b>Figure {index}. {html.escape(picture.title)}.</b> {html.escape(picture.caption)}"
        "</figcaption>\n</figure>"
    )


def _slider(slider: Slider, title: str, image: str) -> tuple[str, str]:
    """Returns the start tag of a figure with a slider, and the picture with the slider. The script shows the slider."""
    last, name = len(slider.texts) - 1, html.escape(f"Step of: {title}")
    begin = (
        f'<figure data-left="{slider.left:.5f}" data-right="{slider.right:.5f}" '
        f'data-texts="{html.escape(json.dumps(slider.texts, ensure_ascii=False))}">'
    )
    extent = f"top: {100 * slider.top:.3f}%; height: {100 * (slider.bottom - slider.top):.3f}%"
    return begin, (
        f'<div class="sheet">{image}<span class="line" style="{extent}" hidden></span></div>\n'
        f'<div class="stepper" hidden><button type="button">Play</button>'
        f'<input type="range" min="0" max="{last}" value="0" aria-label="{name}"><output></output></div>'
    )
