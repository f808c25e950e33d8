"""Opens a working directory: makes it where it is new, and refuses one that holds something else.

Nothing here imports JAX: workers and launchers that train nothing use it.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gru_research import lookup, records
from gru_research.config import UserError


def check_files(workdir: Path, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises UserError where the user's own files, check sums by path, aren't those that a run was begun with."""
    for file in sorted({*then, *now}):
        if then.get(file) != now.get(file):
            how = "has changed" if file in then and file in now else "is new" if file in now else "is no longer used"
            raise UserError(
                f"workdir={str(workdir)!r} holds numbers of other files ({file} {how} since): choose another, or bring "
                "the file back"
            )


def differences(old: Any, new: Any, name: str = "") -> dict[str, tuple[Any, Any]]:
    """The differences of two nested mappings, as (old, new) by dotted names."""
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
    """Makes a directory that a JSON file describes, or checks that it is there and the same; the file is written anew.

    Args:
      content: of the file, with its "schema".
      what: is in it, for the messages, such as "study".
      identity: of such a content, what makes it the same one: the rest may change.

    Raises:
      UserError: it holds something else, or another one, and in what they differ; it can't be read or written.
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
        # Several commands may claim one sweep at a time: each writes a file of its own aside.
        part = path.with_name(f".{file_name}.{os.getpid()}.{threading.get_ident()}.part")
        part.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e


def _is_there(path: Path) -> bool:
    """Whether a directory holds the file that describes it. Raises UserError where it holds something else alone."""
    folder, aside = path.parent, f".{path.name}."
    if path.is_file():
        return True
    # What another command is writing at this moment is no other thing.
    if not folder.is_dir() or not all(other.name.startswith(aside) for other in folder.iterdir()):
        if path.is_file():  # written since
            return True
        check_empty(folder)
    return path.is_file()


def make_new(workdir: Path) -> None:
    """Makes a directory that must be new or empty. Raises UserError."""
    try:
        check_empty(workdir)
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e


def check_empty(workdir: Path) -> None:
    """Raises UserError where a directory holds anything, or is a file."""
    if workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise UserError(f"workdir={str(workdir)!r} holds something else: choose another")


def read_described(path: Path, schema: str) -> dict[str, Any]:
    """The content of a JSON file that describes its directory. Raises UserError, also for another schema."""
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
    """Which of the user's own files a directory's run was made of aren't as they were: "has changed" or "is gone", by
    path; none where there is no run."""
    path = workdir / records.FILE_NAME
    return lookup.changed_files(records.read(path).header.files) if path.is_file() else {}
