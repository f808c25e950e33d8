"""The files of the claims: `claims.json` for all of them, `findings/NAME.json` for each.

The launcher that runs the claims writes them. The page only reads them, so it can be made again without training.
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
    """One claim and its result.

    Attributes:
      name: the short name in the config, such as "gradients".
      claim: the sentence that is tested.
      ran: what was run, with its sizes.
      verdict: "holds when": it holds under a condition that `says` names; "not shown": the numbers don't decide;
        "not run": the numbers are missing, and `says` gives the reason.
      says: the verdict in a sentence, with the numbers that decide it.
      rule: the rule from numbers to verdict, written before the numbers were seen.
      shown: tables and figures.
      left: what the full form of the experiment has and this one omits.
      runs: folders of the claim's runs, relative to the directory.
      seconds: the duration.
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
      header: config, command, environment and start, from `claims.json`.
      findings: the finished claims, in the order of the config.
      missing: the names of the unfinished claims.
    """

    header: Mapping[str, Any]
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]


def write(workdir: Path, finding: Finding) -> Path:
    """Writes a finding atomically. Returns its path."""
    folder = workdir / FOLDER
    folder.mkdir(exist_ok=True)
    fields = {field.name: getattr(finding, field.name) for field in dataclasses.fields(finding)}
    fields["shown"] = [exhibits.to_json(exhibit) for exhibit in finding.shown]
    path = folder / f"{finding.name}.json"
    records.write_whole(path, json.dumps(records.to_json(fields), indent=1, allow_nan=False) + "\n")
    return path


def read(workdir: Path) -> Claims:
    """Reads all claims of the directory.

    Raises:
      records.RecordsError: `claims.json` is missing, or a file is damaged.
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
    """Reads the finding of one claim; None if there is none. Raises RecordsError if the file is damaged."""
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
    """Returns the counts of verdicts, such as "3 hold, 1 holds under a condition, 2 don't hold"."""
    words = {
        "holds": ("holds", "hold"),
        "holds when": ("holds under a condition", "hold under a condition"),
        "doesn't hold": ("doesn't hold", "don't hold"),
        "not shown": ("isn't decided", "aren't decided"),
        "not run": ("wasn't run", "weren't run"),
    }
    counts = {verdict: sum(f.verdict == verdict for f in found) for verdict in words}
    return ", ".join(f"{count} {words[verdict][count > 1]}" for verdict, count in counts.items() if count)
