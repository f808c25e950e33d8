"""Makes `why.html` of a run, on the internals of its cells, from `why.json`, which `experiments.diagnose` writes."""

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gru_research import records
from gru_research.report import exhibits, files, markup

SCHEMA = "gru_research.why/1"
FILE_NAME, PAGE = "why.json", "why.html"
TITLE = "Why: what the cells do to gradients and memory"


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the page: heading, sentences, tables and figures. Figure names must be unique over all parts."""

    heading: str
    notes: tuple[str, ...] = ()
    shown: tuple[exhibits.Exhibit, ...] = ()


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """The content of `why.json`. `header` has the command, the time and what was diagnosed."""

    header: Mapping[str, Any]
    parts: tuple[Part, ...]


def save(workdir: Path, header: Mapping[str, Any], parts: Sequence[Part]) -> None:
    """Writes `why.json` atomically."""
    texts = [
        {"heading": part.heading, "notes": part.notes, "shown": [exhibits.to_json(exhibit) for exhibit in part.shown]}
        for part in parts
    ]
    whole = records.to_json({"schema": SCHEMA, **header, "parts": texts})
    records.write_whole(workdir / FILE_NAME, json.dumps(whole, indent=1, allow_nan=False) + "\n")


def read(workdir: Path) -> Diagnosis:
    """Reads `why.json`.

    Raises:
      RecordsError: the file is missing or damaged, or has another schema.
    """
    path = workdir / FILE_NAME
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value.get("schema") != SCHEMA:
            raise records.RecordsError(
                f"{path}: schema {value.get('schema')!r} can't be read; this version reads {SCHEMA}"
            )
        parts = [
            Part(part["heading"], tuple(part["notes"]), tuple(exhibits.from_json(shown) for shown in part["shown"]))
            for part in value.pop("parts")
        ]
        return Diagnosis(value, tuple(parts))
    except OSError as e:
        raise records.RecordsError(f"can't read {path}: {e.strerror}") from e
    except records.RecordsError:
        raise
    except (*records.NOT_JSON, KeyError, TypeError, AttributeError) as e:
        raise records.RecordsError(f"{path} is damaged ({e}): `experiments.diagnose` makes it again") from e


def write(workdir: Path) -> Path:
    """Makes `why.html` and its figures. Returns the page's path. Raises RecordsError as `read`."""
    why = read(workdir)
    figures = files.Figures(workdir / "figures")
    sections = [
        markup.Section(part.heading, [*map(markup.paragraph, part.notes), *figures.parts(part.shown)])
        for part in why.parts
    ]
    facts = {"Command": shlex.join(why.header["command"]), "Made": why.header["made"]}
    made = markup.definitions(facts, code=facts)
    sections.append(markup.Section("What was run", [made, '<p><a href="report.html">The run</a></p>']))
    page = markup.document(TITLE, sections, lead=str(why.header.get("about") or ""))
    return files.replace(workdir / PAGE, page.encode())
