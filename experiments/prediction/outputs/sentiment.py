"""Writes the answer to a text: a table with a row for each word, and a page with the words marked."""

import csv
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gru_research.tasks import Task

HEADER = ("word", "effect")
FOR, AGAINST = "0, 110, 180", "200, 90, 0"
"""Red, green and blue of words that speak for the answer and against it; colour-blind readers tell them apart."""
LEAST = 0.05
"""Words with less than this share of the largest effect aren't marked."""
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 18px/2 sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em }}
span {{ padding: .1em .2em; border-radius: .2em }} small {{ color: #555 }}</style></head>
<body><h1>{title}</h1>
<p>{words}</p>
<p><small>Blue words raise the log-odds of the answer, and <span style="background: rgba({against}, .5)">orange</span>
words with a sign lower them, by how much they change when the word is left out.</small></p>
</body></html>
"""


def write(task: Task, given: Any, answer: Any, stem: Path) -> Sequence[Path]:
    """Writes STEM.tsv, each word with by how much it raises the log-odds of the likeliest label, and STEM.html."""
    del task, given
    pairs = list(zip(answer["words"], answer["effects"], strict=True))
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("tsv", "html")]
    with open(paths[0], "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(HEADER)
        table.writerows((word, "" if effect is None else f"{effect:.4f}") for word, effect in pairs)
    most = max((abs(effect) for _, effect in pairs if effect is not None), default=0.0) or 1.0
    words = " ".join(_marked(word, effect, most) for word, effect in pairs)
    page = _PAGE.format(title=html.escape(_title(answer)), words=words, against=AGAINST)
    paths[1].write_text(page, encoding="utf-8")
    return paths


def _title(answer: Any) -> str:
    """Returns the answer with its probability, or the answers where a text may have several."""
    shares = answer["probabilities"]
    names = answer["labels"] if "labels" in answer else [answer["class"]]
    return ", ".join(f"{name}: {shares[name]:.0%}" if name in shares else str(name) for name in names) or "no label"


def _marked(word: str, effect: float | None, most: float) -> str:
    """Returns a word as HTML, the darker the larger its effect is beside the largest one, `most`."""
    text = html.escape(word)
    if effect is None or abs(effect) < LEAST * most:
        return text
    colour = f"rgba({FOR if effect > 0 else AGAINST}, {0.6 * abs(effect) / most:.2f})"
    sign = "" if effect > 0 else "\u2212"
    return f'<span style="background: {colour}" title="{effect:+.2f}">{sign}{text}</span>'
