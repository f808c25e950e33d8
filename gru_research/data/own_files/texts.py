"""Plain texts."""

from pathlib import Path

from gru_research.data.own_files.file_checks import read_utf8

_FACTOR = 16  # a token is a Python text of one character for a moment, behind a pointer


def read_text(path: Path) -> str:
    """The text of a file in UTF-8. Raises FileError where it is empty, too large, or in another encoding."""
    return read_utf8(path, _FACTOR)
