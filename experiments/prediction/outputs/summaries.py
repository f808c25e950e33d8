"""Writes a summary: a table with a row for each word, and a page of the document with the copied words marked."""

import csv
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gru_research.tasks import Task
from gru_research.tasks.summarisation.words import split_words

HEADER = ("word", "copied", "generated")
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 18px/1.7 sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em }}
mark {{ background: rgba(0, 110, 180, .25); color: inherit; padding: .1em .2em; border-radius: .2em;
text-decoration: underline }} p {{ white-space: pre-wrap }} small {{ color: #555 }}</style></head>
<body><h1 dir="auto">{summary}</h1>
<p dir="auto">{document}</p>
<p><small>Marked words of the summary were copied; they are marked in the text, of which the first {count} words and
punctuation marks were read.</small></p>
</body></html>
"""


def write(task: Task, given: Any, answer: Any, stem: Path) -> Sequence[Path]:
    """Writes STEM.tsv, each word with 1 where it was copied and the probability with which the model generates at this
    place, and STEM.html."""
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("tsv", "html")]
    rows = list(zip(answer["words"], answer["copied"], answer["generated"], strict=True))
    with open(paths[0], "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(HEADER)
        table.writerows((word, int(copied), f"{generated:.4f}") for word, copied, generated in rows)
    most = int(task.learned["document_words"])
    copied = {word.lower() for word, was_copied, _ in rows if was_copied}
    page = _PAGE.format(
        title=html.escape(answer["summary"]),
        summary=" ".join(_marked(word, was_copied) for word, was_copied, _ in rows),
        document=_document(str(given), copied, most),
        count=most,
    )
    paths[1].write_text(page, encoding="utf-8")
    return paths


def _marked(word: str, marked: bool) -> str:
    return f"<mark>{html.escape(word)}</mark>" if marked else html.escape(word)


def _document(text: str, copied: set[str], most: int) -> str:
    """Returns a text as HTML, in which the copied words are marked among the first `most`."""
    found, place = "", 0
    for word in split_words(text, most):
        if word.lower() not in copied:
            continue
        start = _find(text, word, place)
        found += html.escape(text[place:start]) + _marked(word, True)
        place = start + len(word)
    return found + html.escape(text[place:])


def _find(text: str, word: str, place: int) -> int:
    """Returns where a whole word begins, from a place on."""
    match = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)").search(text, place)
    return text.index(word, place) if match is None else match.start()
