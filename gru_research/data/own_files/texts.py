"""Reads plain texts."""

from pathlib import Path

from gru_research.data.own_files.file_checks import read_utf8

_FACTOR = 16  # a token is temporarily a Python string of one character with a pointer


def read_text(path: Path) -> str:
    """Reads a UTF-8 text. Raises FileError if it is empty, too large, or in another encoding."""
    return read_utf8(path, _FACTOR)
