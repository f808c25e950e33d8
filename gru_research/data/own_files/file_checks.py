"""Checks that a file exists and fits memory, and reads it as text."""

import os
from pathlib import Path

from gru_research.config import FileError, UserError

_FACTOR = 16  # a token or a table's cell is temporarily a Python string with a pointer


def existing_file(field: str, name: str) -> Path:
    """Returns the absolute path of the file that a field of the config names.

    Raises:
      UserError: the file doesn't exist, can't be read, or is a folder.
    """
    path = Path(name).expanduser().absolute()
    try:
        if path.is_dir():
            raise UserError(f"{field}={name!r} is a folder, and must be a file")
        if not path.is_file():
            raise UserError(f"{field}={name!r}: no such file")
    except OSError as e:  # a name that is too long, or no permission
        raise UserError(f"{field}={name!r} can't be read: {e.strerror}") from e
    return path


def machine_memory() -> int | None:
    """Returns this machine's memory in bytes; None if the system doesn't report it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def check_memory(path: Path, needed: int, what: str) -> None:
    """Raises FileError if the `needed` bytes for `what` exceed this machine's memory."""
    there = machine_memory()
    if there is not None and needed > there:
        raise FileError(
            f"{path}: {what} takes about {needed / 2**30:.3g} GiB of memory, and this machine has "
            f"{there / 2**30:.3g} GiB: use a part of it"
        )


def cannot_read(path: Path, error: OSError) -> FileError:
    """Returns the error to raise if a file can't be opened."""
    reason = "no such file" if isinstance(error, FileNotFoundError) else f"can't be read: {error.strerror}"
    return FileError(f"{path}: {reason}")


def read_text(path: Path) -> str:
    """Reads a UTF-8 text, with or without a byte order mark; "\\r\\n" and "\\r" become "\\n".

    Raises:
      FileError: the file is too large, can't be read, is empty, or has another encoding. The last error names the line.
    """
    try:
        check_memory(path, path.stat().st_size * _FACTOR, "reading it")
        content = path.read_bytes()
    except OSError as e:
        raise cannot_read(path, e) from e
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        raise FileError(
            f"{path}:{line}: the byte 0x{content[e.start]:02x} isn't UTF-8: save the file in that encoding"
        ) from e
    if not text.strip():
        raise FileError(f"{path}: is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n")
