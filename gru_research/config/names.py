"""Chooses, splits and checks names in a config, and makes them independent of the current directory."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import UserError

LONGEST_FILE_NAME = 100
"""The longest name, of 255 possible bytes: orbax, TensorBoard and temporary files add their own text to it."""


def choose(path: str, name: Any, choices: Iterable[Any]) -> Any:
    """Returns `name` where it is one of `choices`; otherwise raises UserError, which lists them."""
    choices = list(choices)
    if name not in choices:
        texts = [str(choice) for choice in choices]
        raise UserError(f"{path}={name!r} is unknown{_nearest(name, texts)}; choose from {', '.join(texts)}")
    return name


def check_known(path: str, name: str, known: Iterable[str]) -> None:
    """Raises UserError where `path` has no field `name`; the message suggests the nearest one."""
    known = list(known)
    if name not in known:
        raise UserError(f"{path} has no field {name!r}{_nearest(name, known)}; fields: {', '.join(known)}")


def check_file_name(what: str, name: str) -> None:
    """Raises UserError unless `name` is a valid file name on any file system, with room for a suffix."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UserError(f"{what} {name!r} must be letters, digits and _ . - (it names files)")
    if len(name) > LONGEST_FILE_NAME:
        raise UserError(
            f"{what} '{name[:20]}...' has {len(name)} characters and must have at most {LONGEST_FILE_NAME} (it names "
            f"files)"
        )


def _nearest(name: Any, choices: list[str]) -> str:
    found = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def split_names(text: str) -> tuple[str, ...]:
    """Returns the distinct names in a comma-separated text."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def split_own(name: str) -> tuple[str, str] | None:
    """Splits `path/to/file.py:Name` or `module:Name` at the colon; returns None for a name without a colon.

    Raises:
      UserError: the name has a colon and neither form.
    """
    place, colon, wanted = name.rpartition(":")
    if not colon:
        return None
    if not wanted.isidentifier() or not (place.endswith(".py") or all(map(str.isidentifier, place.split(".")))):
        raise UserError(f"{name!r} must be path/to/file.py:Name or package.module:Name")
    return place, wanted


def located(name: str) -> str:
    """Makes the path of a name `file.py:Name` absolute, so that the config means the same in any directory."""
    place, colon, wanted = name.rpartition(":")
    return f"{Path(place).expanduser().absolute()}:{wanted}" if colon and place.endswith(".py") else name


FILES = ("train", "validation", "test")
"""Task options that may name the user's own files."""


def located_file(value: Any, task: str) -> Any:
    """Makes the path of an existing file absolute. Returns anything else, such as a TFDS split, unchanged."""
    if not isinstance(value, str) or not value or (task == "tfds" and not Path(value).suffix):
        return value
    path = Path(value).expanduser()
    return str(path.absolute()) if path.is_file() else value
