"""Appends records to a file, and writes whole files atomically."""

import errno
import os
from pathlib import Path
from typing import TextIO

from .json_lines import line_of
from .kinds import Header, Record


class Writer:
    """Appends records to a file. Each line is flushed, so a killed run loses nothing it wrote.

    Create one with `Writer.begin` or `Writer.resume`.
    """

    def __init__(self, path: Path, lines: int):
        self.lines = lines
        self._file: TextIO = path.open("a", encoding="utf-8")

    @classmethod
    def begin(cls, path: Path, header: Header) -> "Writer":
        """Creates the file with its header, atomically.

        Raises FileExistsError if the file exists: two runs never share one.
        """
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        write_whole(path, line_of(header))
        return cls(path, 1)

    @classmethod
    def resume(cls, path: Path, keep: int, header: Header) -> "Writer":
        """Cuts the file to its first `keep` lines, replaces the first by `header`, and appends from there."""
        kept = path.read_text(encoding="utf-8").split("\n")[1:keep]
        write_whole(path, line_of(header) + "".join(line + "\n" for line in kept))
        return cls(path, keep)

    def write(self, record: Record) -> None:
        self._file.write(line_of(record))
        self._file.flush()
        self.lines += 1

    def sync(self) -> int:
        """Waits until all lines are on disk; returns their number."""
        os.fsync(self._file.fileno())
        return self.lines

    def close(self) -> None:
        self._file.close()


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file atomically: after a crash or on a full disk, the old content remains."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
