"""Whether a file is there, whether memory holds it, and its bytes as text."""

import os
from pathlib import Path

from gru_research.config import FileError, UserError


def existing_file(field: str, name: str) -> Path:
    """The file that a field of the config names, as an absolute path.

    Raises:
      UserError: it isn't there, or is a folder.
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
    """Bytes of this machine's memory; None where the system doesn't say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def check_memory(path: Path, needed: int, what: str) -> None:
    """Raises FileError where `needed` bytes, which `what` takes, are more than the machine has."""
    there = machine_memory()
    if there is not None and needed > there:
        raise FileError(
            f"{path}: {what} takes about {needed / 2**30:.3g} GiB of memory, and this machine has "
            f"{there / 2**30:.3g} GiB: use a part of it"
        )


def cannot_read(path: Path, error: OSError) -> FileError:
    """What to raise where a file can't be opened."""
    reason = "no such file" if isinstance(error, FileNotFoundError) else f"can't be read: {error.strerror}"
    return FileError(f"{path}: {reason}")


def read_utf8(path: Path, factor: int) -> str:
    """A file's text in UTF-8, with or without a byte order mark; "\\r\\n" and "\\r" are "\\n".

    Args:
      factor: how many times the file's size the caller makes of it in memory.

    Raises:
      FileError: it is too large, can't be read, is empty, or is in another encoding; that names the line.
    """
    try:
        check_memory(path, path.stat().st_size * factor, "reading it")
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
