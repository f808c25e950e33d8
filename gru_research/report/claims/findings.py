"""What was found of each claim, in files: `claims.json` for all of them, `findings/NAME.json` for each.

Written by the launcher that runs the claims, read by the page: figures and pages are made again without training.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from gru_research import records
from gru_research.report import exhibits

SCHEMA = "gru_research.claims/1"
FILE_NAME = "claims.json"
FOLDER = "findings"

Verdict = Literal["holds", "holds when", "doesn't hold", "not shown", "not run"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One claim and what came out.

    Attributes:
      name: short, as in a config: "gradients".
      claim: the sentence that is tested.
      ran: what was run, with its sizes.
      verdict: "holds when" where it does under a condition that `says` names; "not shown" where the numbers don't
        decide; "not run" where they are missing, for the reason that `says` gives.
      says: the verdict in a sentence, with the numbers that decide it.
      rule: by what rule the verdict follows from the numbers; it was written before they were seen.
      shown: tables and figures.
      left: what this form leaves out and the full one has.
      runs: folders of the runs behind it, below the directory.
      seconds: how long it took.
    """

    name: str
    claim: str
    ran: str
    verdict: Verdict
    says: str
    rule: str = ""
    shown: tuple[exhibits.Exhibit, ...] = ()
    left: str = ""
    runs: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Claims:
    """All claims of a directory.

    Attributes:
      header: its config, command, environment and start, as `claims.json` holds them.
      findings: in the order of the config; claims that aren't finished are missing.
      missing: their names.
    """

    header: Mapping[str, Any]
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]


def write(workdir: Path, finding: Finding) -> Path:
    """Writes a finding in one step."""
    folder = workdir / FOLDER
    folder.mkdir(exist_ok=True)
    fields = {field.name: getattr(finding, field.name) for field in dataclasses.fields(finding)}
    fields["shown"] = [exhibits.to_json(exhibit) for exhibit in finding.shown]
    path = folder / f"{finding.name}.json"
    records.write_whole(path, json.dumps(records.to_json(fields), indent=1, allow_nan=False) + "\n")
    return path


def read(workdir: Path) -> Claims:
    """All that the directory holds.

    Raises:
      records.RecordsError: there is no `claims.json`, or a file is damaged.
    """
    header = _parsed(workdir / FILE_NAME)
    if header.get("schema") != SCHEMA:
        raise records.RecordsError(
            f"{workdir / FILE_NAME}: schema {header.get('schema')!r} can't be read; this version reads {SCHEMA}"
        )
    found = {name: read_one(workdir, name) for name in header["claims"]}
    return Claims(
        header,
        tuple(finding for finding in found.values() if finding is not None),
        tuple(name for name, finding in found.items() if finding is None),
    )


def read_one(workdir: Path, name: str) -> Finding | None:
    """The finding of one claim; None where it isn't there. Raises RecordsError where it is damaged."""
    path = workdir / FOLDER / f"{name}.json"
    if not path.is_file():
        return None
    fields = _parsed(path)
    try:
        shown = tuple(exhibits.from_json(exhibit) for exhibit in fields.pop("shown"))
        return Finding(**{**fields, "runs": tuple(fields["runs"]), "shown": shown})
    except (KeyError, TypeError, ValueError) as e:
        raise records.RecordsError(f"{path} is damaged ({e}): remove it, and the same command makes it again") from e


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise records.RecordsError(f"{path} doesn't exist") from e
    except records.NOT_JSON as e:
        raise records.RecordsError(f"{path} is damaged ({records.why_not_json(e)})") from e


def counted(found: Sequence[Finding]) -> str:
    """Such as "3 hold, 1 holds under a condition, 2 don't hold"."""
    words = {
        "holds": ("holds", "hold"),
        "holds when": ("holds under a condition", "hold under a condition"),
        "doesn't hold": ("doesn't hold", "don't hold"),
        "not shown": ("isn't decided", "aren't decided"),
        "not run": ("wasn't run", "weren't run"),
    }
    counts = {verdict: sum(f.verdict == verdict for f in found) for verdict in words}
    return ", ".join(f"{count} {words[verdict][count > 1]}" for verdict, count in counts.items() if count)
