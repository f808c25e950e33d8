"""Opens a working directory: makes a new one, and refuses one that holds something else.

This module doesn't import JAX, as workers and launchers that don't train use it.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gru_research import lookup, records
from gru_research.config import UserError

SUBMISSIONS = "slurm"
"""The folder of the jobs in which a run was submitted. A directory that holds nothing else counts as empty."""


def check_files(workdir: Path, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises UserError where the user's own files, check sums by path, differ from those at the run's start."""
    for file in sorted({*then, *now}):
        if then.get(file) != now.get(file):
            how = "has changed" if file in then and file in now else "is new" if file in now else "is no longer used"
            raise UserError(
                f"workdir={str(workdir)!r} holds numbers of other files ({file} {how} since): choose another, or bring "
                "the file back"
            )


def differences(old: Any, new: Any, name: str = "") -> dict[str, tuple[Any, Any]]:
    """Returns the differences of two nested mappings, as (old, new) by dotted names."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return {} if old == new else {name: (old, new)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*old, *(key for key in new if key not in old)]:
        found |= differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    return found


def claim(
    workdir: Path,
    file_name: str,
    content: Mapping[str, Any],
    what: str,
    identity: Callable[[Mapping[str, Any]], Any] = lambda content: content,
) -> None:
    """Makes a directory that a JSON file describes, or checks that an existing one matches. Writes the file anew.

    Args:
      content: the file's content, with its "schema".
      what: the kind of directory, for messages, such as "study".
      identity: returns the part of the content that must match; the rest may change.

    Raises:
      UserError: the directory holds something else, its content differs (with the differences), or it can't be read
        or written.
    """
    path, wanted = workdir / file_name, records.to_json(content)
    try:
        if _is_there(path):
            old = read_described(path, wanted["schema"])
            for name, (was, asked) in differences(identity(old), identity(wanted)).items():
                raise UserError(
                    f"workdir={str(workdir)!r} holds another {what}: {name} is {was!r} there, and {asked!r} was asked "
                    "for; choose another"
                )
        workdir.mkdir(parents=True, exist_ok=True)
        # Several commands may claim one sweep at the same time: each writes its own temporary file.
        part = path.with_name(f".{file_name}.{os.getpid()}.{threading.get_ident()}.part")
        part.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e


def _is_there(path: Path) -> bool:
    """Whether a directory holds the file that describes it. Raises UserError where it holds only something else."""
    folder, aside = path.parent, f".{path.name}."
    if path.is_file():
        return True
    # Temporary files of another command that claims the directory now are accepted.
    if not folder.is_dir() or not all(name.startswith(aside) for name in _names(folder)):
        if path.is_file():  # another command has written it meanwhile
            return True
        check_empty(folder)
    return path.is_file()


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {SUBMISSIONS}


def make_new(workdir: Path) -> None:
    """Makes a directory. Raises UserError where it isn't new or empty, or can't be made."""
    try:
        check_empty(workdir)
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e


def check_empty(workdir: Path) -> None:
    """Raises UserError where a directory holds anything, or is a file."""
    if workdir.exists() and (not workdir.is_dir() or _names(workdir)):
        raise UserError(f"workdir={str(workdir)!r} holds something else: choose another")


def read_described(path: Path, schema: str) -> dict[str, Any]:
    """Returns the JSON that describes a directory. Raises UserError where it is unreadable or of another schema."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UserError(f"{path} can't be read ({e.strerror}): choose another workdir") from e
    except (UnicodeDecodeError, *records.NOT_JSON) as e:
        raise UserError(f"{path} is damaged ({records.why_not_json(e)}): choose another workdir") from e
    if not isinstance(content, dict) or content.get("schema") != schema:
        raise UserError(f"{path} has another schema than {schema!r}: choose another workdir")
    return content


def changed_files(workdir: Path) -> dict[str, str]:
    """Returns which of the user's own files have changed since a directory's run began: "has changed" or "is gone", by
    path; empty where there is no run."""
    path = workdir / records.FILE_NAME
    return lookup.changed_files(records.read(path).header.files) if path.is_file() else {}
